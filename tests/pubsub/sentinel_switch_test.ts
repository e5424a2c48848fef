import { assert, assertEquals } from "@std/assert";
import { connect, dial, type Gap } from "../../mod.ts";
import { startServer, type TestServer, until } from "../servers/mod.ts";
import { FakeSentinel } from "./fake_sentinel.ts";
import { assertTells, nodeOf, promote, startPair, TALKATIVE, target } from "./pair.ts";

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: a failover that a sentinel reports is followed at once, from a primary that hangs too`, async () => {
    await using pair = await startPair();
    const [first, second] = pair.servers as [TestServer, TestServer];
    await using sentinel = new FakeSentinel(first, 1);
    sentinel.protocol = protocol;
    const gaps: Gap[] = [];
    await using notifications = await connect(target(sentinel), {
      protocol,
      timeout: 60_000,
      heartbeat: { timeout: 60_000 },
      onGap: (gap) => gaps.push(gap),
    });
    await notifications.subscribeKeyspace("k");
    await until("it is followed", () => sentinel.followers === 1);
    await first.pause();
    await promote(second);
    const promotedAt = Date.now();
    await sentinel.switchTo(second);
    await until("it is back", () => gaps.length === 1);
    await first.resume();
    assertEquals([gaps[0]!.reason, gaps[0]!.node], ["failover", nodeOf(second)]);
    assert(gaps[0]!.from <= promotedAt && promotedAt <= gaps[0]!.to);
    await assertTells(notifications, second);
    assertEquals(gaps.length, 1);
  });

  Deno.test(`RESP${protocol}: a failover ends an attempt to connect to the primary before`, async () => {
    await using pair = await startPair();
    const [first, second] = pair.servers as [TestServer, TestServer];
    await using sentinel = new FakeSentinel(first, 1);
    let hangs: Promise<void> = Promise.resolve();
    await using notifications = await connect(target(sentinel), {
      protocol,
      timeout: 60_000,
      dial: async (...args) => {
        await hangs;
        return await dial(...args);
      },
    });
    await notifications.subscribeKeyspace("k");
    await until("it is followed", () => sentinel.followers === 1);
    const { asked } = sentinel;
    // It must not be back before the primary hangs.
    const paused = Promise.withResolvers<void>();
    hangs = paused.promise;
    const others = await first.client();
    await others.command("CLIENT", "KILL", "TYPE", "pubsub");
    await first.pause();
    paused.resolve();
    await until("it tries to reconnect", () => sentinel.asked > asked);
    await promote(second);
    await sentinel.switchTo(second);
    await until("it is back", () => notifications.status().gaps === 1);
    others.close();
    await first.resume();
    await assertTells(notifications, second);
  });
}

Deno.test("what one sentinel reports other primaries, or of this one again, changes nothing", async () => {
  await using server = await startServer(TALKATIVE);
  await using sentinel = new FakeSentinel(server, 1);
  await using notifications = await connect(target(sentinel), { heartbeat: { interval: 20 } });
  await notifications.subscribeKeyspace("k");
  await until("it is followed", () => sentinel.followers === 1);
  const { since } = notifications.status().nodes[0]!;
  await sentinel.publish("+switch-master", "other 127.0.0.1 1 127.0.0.1 2");
  await sentinel.publish("+switch-master", "mymaster");
  await sentinel.publish("+switch-master", "mymaster 127.0.0.1 1 127.0.0.1 99999");
  await sentinel.publish("+promoted-slave", "slave a:1 a 1 @ other 127.0.0.1 2");
  await sentinel.publish("+switch-master", `mymaster 127.0.0.1 1 127.0.0.1 ${server.port}`);
  const { commands } = sentinel;
  await until("all of it was read", () => sentinel.commands > commands + 1);
  await assertTells(notifications, server);
  assertEquals(notifications.status().nodes[0]!.since, since);
  assertEquals(notifications.status().gaps, 0);
});

Deno.test("the sentinel that leads a failover reports it before the others, and is heard", async () => {
  await using pair = await startPair();
  const [first, second] = pair.servers as [TestServer, TestServer];
  await using sentinel = new FakeSentinel(first, 1);
  await using notifications = await connect(target(sentinel));
  await notifications.subscribeKeyspace("k");
  await until("it is followed", () => sentinel.followers === 1);
  await promote(second);
  sentinel.primary = second;
  const { host, port } = second;
  await sentinel.publish(
    "+promoted-slave",
    `slave ${host}:${port} ${host} ${port} @ mymaster ${first.host} ${first.port}`,
  );
  await until("it is followed", () => notifications.status().gaps === 1);
  await assertTells(notifications, second);
});

Deno.test("another sentinel is followed when one is lost, or hangs", async () => {
  await using pair = await startPair();
  const [first, second] = pair.servers as [TestServer, TestServer];
  await using one = new FakeSentinel(first, 1);
  await using two = new FakeSentinel(first, 1);
  const warnings: string[] = [];
  await using notifications = await connect(target(one, two), {
    heartbeat: { interval: 50, timeout: 300 },
    onWarning: (message) => warnings.push(message),
  });
  await notifications.subscribeKeyspace("k");
  await until("one is followed", () => one.followers === 1);
  one.hangUp();
  await until("the other is followed", () => two.followers === 1);
  assertEquals(one.followers, 0);
  two.silentFrom = "PING";
  await until("the first is followed again", () => one.followers === 1 && two.followers === 0);
  assertEquals(warnings, []);
  await promote(second);
  await one.switchTo(second);
  await until("it is heard", () => notifications.status().gaps === 1);
  await assertTells(notifications, second);
});

Deno.test("that no sentinel can be followed is reported once, and stops nothing", async () => {
  await using server = await startServer(TALKATIVE);
  const sentinel = new FakeSentinel(server, 1);
  const warnings: string[] = [];
  let dials = 0;
  await using notifications = await connect(target(sentinel), {
    dial: (...args) => (dials++, dial(...args)),
    onWarning: (message) => warnings.push(message),
  });
  await notifications.subscribeKeyspace("k");
  await until("it is followed", () => sentinel.followers === 1);
  sentinel.silentFrom = "SUBSCRIBE";
  sentinel.hangUp();
  await until("it is tried again", () => sentinel.connections > 0);
  await sentinel[Symbol.asyncDispose]();
  await until("it is reported", () => warnings.length > 0);
  assert(warnings[0]!.includes('Cannot follow the sentinels of "mymaster"'), warnings[0]);
  await assertTells(notifications, server);
  const before = dials;
  await until("there were several attempts more", () => dials > before + 3);
  assertEquals(notifications.health().ok, true);
  assertEquals(warnings.length, 1);
});
