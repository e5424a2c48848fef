/** Server-sent events from Express: what happens to users, and gaps. One connection serves all browsers. */
import express from "express";
import { connect } from "keywatch";

const notifications = await connect(process.env.REDIS_URL);
const app = express();
app.get("/events", async (_request, response) => {
  const send = (event, data) =>
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  response.set("content-type", "text/event-stream").flushHeaders();
  const onGap = ({ detail }) => send("gap", detail.reason); // The browser should load users again.
  notifications.addEventListener("gap", onGap);
  const subscription = await notifications.subscribeKeyspace("user:*", {
    handler: ({ eventType, key }) => send(eventType, key),
  });
  await new Promise((resolve) => response.closed ? resolve() : response.on("close", resolve));
  notifications.removeEventListener("gap", onGap);
  await subscription.unsubscribe();
});
const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/events`);
});
