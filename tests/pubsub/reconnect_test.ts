import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  ClosedError,
  connect,
  ConnectError,
  type Gap,
  KeyspaceChannel,
  MissingFlagsError,
  type NodeState,
  TimeoutError,
} from "../../mod.ts";
import { sleep, startServer, type TestServer, until } from "../servers/mod.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

/** Ends the library's connections, and the test's are left. */
async function killConnections(server: TestServer): Promise<void> {
  await server.command("CLIENT", "KILL", "TYPE", "pubsub");
}

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: it reconnects with all subscriptions, and reports the gap before what follows`, async () => {
    await using server = await startServer(TALKATIVE);
    const gaps: Gap[] = [];
    await using notifications = await connect(server.url, {
      protocol,
      onGap: (gap) => gaps.push(gap),
    });
    await notifications.subscribeKeyspace("user:*");
    await notifications.subscribeKeyevent("del");
    await server.command("SET", "user:1", "x");
    await killConnections(server);
    const lost = Date.now();
    await until("it is back", () => gaps.length === 1);
    const ended = Date.now();
    await server.command("SET", "user:2", "x");
    await server.command("DEL", "user:2");
    const items: string[] = [];
    for await (const item of notifications.listen({ gaps: true })) {
      items.push(item.kind === "gap" ? `gap ${item.reason}` : `${item.eventType} ${item.key}`);
      if (items.length === 5) break;
    }
    assertEquals(items, [
      "set user:1",
      "gap disconnected",
      "set user:2",
      "del user:2",
      "del user:2",
    ]);
    const [gap] = gaps;
    assertEquals(gap!.node, `127.0.0.1:${server.port}`);
    assert(gap!.from <= gap!.to && gap!.to <= ended, "the gap ends when it is back");
    assert(gap!.from <= lost, "the gap begins no later than the loss");
    assertEquals(notifications.status().gaps, 1);
  });

  Deno.test(`RESP${protocol}: it reconnects to a restarted server`, async () => {
    await using server = await startServer(TALKATIVE);
    const states: NodeState[] = [];
    await using notifications = await connect(server.url, {
      protocol,
      onStatus: ({ nodes: [node] }) => states.push(node!.state),
    });
    await notifications.subscribeKeyspace("user:*");
    await server.kill();
    await until("the loss is noticed", () => notifications.health().ok === false);
    assertStringIncludes(notifications.health().reason, "reconnecting");
    assertEquals(notifications.status().state, "incomplete");
    await server.restart();
    await until("it is back", () => notifications.health().ok);
    await server.command("SET", "user:1", "x");
    assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.key, "user:1");
    assertEquals([states[0], states[1], states.at(-1)], ["ready", "reconnecting", "ready"]);
  });
}

Deno.test("subscriptions made, and dropped, during an outage hold once it is over", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url, { timeout: 30_000 });
  await notifications.subscribeKeyspace("before");
  await notifications.subscribeKeyspace("dropped");
  await server.kill();
  await until("the loss is noticed", () => !notifications.health().ok);
  const during = notifications.subscribeKeyspace("during");
  await notifications.unsubscribe(new KeyspaceChannel("dropped"));
  await server.restart();
  await during;
  assertEquals(
    (await server.command("PUBSUB", "CHANNELS") as string[]).toSorted(),
    ["__keyspace@0__:before", "__keyspace@0__:during"],
  );
});

Deno.test("a subscription that cannot be confirmed in time is rejected and forgotten", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url, { timeout: 300 });
  await server.kill();
  await until("the loss is noticed", () => !notifications.health().ok);
  const error = await assertRejects(() => notifications.subscribeKeyspace("k"), TimeoutError);
  assertStringIncludes(error.message, "Cannot reach");
  assertEquals(notifications.subscribed, false);
});

Deno.test("it gives up after the attempts it was allowed, and says so everywhere", async () => {
  await using server = await startServer(TALKATIVE);
  const gaps: Gap[] = [];
  await using notifications = await connect(server.url, {
    maxAttempts: 2,
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyspace("k");
  const loop = notifications.listen();
  await server.kill();
  await assertRejects(() => loop.next(), ConnectError, "2 attempts failed");
  assertEquals(notifications.status().state, "closed");
  assertEquals(notifications.health(), { ok: false, reason: "closed" });
  assertEquals(gaps.map(({ reason }) => reason), ["disconnected"]);
  await assertRejects(() => notifications.subscribeKeyspace("k"), ConnectError);
});

Deno.test("a hung server is found out by the heartbeat", async () => {
  await using server = await startServer(TALKATIVE);
  const gaps: Gap[] = [];
  await using notifications = await connect(server.url, {
    heartbeat: { interval: 100, timeout: 200 },
    timeout: 300,
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyspace("k");
  await server.pause();
  try {
    await until("it is found out", () => !notifications.health().ok);
    assertStringIncludes(notifications.status().nodes[0]!.error!, "PING");
  } finally {
    await server.resume();
  }
  await until("it is back", () => gaps.length === 1);
  assertEquals(gaps[0]!.reason, "unresponsive");
});

Deno.test("a healthy but silent connection lives on", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url, {
    heartbeat: { interval: 20, timeout: 5_000 },
  });
  await notifications.subscribeKeyspace("k");
  const { since } = notifications.status().nodes[0]!;
  const pings = async () =>
    Number(
      /cmdstat_ping:calls=(\d+)/.exec(String(await server.command("INFO", "commandstats")))?.[1],
    );
  const before = await pings();
  await until("it was asked ten times", async () => await pings() > before + 10);
  assertEquals(notifications.status().nodes[0]!.since, since);
  assertEquals(notifications.status().gaps, 0);
});

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: a server that lost its flags in a restart is noticed, and so long the gap lasts`, async () => {
    await using server = await startServer();
    await server.command("CONFIG", "SET", "notify-keyspace-events", "KEA");
    const gaps: Gap[] = [];
    const errors: unknown[] = [];
    await using notifications = await connect(server.url, {
      protocol,
      onGap: (gap) => gaps.push(gap),
      onError: (error) => errors.push(error),
    });
    await notifications.subscribeKeyspace("user:*");
    await server.restart();
    await until("it is noticed", () => errors.length === 1);
    assert(errors[0] instanceof MissingFlagsError);
    const health = notifications.health();
    assertEquals(health.ok, false);
    assertStringIncludes(health.reason, "degraded");
    assertStringIncludes(health.reason, "CONFIG SET notify-keyspace-events 'AK'");
    const lost = Date.now();
    await server.command("SET", "user:lost", "x");
    await server.command("CONFIG", "SET", "notify-keyspace-events", "KEA");
    await until("it is noticed too", () => notifications.health().ok);
    assert(gaps.some(({ from, to }) => from <= lost && lost <= to), "what was lost is in a gap");
    assertEquals(gaps.at(-1)!.from, gaps.at(-2)!.to);
    await server.command("SET", "user:1", "x");
    assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.key, "user:1");
  });
}

