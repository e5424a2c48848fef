import { assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { startServer, until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

/** Far more than the queue holds, at once. */
const BURST = 50_000;
const QUEUE = { items: 4096 };
const SCRIPT = `for i = 1, ${BURST} do redis.call('SET', 'k', 'x') end`;

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: a prompt loop is given all of a burst that is larger than its queue`, async () => {
    await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
    await using notifications = await connect(server.url, { protocol, queue: QUEUE });
    await notifications.subscribeKeyevent("set");
    let count = 0;
    let dropped = 0;
    const reading = (async () => {
      for await (const item of notifications.listen({ gaps: true })) {
        if (item.kind === "gap") dropped += item.dropped!;
        else count++;
      }
    })();
    await server.command("EVAL", SCRIPT, 0);
    await until("all have come", () => count + dropped === BURST);
    assertEquals(dropped, 0);
    await notifications.close();
    await reading;
  });
}

Deno.test("a prompt handler is given all of a burst that is larger than its queue", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  let count = 0;
  let dropped = 0;
  await using notifications = await connect(server.url, {
    queue: QUEUE,
    onGap: (gap) => void (dropped += gap.dropped!),
  });
  const handler = async () => {
    await Promise.resolve();
    count++;
  };
  await notifications.subscribeKeyevent("set", { handler });
  await server.command("EVAL", SCRIPT, 0);
  await until("all have come", () => count + dropped === BURST);
  assertEquals(dropped, 0);
});

Deno.test("messages that find no room while channels are confirmed again are a gap with a count", async () => {
  const confirmed = (channel: string) => `>3\r\n$9\r\nsubscribe\r\n$16\r\n${channel}\r\n:1\r\n`;
  const message = (channel: string, event: string) =>
    `>3\r\n$7\r\nmessage\r\n$16\r\n${channel}\r\n$${event.length}\r\n${event}\r\n`;
  let connections = 0;
  await using server = new FakeServer(([name, channel]) => {
    if (name === "HELLO") connections++;
    if (name !== "SUBSCRIBE" || connections === 1) return undefined;
    const events = Array.from({ length: 10 }, (_, n) => message(channel!, `e${n}`));
    return confirmed(channel!) + events.join("");
  });
  const trace: string[] = [];
  await using notifications = await connect(server.url, {
    queue: { items: 4 },
    onGap: ({ reason, dropped }) => trace.push(`${reason} ${dropped}`),
  });
  await notifications.subscribeKeyspace("k", { handler: ({ eventType }) => trace.push(eventType) });
  server.hangUp();
  await until("the gap is reported", () => trace.includes("overflow 6"));
  assertEquals(trace, ["disconnected undefined", "e0", "e1", "e2", "e3", "overflow 6"]);
  assertEquals(notifications.status().dropped, 6);
});

Deno.test("status() counts what waits between the socket and the consumer", async () => {
  // Half a message, whose other half never comes.
  const half = ">3\r\n$7\r\nmessage\r\n$16\r\n__keyspace@0__:k\r\n$9000\r\n" + "x".repeat(8000);
  let isSubscribed = false;
  const message = ">3\r\n$7\r\nmessage\r\n$16\r\n__keyspace@0__:k\r\n$3\r\nset\r\n";
  // A ping follows the confirmation.
  await using server = new FakeServer(([name]) =>
    name === "PING" && isSubscribed ? "+PONG\r\n" + message + half : undefined
  );
  await using notifications = await connect(server.url);
  await notifications.subscribeKeyspace("k");
  isSubscribed = true;
  await until("all have come", () => notifications.status().nodes[0]!.buffered > 8000);
  const { queued, queuedBytes } = notifications.status();
  assertEquals([queued, queuedBytes], [1, "__keyspace@0__:k".length + "set".length]);
  await notifications.getMessage();
  assertEquals([notifications.status().queued, notifications.status().queuedBytes], [0, 0]);
});
