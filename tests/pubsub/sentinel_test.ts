import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  AuthError,
  connect,
  ConnectError,
  type ConnectOptions,
  type Gap,
  type KeyspaceNotificationsInterface,
  SentinelError,
  type SentinelTarget,
} from "../../mod.ts";
import { freePort, sleep, startServer, type TestServer, until, within } from "../servers/mod.ts";
import { FakeSentinel, hangingPeer } from "./fake_sentinel.ts";

const TALKATIVE = {
  config: { "notify-keyspace-events": "KEA", "repl-diskless-sync-delay": 0 },
};

/** Sentinels that know `mymaster`. */
function target(...sentinels: { readonly url: string }[]): SentinelTarget {
  return { sentinels: sentinels.map(({ url }) => url), name: "mymaster" };
}

/** A primary and a replica of it, each of which would tell all. */
async function startPair(): Promise<AsyncDisposableStack & { servers: TestServer[] }> {
  const stack = new AsyncDisposableStack();
  const primary = stack.use(await startServer(TALKATIVE));
  const replica = stack.use(await startServer(TALKATIVE));
  await follow(replica, primary);
  return Object.assign(stack, { servers: [primary, replica] });
}

async function follow(replica: TestServer, primary: TestServer): Promise<void> {
  await replica.command("REPLICAOF", primary.host, primary.port);
  await until("the replica follows", async () => {
    return String(await replica.command("INFO", "replication")).includes("master_link_status:up");
  });
}

async function promote(server: TestServer): Promise<void> {
  await server.command("REPLICAOF", "NO", "ONE");
}

function nodeOf({ host, port }: TestServer): string {
  return `${host}:${port}`;
}

/** Sees that what happens on a server is told. */
async function assertTells(notifications: KeyspaceNotificationsInterface, server: TestServer) {
  assertEquals(notifications.status().nodes[0]!.node, nodeOf(server));
  await server.command("SET", "k", "x");
  const { eventType, key } = (await notifications.getMessage({ timeout: 20_000 }))!;
  assertEquals([eventType, key], ["set", "k"]);
}

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

  Deno.test(`RESP${protocol}: the server that a stale sentinel names is no primary and not used`, async () => {
    await using pair = await startPair();
    const [primary, replica] = pair.servers as [TestServer, TestServer];
    await using stale = new FakeSentinel(replica);
    await using good = new FakeSentinel(primary);
    await using notifications = await connect(target(stale, good), { protocol });
    await notifications.subscribeKeyspace("k");
    await assertTells(notifications, primary);
    assertEquals(notifications.status().nodes[0]!.role, "master");
    assert(stale.asked > 0);
  });

  Deno.test(`RESP${protocol}: a failover that a sentinel tells of is followed at once, from a primary that hangs too`, async () => {
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
    first.pause();
    await promote(second);
    const promotedAt = Date.now();
    await sentinel.switchTo(second);
    await until("it is back", () => gaps.length === 1);
    first.resume();
    assertEquals([gaps[0]!.reason, gaps[0]!.node], ["failover", nodeOf(second)]);
    assert(gaps[0]!.from <= promotedAt && promotedAt <= gaps[0]!.to);
    await assertTells(notifications, second);
    assertEquals(gaps.length, 1);
  });

  Deno.test(`RESP${protocol}: a failover ends an attempt to connect to the primary before`, async () => {
    await using pair = await startPair();
    const [first, second] = pair.servers as [TestServer, TestServer];
    await using sentinel = new FakeSentinel(first, 1);
    await using notifications = await connect(target(sentinel), { protocol, timeout: 60_000 });
    await notifications.subscribeKeyspace("k");
    await until("it is followed", () => sentinel.followers === 1);
    const { asked } = sentinel;
    const others = await first.client();
    const killed = others.command("CLIENT", "KILL", "TYPE", "pubsub");
    await killed;
    first.pause();
    await until("it tries to come back", () => sentinel.asked > asked);
    await promote(second);
    await sentinel.switchTo(second);
    await until("it is back", () => notifications.health().ok);
    others.close();
    first.resume();
    await assertTells(notifications, second);
  });

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
    const demotedAt = Date.now();
    await first.command("REPLICAOF", second.host, second.port);
    await until("it is noticed", () => !notifications.health().ok);
    await until("it is asked for again", () => sentinel.asked > 3);
    sentinel.primary = second;
    await until("it is back", () => notifications.health().ok);
    assertEquals(gaps.map(({ reason }) => reason), ["failover"]);
    assert(gaps[0]!.from <= demotedAt);
    await assertTells(notifications, second);
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