Deno.test("flags: merge adds what is missing, drops no letter, and does so again after a restart", async () => {
  await using server = await startServer();
  const flags = async () =>
    (await server.command("CONFIG", "GET", "notify-keyspace-events") as string[])[1];
  await server.command("CONFIG", "SET", "notify-keyspace-events", "Kl");
  await using notifications = await connect(server.url, { flags: "merge" });
  await notifications.subscribeKeyevent("expired");
  assertEquals(await flags(), "lxKE");
  await notifications.subscribeKeyevent("set");
  assertEquals(await flags(), "$lxKE");
  await server.restart();
  await until("it is back", () => notifications.health().ok);
  await until("its flags are set", async () => await flags() === "$xE");
  await server.command("SET", "k", "x");
  assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.key, "k");
});

Deno.test("flags: merge that the server refuses is an error that says so", async () => {
  await using server = await startServer({ acl: ["bo on >pw ~* &* +@all -config|set"] });
  await using notifications = await connect(server.url, {
    flags: "merge",
    credentials: { username: "bo", password: "pw" },
  });
  await assertRejects(
    () => notifications.subscribeKeyevent("set"),
    MissingFlagsError,
    "refuses to have it set",
  );
});

Deno.test("credentials are asked for at each connect", async () => {
  await using server = await startServer({ ...TALKATIVE, password: "one" });
  let password = "one";
  let asked = 0;
  await using notifications = await connect(server.url, {
    credentials: () => {
      asked++;
      return Promise.resolve({ password });
    },
  });
  await notifications.subscribeKeyspace("k");
  password = "two";
  await server.command("CONFIG", "SET", "requirepass", "two");
  await killConnections(server);
  await until("it is back", () => notifications.status().gaps === 1);
  assertEquals(asked >= 2, true);
  password = "wrong";
  await killConnections(server);
  await until("it is refused", () => {
    return String(notifications.status().nodes[0]!.error).includes("WRONGPASS");
  });
  password = "two";
  await until("it is back again", () => notifications.health().ok);
});

