/** Server-sent events from Hono: what happens to users, and gaps. One connection serves all browsers. */
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { connect } from "keywatch";

const notifications = await connect(process.env.REDIS_URL);
const app = new Hono();
app.get("/events", (context) =>
  streamSSE(context, async (stream) => {
    const closed = new Promise((resolve) => stream.onAbort(resolve));
    const send = (event, data) => stream.writeSSE({ event, data: JSON.stringify(data) });
    const onGap = ({ detail }) => send("gap", detail.reason); // The browser should load users again.
    notifications.addEventListener("gap", onGap);
    const subscription = await notifications.subscribeKeyspace("user:*", {
      handler: ({ eventType, key }) => send(eventType, key),
    });
    await closed;
    notifications.removeEventListener("gap", onGap);
    await subscription.unsubscribe();
  }));
const port = Number(process.env.PORT ?? 3000);
serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, ({ port }) => {
  console.log(`http://127.0.0.1:${port}/events`);
});
