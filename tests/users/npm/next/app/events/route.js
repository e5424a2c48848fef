import { connect } from "keywatch";

export const dynamic = "force-dynamic";

/** One connection for all requests. */
let opening;

export async function GET() {
  const notifications = await (opening ??= connect(process.env.REDIS_URL));
  let subscription;
  const stream = new ReadableStream({
    async start(controller) {
      const handler = ({ eventType, key }) =>
        controller.enqueue(`event: ${eventType}\ndata: ${key}\n\n`);
      subscription = await notifications.subscribeKeyspace("user:*", { handler });
      controller.enqueue(": watching\n\n");
    },
    cancel: () => subscription.unsubscribe(),
  });
  const headers = { "content-type": "text/event-stream" };
  return new Response(stream.pipeThrough(new TextEncoderStream()), { headers });
}
