import express from "express";
import { connect } from "keywatch";

const notifications = await connect(process.env.REDIS_URL);
const app = express();
app.get("/events", async (_request, response) => {
  response.set("content-type", "text/event-stream").flushHeaders();
  const subscription = await notifications.subscribeKeyspace("user:*", {
    handler: ({ eventType, key }) => response.write(`event: ${eventType}\ndata: ${key}\n\n`),
  });
  response.on("close", () => subscription.unsubscribe());
  response.write(": watching\n\n");
});
const server = app.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
