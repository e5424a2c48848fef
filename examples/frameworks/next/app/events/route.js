/** Server-sent events from Next: what happens to users, and gaps. */
import { connect } from "keywatch";

export const dynamic = "force-dynamic";

/** One connection for all requests. */
let opening;

export async function GET() {
  const notifications = await (opening ??= connect(process.env.REDIS_URL));
  let close;
  const stream = new ReadableStream({
    async start(controller) {
      const send = (event, data) =>
        controller.enqueue(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      const onGap = ({ detail }) => send("gap", detail.reason);
      notifications.addEventListener("gap", onGap);
      const subscription = await notifications.subscribeKeyspace("user:*", {
        handler: ({ eventType, key }) => send(eventType, key),
      });
      controller.enqueue(": watching\n\n"); // Otherwise no header is sent before the first event.
      close = () => {
        notifications.removeEventListener("gap", onGap);
        return subscription.unsubscribe();
      };
    },
    cancel: () => close(),
  });
  const headers = { "content-type": "text/event-stream" };
  return new Response(stream.pipeThrough(new TextEncoderStream()), { headers });
}
