import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  AuthError,
  connect,
  ConnectError,
  type ConnectOptions,
  type Gap,
  SentinelError,
  type SentinelTarget,
} from "../../mod.ts";
import { freePort, startServer, type TestServer, until, within } from "../servers/mod.ts";
import { FakeSentinel, hangingPeer } from "./fake_sentinel.ts";
import { assertTells, nodeOf, startPair, TALKATIVE, target } from "./pair.ts";

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: sentinels that are dead, hang or do not know the name are passed over`, async () => {
    await using server = await startServer(TALKATIVE);
    await using hanging = hangingPeer();
    await using ignorant = new FakeSentinel(null);
    await using good = new FakeSentinel(server);
    good.protocol = protocol;
    const dead = { url: `redis://127.0.0.1:${freePort()}` };
    const connecting = connect(target(dead, hanging, ignorant, good), {
      protocol,
      timeout: 120_000,
    });
    await using notifications = await within(connecting, 60_000, "connect");
    await notifications.subscribeKeyspace("k");
    await assertTells(notifications, server);
    assertEquals(hanging.connections, 0, "what was begun with the others is over");
    await until("the good one is followed", () => good.followers === 1);
    const { asked } = ignorant;
    await server.command("CLIENT", "KILL", "TYPE", "pubsub");
    await until("it is back", () => notifications.status().gaps === 1);
    assertEquals(ignorant.asked, asked, "the one that answered is asked first from then on");
  });

  Deno.test(`RESP${protocol}: the server that a stale sentinel names is not a primary and not used`, async () => {
    await using pair = await startPair();
    const [primary, replica] = pair.servers as [TestServer, TestServer];
    await using stale = new FakeSentinel(replica);
    await using good = new FakeSentinel(primary);
    await using notifications = await connect(target(stale, good), { protocol });
    await notifications.subscribeKeyspace("k");
    await assertTells(notifications, primary);
    assertEquals(notifications.status().nodes[0]!.role, "primary");
    assert(stale.asked > 0);
  });
}

Deno.test("when all sentinels are stale, they are asked again until the timeout", async () => {
  await using pair = await startPair();
  const [primary, replica] = pair.servers as [TestServer, TestServer];
  await using sentinel = new FakeSentinel(replica);
  const connecting = connect(target(sentinel), { timeout: 60_000 });
  await until("it was asked more than once", () => sentinel.asked > 2);
  sentinel.primary = primary;
  await using notifications = await connecting;
  await notifications.subscribeKeyspace("k");
  await assertTells(notifications, primary);

  sentinel.primary = replica;
  const error = await assertRejects(
    () => connect(target(sentinel), { timeout: 300 }),
    ConnectError,
    `Cannot watch ${nodeOf(replica)}`,
  );
  assert(error.message.includes(`${sentinel.node} calls it the primary of "mymaster"`));
});

Deno.test("a primary that is down is waited for, until the timeout", async () => {
  await using server = await startServer(TALKATIVE);
  await using sentinel = new FakeSentinel({ host: "127.0.0.1", port: freePort() });
  const connecting = connect(target(sentinel), { timeout: 60_000 });
  await until("it was asked more than once", () => sentinel.asked > 2);
  sentinel.primary = server;
  await using notifications = await connecting;
  assertEquals(notifications.status().nodes[0]!.node, nodeOf(server));
  sentinel.primary = { host: "127.0.0.1", port: freePort() };
  await assertRejects(() => connect(target(sentinel), { timeout: 300 }), ConnectError);
});

Deno.test("of two sentinels that disagree the one with the later failover counts", async () => {
  // Both say that they are primaries, as the old one does while it is cut off.
  await using old = await startServer(TALKATIVE);
  await using current = await startServer(TALKATIVE);
  await using stale = new FakeSentinel(old, 1);
  await using good = new FakeSentinel(current, 2);
  const gaps: Gap[] = [];
  const warnings: string[] = [];
  await using notifications = await connect(target(stale, good), {
    onGap: (gap) => gaps.push(gap),
    onWarning: (message) => warnings.push(message),
  });
  await notifications.subscribeKeyspace("k");
  assertEquals(notifications.status().nodes[0]!.node, nodeOf(old));
  await until("it is followed", () => stale.followers === 1);
  stale.silentFrom = "HELLO";
  stale.hangUp();
  await until("the good one is followed, and heard", () => gaps.length === 1);
  assertEquals([gaps[0]!.reason, gaps[0]!.node], ["failover", nodeOf(current)]);
  stale.silentFrom = null;
  good.silentFrom = "HELLO";
  good.hangUp();
  await until("the stale one is followed", () => stale.followers === 1);
  await assertTells(notifications, current);
  good.silentFrom = null;
  await current.command("CLIENT", "KILL", "TYPE", "pubsub");
  await until("it is back", () => gaps.length === 2);
  assertEquals([gaps[1]!.reason, gaps[1]!.node], ["disconnected", nodeOf(current)]);
  assertEquals(warnings, []);
});

