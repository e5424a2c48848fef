import { assert, assertEquals } from "@std/assert";
import { connect, type ConnectOptions, type Gap } from "../../mod.ts";
import { type TestServer, until } from "../servers/mod.ts";
import { FakeSentinel } from "./fake_sentinel.ts";
import { FakeServer } from "./fake_server.ts";
import {
  assertTells,
  BLIND,
  blind,
  demote,
  follow,
  nodeOf,
  promote,
  startPair,
  target,
} from "./pair.ts";

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: a primary that becomes a replica and keeps the connection is left`, async () => {
    await using pair = await startPair();
    const [first, second] = pair.servers as [TestServer, TestServer];
    await using sentinel = new FakeSentinel(first, 1);
    const gaps: Gap[] = [];
    await using notifications = await connect(target(sentinel), {
      protocol,
      heartbeat: { interval: 200 },
      onGap: (gap) => gaps.push(gap),
    });
    await notifications.subscribeKeyspace("k");
    await until("it is followed", () => sentinel.followers === 1);
    await promote(second);
    const demotedAt = await demote(first, second);
    await until("it is noticed", () => !notifications.health().ok);
    await until("it is asked for again", () => sentinel.asked > 3);
    sentinel.primary = second;
    await until("it is back", () => notifications.health().ok);
    assertEquals(gaps.map(({ reason }) => reason), ["failover"]);
    assert(gaps[0]!.from <= demotedAt);
    await assertTells(notifications, second);
  });
}

Deno.test("RESP3: a primary that becomes a replica is left, also where ROLE is forbidden", async () => {
  await using pair = await startPair();
  const [first, second] = pair.servers as [TestServer, TestServer];
  await blind(pair.servers);
  await using sentinel = new FakeSentinel(first, 1);
  await using notifications = await connect(target(sentinel), {
    ...BLIND,
    heartbeat: { interval: 50 },
  });
  await notifications.subscribeKeyspace("k");
  await promote(second);
  await demote(first, second);
  sentinel.primary = second;
  await until("it is left", () => notifications.status().gaps === 1);
  await assertTells(notifications, second);
});

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: a plain server that becomes a replica is left for the address, and reported once if it is still there`, async () => {
    await using pair = await startPair();
    const [primary, replica] = pair.servers as [TestServer, TestServer];
    await promote(replica);
    const warnings: string[] = [];
    const gaps: Gap[] = [];
    const options: ConnectOptions = {
      protocol,
      heartbeat: { interval: 50 },
      onWarning: (message) => warnings.push(message),
    };
    await using notifications = await connect(replica.url, {
      ...options,
      onGap: (gap) => gaps.push(gap),
    });
    await notifications.subscribeKeyspace("k");
    const role = () => notifications.status().nodes[0]!.role;
    assertEquals(role(), "primary");
    const demotedAt = await follow(replica, primary);
    await until("it is noticed", () => notifications.status().gaps === 1);
    assertEquals([role(), notifications.health().ok], ["replica", true]);
    assertEquals(warnings.length, 1);
    assert(warnings[0]!.startsWith(`${nodeOf(replica)} was a primary and is a replica now`));
    await promote(replica);
    await until("it is noticed", () => role() === "primary");
    assertEquals(warnings.length, 1);
    assertEquals(gaps.map(({ reason }) => reason), ["failover"]);
    assert(gaps[0]!.from <= demotedAt);
    await using content = await connect(primary.url, options);
    await content.subscribeKeyspace("k");
    await primary.restart();
    await until("it is back", () => content.status().gaps === 1);
    assertEquals(warnings.length, 1);
  });
}

Deno.test("the gap of a primary that becomes a replica begins when it was last asked and said that it is one", async () => {
  const askedAt: number[] = [];
  await using server = new FakeServer((words) => {
    // With more words it begins a connection.
    if (words[0] !== "HELLO" || words.length > 2) return undefined;
    askedAt.push(Date.now());
    const role = askedAt.length === 2 ? "replica" : "master";
    return `%1\r\n$4\r\nrole\r\n$${role.length}\r\n${role}\r\n`;
  });
  const gaps: Gap[] = [];
  await using notifications = await connect(server.url, {
    heartbeat: { interval: 50 },
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyspace("k");
  await until("it is left and back", () => gaps.length > 0);
  assertEquals(gaps[0]!.reason, "failover");
  assert(gaps[0]!.from <= askedAt[0]!, `${gaps[0]!.from - askedAt[0]!} ms after that`);
});