Deno.test("a credentials function that fails, or never ends, is an error of its own", async () => {
  await using server = await startServer(TALKATIVE);
  await assertRejects(
    () => connect(server.url, { credentials: () => Promise.reject(new Error("no token")) }),
    Error,
    "no token",
  );
  await assertRejects(
    // Long enough for a busy machine to dial.
    () => connect(server.url, { timeout: 1_000, credentials: () => new Promise(() => {}) }),
    TimeoutError,
    "credentials function",
  );
});

Deno.test("close during an outage ends it at once, and the gap is reported", async () => {
  await using server = await startServer(TALKATIVE);
  const gaps: Gap[] = [];
  const notifications = await connect(server.url, { onGap: (gap) => gaps.push(gap) });
  await notifications.subscribeKeyspace("k");
  const waiting = notifications.listen().next();
  await server.kill();
  await until("the loss is noticed", () => !notifications.health().ok);
  const subscribing = assertRejects(() => notifications.subscribeKeyspace("other"), ClosedError);
  await notifications.close();
  await subscribing;
  assertEquals((await waiting).done, true);
  assertEquals(gaps.length, 1);
});

Deno.test("what callbacks throw or reject with is logged, and stops nothing", async () => {
  await using server = await startServer(TALKATIVE);
  const complaints: unknown[] = [];
  const error = console.error;
  console.error = (...words) => complaints.push(words);
  try {
    const fail = () => {
      throw new Error("callback");
    };
    const reject = () => Promise.reject(new Error("rejected"));
    await using notifications = await connect(server.url, { onGap: reject, onStatus: fail });
    await notifications.subscribeKeyspace("k");
    await killConnections(server);
    await until("it is back", () => notifications.status().gaps === 1);
    await server.command("SET", "k", "x");
    assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.key, "k");
    assert(complaints.length >= 3);
    assert(complaints.some((words) => String(words).includes("rejected")));
  } finally {
    console.error = error;
  }
});

Deno.test("ten thousand channels, subscribed and dropped while the connection breaks, end in agreement", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url, { timeout: 60_000 });
  const channels = Array.from({ length: 10_000 }, (_, n) => new KeyspaceChannel(`key:${n}`));
  const chunks = Array.from({ length: 50 }, (_, n) => channels.slice(n * 200, n * 200 + 200));
  const work: Promise<unknown>[] = [];
  for (const [n, chunk] of chunks.entries()) {
    work.push(notifications.subscribe(...chunk));
    if (n % 5 === 4) work.push(notifications.unsubscribe(...chunks[n - 2]!));
    if (n % 10 === 9) work.push(killConnections(server));
    await sleep(2);
  }
  await Promise.all(work);
  await until("it has settled", () => notifications.status().state === "ready");
  const kept = chunks.filter((_, n) => n % 5 !== 2).flat().map(String);
  assertEquals(
    (await server.command("PUBSUB", "CHANNELS") as string[]).toSorted(),
    kept.toSorted(),
  );
  assertEquals(notifications.status().nodes[0]!.subscriptions.toSorted(), kept.toSorted());
});
