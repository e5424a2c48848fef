import { assert, assertEquals } from "@std/assert";
import { connect, type Gap } from "../../mod.ts";
import { type TestServer, until } from "../servers/mod.ts";
import { WallClock } from "../wall_clock.ts";
import { FakeSentinel } from "./fake_sentinel.ts";
import { assertTells, BLIND, blind, demote, promote, startPair, target } from "./pair.ts";

/** Longer than it takes sentinels that are not cut off to learn of a failover, in ms. */
const LEARNING = 5_000;

/** How often a server was asked for its role. */
async function roleQuestions(server: TestServer): Promise<number> {
  const stats = String(await server.command("INFO", "commandstats"));
  return Number(/cmdstat_role:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

/** Writes until the server was asked for its role some times more. */
async function keepBusy(server: TestServer): Promise<void> {
  const asked = await roleQuestions(server);
  await until("it was asked some times", async () => {
    await server.command("INCR", "n");
    return await roleQuestions(server) > asked + 3;
  });
}

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: a failover's gap begins with the promotion, however late that is reported`, async () => {
    await using pair = await startPair();
    const [first, second] = pair.servers as [TestServer, TestServer];
    await using sentinel = new FakeSentinel(first, 1);
    const gaps: Gap[] = [];
    await using notifications = await connect(target(sentinel), {
      protocol,
      heartbeat: { interval: 50, busyInterval: 20 },
      onGap: (gap) => gaps.push(gap),
    });
    await notifications.subscribeKeyspace("*");
    await until("it is followed", () => sentinel.followers === 1);
    using clock = new WallClock();
    const began = Date.now();
    await keepBusy(first);
    await first.command("WAIT", 1, 10_000);
    await promote(second);
    const promotedAt = Date.now();
    clock.advance(LEARNING);
    await keepBusy(first);
    assertEquals(gaps, []);
    await sentinel.switchTo(second);
    await until("it is heard", () => gaps.length === 1);
    const { from } = gaps[0]!;
    assert(from <= promotedAt, `it begins ${from - promotedAt} ms late`);
    assert(from >= began, `it begins ${promotedAt - from} ms early`);
  });
}

Deno.test("a failover's gap begins before a sentinel can know of it", async () => {
  await using pair = await startPair();
  await blind(pair.servers);
  const [first, second] = pair.servers as [TestServer, TestServer];
  await using sentinel = new FakeSentinel(first, 1);
  const gaps: Gap[] = [];
  await using notifications = await connect(target(sentinel), {
    ...BLIND,
    // All the while the old primary proves that it has reported everything.
    heartbeat: { interval: 50 },
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyspace("k");
  await until("it is followed", () => sentinel.followers === 1);
  using clock = new WallClock();
  await promote(second);
  const promotedAt = Date.now();
  // A sentinel that is not cut off hears of it by then.
  clock.advance(2_500);
  const { commands } = sentinel;
  await until("it was asked whether it lives", () => sentinel.commands > commands);
  await sentinel.switchTo(second);
  await until("it is heard", () => gaps.length === 1);
  assert(gaps[0]!.from <= promotedAt, `it begins ${gaps[0]!.from - promotedAt} ms late`);
});

Deno.test("a failover's gap begins before the sentinel that was followed fell silent", async () => {
  await using pair = await startPair();
  await blind(pair.servers);
  const [first, second] = pair.servers as [TestServer, TestServer];
  await using one = new FakeSentinel(first, 1);
  await using two = new FakeSentinel(first, 1);
  const gaps: Gap[] = [];
  await using notifications = await connect(target(one, two), {
    ...BLIND,
    heartbeat: { interval: 50, timeout: 1_000 },
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyspace("k");
  await until("it is followed", () => one.followers === 1);
  using clock = new WallClock();
  one.silentFrom = "PING";
  await promote(second);
  const promotedAt = Date.now();
  clock.advance(LEARNING);
  await two.switchTo(second);
  await until("the other is heard", () => gaps.length === 1);
  assert(gaps[0]!.from <= promotedAt, `it begins ${gaps[0]!.from - promotedAt} ms late`);
});

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: the gap of a primary that was a replica for a while begins before that`, async () => {
    await using pair = await startPair();
    const [first, second] = pair.servers as [TestServer, TestServer];
    await using sentinel = new FakeSentinel(first, 1);
    const gaps: Gap[] = [];
    await using notifications = await connect(target(sentinel), {
      protocol,
      heartbeat: { interval: 20 },
      onGap: (gap) => gaps.push(gap),
    });
    await notifications.subscribeKeyspace("k");
    await promote(second);
    const demotedAt = await demote(first, second);
    await until("it is noticed", () => !notifications.health().ok);
    await promote(first);
    await until("it is back", () => gaps.length === 1);
    assertEquals(gaps[0]!.reason, "failover");
    assert(gaps[0]!.from <= demotedAt, `it begins ${gaps[0]!.from - demotedAt} ms late`);
    await assertTells(notifications, first);
  });
}