Deno.test("what one sentinel tells of other primaries, or of this one again, changes nothing", async () => {
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

Deno.test("the sentinel that leads a failover tells of it before the others, and is heard", async () => {
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

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: a failover's gap begins with the promotion, however late that is told`, async () => {
    await using pair = await startPair();
    const [first, second] = pair.servers as [TestServer, TestServer];
    await using sentinel = new FakeSentinel(first, 1);
    const gaps: Gap[] = [];
    await using notifications = await connect(target(sentinel), {
      protocol,
      heartbeat: { interval: 50 },
      onGap: (gap) => gaps.push(gap),
    });
    await notifications.subscribeKeyspace("*");
    await until("it is followed", () => sentinel.followers === 1);
    const keepBusy = async (ms: number) => {
      for (const end = Date.now() + ms; Date.now() < end; await sleep(20)) {
        await first.command("INCR", "n");
      }
    };
    const began = Date.now();
    await keepBusy(1_500);
    await first.command("WAIT", 1, 10_000);
    await promote(second);
    const promotedAt = Date.now();
    // Longer than a sentinel needs that is not cut off.
    await keepBusy(5_000);
    assertEquals(gaps, []);
    await sentinel.switchTo(second);
    await until("it is heard", () => gaps.length === 1);
    const { from } = gaps[0]!;
    assert(from <= promotedAt, `it begins ${from - promotedAt} ms late`);
    assert(from >= began, `it begins ${promotedAt - from} ms early`);
  });
}

/** Whom neither the servers' streams of changes nor, in RESP2, their roles are told. */
const BLIND: ConnectOptions = { username: "blind", password: "pw" };

async function blind(servers: readonly TestServer[]): Promise<void> {
  for (const server of servers) {
    await server.command(
      "ACL",
      "SETUSER",
      "blind",
      "on",
      ">pw",
      "~*",
      "&*",
      "+@all",
      "-info",
      "-role",
    );
  }
}

Deno.test("a failover's gap begins before a sentinel can know of it", async () => {
  await using pair = await startPair();
  await blind(pair.servers);
  const [first, second] = pair.servers as [TestServer, TestServer];
  await using sentinel = new FakeSentinel(first, 1);
  const gaps: Gap[] = [];
  await using notifications = await connect(target(sentinel), {
    ...BLIND,
    // All the while the old primary proves that it has told everything.
    heartbeat: { interval: 50 },
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyspace("k");
  await until("it is followed", () => sentinel.followers === 1);
  await promote(second);
  const promotedAt = Date.now();
  await sleep(2_500);
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
    heartbeat: { interval: 50, timeout: 4_000 },
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyspace("k");
  await until("it is followed", () => one.followers === 1);
  one.silentFrom = "PING";
  await promote(second);
  const promotedAt = Date.now();
  await two.switchTo(second);
  await until("the other is heard", () => gaps.length === 1);
  assert(gaps[0]!.from <= promotedAt, `it begins ${gaps[0]!.from - promotedAt} ms late`);
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

Deno.test("that no sentinel can be followed is told once, and stops nothing", async () => {
  await using server = await startServer(TALKATIVE);
  const sentinel = new FakeSentinel(server, 1);
  const warnings: string[] = [];
  await using notifications = await connect(target(sentinel), {
    onWarning: (message) => warnings.push(message),
  });
  await notifications.subscribeKeyspace("k");
  await until("it is followed", () => sentinel.followers === 1);
  sentinel.silentFrom = "SUBSCRIBE";
  sentinel.hangUp();
  await until("it is tried again", () => sentinel.connections > 0);
  await sentinel[Symbol.asyncDispose]();
  await until("it is told", () => warnings.length > 0);
  assert(warnings[0]!.includes('Cannot follow the sentinels of "mymaster"'), warnings[0]);
  await assertTells(notifications, server);
  // Several attempts more.
  await sleep(500);
  assertEquals(notifications.health().ok, true);
  assertEquals(warnings.length, 1);
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
    const before = Date.now();
    await first.command("REPLICAOF", second.host, second.port);
    await until("it is noticed", () => !notifications.health().ok);
    await promote(first);
    await until("it is back", () => gaps.length === 1);
    assertEquals(gaps[0]!.reason, "failover");
    assert(gaps[0]!.from <= before, `it begins ${gaps[0]!.from - before} ms late`);
    await assertTells(notifications, first);
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
  await first.command("REPLICAOF", second.host, second.port);
  sentinel.primary = second;
  await until("it is left", () => notifications.status().gaps === 1);
  await assertTells(notifications, second);
});

Deno.test("a plain server that becomes a replica is told of once; status shows it", async () => {
  await using pair = await startPair();
  const [primary, replica] = pair.servers as [TestServer, TestServer];
  await promote(replica);
  const warnings: string[] = [];
  const options: ConnectOptions = {
    heartbeat: { interval: 50 },
    onWarning: (message) => warnings.push(message),
  };
  await using notifications = await connect(replica.url, options);
  await notifications.subscribeKeyspace("k");
  const role = () => notifications.status().nodes[0]!.role;
  assertEquals(role(), "master");
  await follow(replica, primary);
  await until("it is noticed", () => role() === "replica");
  assertEquals(warnings.length, 1);
  assert(warnings[0]!.startsWith(`${nodeOf(replica)} was a primary and is a replica now`));
  await promote(replica);
  await until("it is noticed", () => role() === "master");
  assertEquals(warnings.length, 1);
  assertEquals(notifications.status().gaps, 0);
  await using content = await connect(primary.url, options);
  await content.subscribeKeyspace("k");
  await primary.restart();
  await until("it is back", () => content.status().gaps === 1);
  assertEquals(warnings.length, 1);
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
    "the sentinels want other credentials",
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

  await assertRejects(() => connect(target(server)), SentinelError, "it is no Sentinel");
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
    [{ sentinels: ["10.0.0.1"], name: "mymaster" }, "it is not a URL"],
    [{ sentinels: ["redis://a/1"], name: "mymaster" }, "names a database"],
    [{ sentinels, name: "mymaster", database: -1 }, "database -1"],
    [{ sentinels: ["redis://a", "rediss://b"], name: "mymaster" }, "say so with tls"],
    [{ sentinels: ["redis://ana@a"], name: "mymaster" }, 'log in as "ana"'],
    [{ sentinels, name: "mymaster", sentinelTls: { ca: pem } }, "TLS is not spoken"],
    [{ sentinels, name: "mymaster" }, "TLS is not spoken", { tls: { ca: pem } }],
  ];
  for (const [target, why, options] of cases) {
    await assertRejects(() => connect(target as SentinelTarget, options), TypeError, why);
  }
});
