import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, ConnectError } from "../../mod.ts";
import { Retries } from "../../pubsub/retries.ts";
import { sleep, until } from "../servers/mod.ts";
import { FakeSentinel } from "./fake_sentinel.ts";
import { FakeServer } from "./fake_server.ts";
import { target } from "./pair.ts";

/** The longest pause before the next attempt, in ms. */
function longest(retries: Retries): number {
  return retries.nextPause(1);
}

Deno.test("connections that are lost soon are made again with backoff, and others at once", () => {
  let now = 0;
  const retries = new Retries(() => now);
  const live = (ms: number) => {
    retries.connected();
    now += ms;
    retries.lost();
    const pause = longest(retries);
    retries.begun();
    return pause;
  };
  // The first connection is not an attempt to reconnect.
  assertEquals(live(1), 0);
  assertEquals([live(1), live(4_999), live(0), live(0)], [50, 100, 200, 400]);
  assertEquals(live(5_000), 0);
  assertEquals([live(0), live(0)], [50, 100]);
  // Attempts that failed before a connection was made do not count on.
  for (let failed = 0; failed < 5; failed++) retries.failed();
  assertEquals(longest(retries), 3_200);
  assertEquals([live(0), live(6_000)], [200, 0]);
});

Deno.test("reasons to make haste count once in five seconds", () => {
  let now = 0;
  const retries = new Retries(() => now);
  for (let failed = 0; failed < 4; failed++) retries.failed();
  assertEquals(longest(retries), 400);
  assertEquals(retries.hasten(), true);
  assertEquals(longest(retries), 0);
  retries.begun();
  retries.failed();
  assertEquals(longest(retries), 50);
  now += 4_999;
  assertEquals(retries.hasten(), false);
  assertEquals(longest(retries), 50);
  now += 1;
  assertEquals(retries.hasten(), true);
});

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: connections that end once they are ready use up the attempts`, async () => {
    await using server = new FakeServer(() => undefined);
    await using notifications = await connect(server.url, {
      protocol,
      maxAttempts: 4,
      onStatus: ({ nodes: [node] }) => {
        // Not before: a connection that ends in its handshake is another kind of failure.
        if (node!.state === "ready") setTimeout(() => server.hangUp());
      },
    });
    const loop = notifications.listen();
    await assertRejects(() => loop.next(), ConnectError, "4 attempts failed");
    const introduced = protocol === 2 ? "CLIENT SETNAME" : "HELLO 3";
    const connects = server.commands.filter((text) => text.startsWith(introduced)).length;
    assertEquals(connects, 5, "the first, and the attempts");
  });
}

Deno.test("a sentinel that names one server after the other causes few connections", async () => {
  await using one = new FakeServer(() => undefined);
  await using two = new FakeServer(() => undefined);
  const named = [one, two].map(({ url }) => {
    const { hostname: host, port } = new URL(url);
    return { host, port: Number(port) };
  });
  await using sentinel = new FakeSentinel(named[0]!, 1);
  await using notifications = await connect(target(sentinel), { onGap() {} });
  await notifications.subscribeKeyspace("k");
  await until("it is followed", () => sentinel.followers === 1);
  for (let turn = 1; turn <= 500; turn++) {
    await sentinel.switchTo(named[turn % 2]!);
    await sleep(1);
  }
  const connects = [one, two].flatMap(({ commands }) => commands)
    .filter((text) => text.startsWith("HELLO 3")).length;
  assert(connects < 50, `it connected ${connects} times`);
  await until("it is back", () => notifications.health().ok);
});

Deno.test("a sentinel that ends connections once it is followed is followed with backoff", async () => {
  await using server = new FakeServer(() => undefined);
  const { hostname: host, port } = new URL(server.url);
  await using sentinel = new FakeSentinel({ host, port: Number(port) }, 1);
  await using notifications = await connect(target(sentinel), { onWarning() {} });
  await notifications.subscribeKeyspace("k");
  let ended = 0;
  for (let turn = 0; turn < 500 || ended === 0; turn++) {
    if (sentinel.followers > 0) {
      ended++;
      sentinel.hangUp();
    }
    await sleep(1);
  }
  assert(ended < 50, `it was followed ${ended} times`);
});
