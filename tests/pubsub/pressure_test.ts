import { assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { startServer, until } from "../servers/mod.ts";

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