Deno.test("a sentinel that is alone counts, also when it has forgotten failovers", async () => {
  await using server = await startServer(TALKATIVE);
  await using sentinel = new FakeSentinel(server, 7);
  await using notifications = await connect(target(sentinel));
  await notifications.subscribeKeyspace("k");
  sentinel.epoch = 0;
  await server.command("CLIENT", "KILL", "TYPE", "pubsub");
  await until("it is back", () => notifications.status().gaps === 1);
  await assertTells(notifications, server);
});

Deno.test("no sentinel, none that knows the name, none that lets in: each its own error", async () => {
  await using server = await startServer(TALKATIVE);
  await using locked = await startServer({ args: ["--sentinel"], password: "secret" });
  await using ignorant = new FakeSentinel(null);
  const dead = { url: `redis://127.0.0.1:${freePort()}` };

  const unreachable = await assertRejects(
    () => connect(target(dead)),
    SentinelError,
    'Cannot find the primary "mymaster": no sentinel can be asked',
  );
  assertEquals(unreachable.failures.length, 1);
  assertInstanceOf(unreachable.failures[0]!.error, ConnectError);

  const unknown = await assertRejects(
    () => connect(target(dead, ignorant)),
    SentinelError,
    'Cannot find the primary "mymaster": no sentinel knows that name',
  );
  assertEquals(
    unknown.failures.map(({ sentinel }) => sentinel).toSorted(),
    [
      dead.url.slice("redis://".length),
      ignorant.node,
    ].toSorted(),
  );

  const wanted = await assertRejects(
    () => connect(target(dead, locked)),
    AuthError,
    "the sentinels refuse the login",
  );
  assert(wanted.message.includes("sentinelCredentials"));
  await assertRejects(
    () => connect({ ...target(locked), sentinelCredentials: { password: "wrong" } }),
    AuthError,
    "WRONGPASS",
  );
  // The servers' password is not the sentinels'.
  await assertRejects(() => connect(target(locked), { password: "secret" }), AuthError);
  await assertRejects(
    () => connect({ ...target(locked), sentinelCredentials: { password: "secret" } }),
    SentinelError,
    "no sentinel knows that name",
  );

  await assertRejects(() => connect(target(server)), SentinelError, "it is not a sentinel");
  await using silent = hangingPeer();
  await assertRejects(
    () => connect(target(silent, silent), { timeout: 200 }),
    SentinelError,
    "no answer to HELLO within 200 ms",
  );
});

Deno.test("targets that cannot be used are refused", async () => {
  const sentinels = ["redis://127.0.0.1:1"];
  const pem = "-----BEGIN ";
  const cases: [target: unknown, why: string, options?: ConnectOptions][] = [
    [{ sentinels: [], name: "mymaster" }, "none is given"],
    [{ sentinels: "redis://127.0.0.1:1", name: "mymaster" }, "none is given"],
    [{ sentinels }, "the primary's name is missing"],
    [
      { sentinels: ["10.0.0.1"], name: "mymaster" },
      "the URL of sentinel 1: it does not begin with redis://",
    ],
    [{ sentinels: ["redis://a/1"], name: "mymaster" }, "sentinel 1: its URL names a database"],
    [{ sentinels, name: "mymaster", database: -1 }, "database -1"],
    [{ sentinels: ["redis://a", "rediss://b"], name: "mymaster" }, "say so with tls"],
    [{ sentinels: ["redis://ana@a"], name: "mymaster" }, "there is a user but no password"],
    [{ sentinels, name: "mymaster", sentinelTls: { ca: pem } }, "sentinelTls without TLS"],
    [{ sentinels, name: "mymaster" }, "tls without TLS", { tls: { ca: pem } }],
  ];
  for (const [target, why, options] of cases) {
    await assertRejects(() => connect(target as SentinelTarget, options), TypeError, why);
  }
});
