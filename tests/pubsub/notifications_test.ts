import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  ClosedError,
  connect,
  ConnectError,
  type KeyNotification,
  KeyspaceChannel,
} from "../../mod.ts";
import { sleep, startServer, type TestServer, until } from "../servers/mod.ts";

/** A server that reports everything. */
function talkative(): Promise<TestServer> {
  return startServer({ config: { "notify-keyspace-events": "KEAn" } });
}

/** The next notifications of the merged stream, as `event key`. */
async function take(
  source: { getMessage(options: { timeout: number }): Promise<KeyNotification | null> },
  count: number,
): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const next = await source.getMessage({ timeout: 10_000 });
    if (next === null) break;
    taken.push(`${next.eventType} ${next.key}`);
  }
  return taken;
}

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: keyspace and keyevent subscriptions deliver what happens`, async () => {
    await using server = await talkative();
    await using notifications = await connect(server.url, { protocol });
    await notifications.subscribeKeyspace("user:*");
    await notifications.subscribeKeyevent("del");
    await server.command("SET", "user:1", "ana");
    await server.command("SET", "other", "x");
    await server.command("DEL", "other");
    assertEquals(await take(notifications, 3), ["new user:1", "set user:1", "del other"]);
    assertEquals(await notifications.getMessage(), null);
    assertEquals(notifications.status().nodes[0]!.protocol, protocol);
  });

  Deno.test(`RESP${protocol}: a notification says all there is to say`, async () => {
    await using server = await talkative();
    await using notifications = await connect(server.url, { protocol });
    await notifications.subscribeKeyspace("user:*", { db: "*" });
    const before = Date.now();
    await server.command("SELECT", 3);
    await server.command("HSET", "user:1", "name", "ana");
    await notifications.getMessage({ timeout: 10_000 });
    const notification = (await notifications.getMessage({ timeout: 10_000 }))!;
    assertEquals(notification.kind, "keyspace");
    assertEquals(notification.key, "user:1");
    assertEquals(notification.keyBytes, new TextEncoder().encode("user:1"));
    assertEquals(notification.eventType, "hset");
    assertEquals(notification.database, 3);
    assertEquals(notification.channel, "__keyspace@3__:user:1");
    assertEquals(notification.data, "hset");
    assertEquals(notification.isKeyspace, true);
    assertEquals(notification.timestamp >= before && notification.timestamp <= Date.now(), true);
  });

  Deno.test(`RESP${protocol}: keys of any bytes come whole`, async () => {
    await using server = await talkative();
    await using notifications = await connect(server.url, { protocol });
    await notifications.subscribeKeyspace("*");
    const keys = [
      new Uint8Array(),
      Uint8Array.of(0xff, 0xfe, 0x00, 0x0d, 0x0a),
      new TextEncoder().encode("line\nbreak | , : ключ"),
    ];
    for (const key of keys) {
      await server.command("SET", key, "x");
      await notifications.getMessage({ timeout: 10_000 });
      const notification = await notifications.getMessage({ timeout: 10_000 });
      assertEquals(notification?.keyBytes, key);
    }
  });

  Deno.test(`RESP${protocol}: unsubscribing ends what was subscribed and nothing else`, async () => {
    await using server = await talkative();
    await using notifications = await connect(server.url, { protocol });
    await notifications.subscribeKeyspace("a");
    await notifications.subscribeKeyspace("b*");
    await notifications.unsubscribe(new KeyspaceChannel("a"));
    await server.command("APPEND", "a", "x");
    await server.command("APPEND", "b1", "x");
    assertEquals(await take(notifications, 2), ["new b1", "append b1"]);
    assertEquals(await server.command("PUBSUB", "CHANNELS"), []);
    await notifications.unsubscribe();
    assertEquals(await server.command("PUBSUB", "NUMPAT"), 0);
    assertEquals(notifications.subscribed, false);
    await notifications.subscribeKeyspace("c");
    await server.command("APPEND", "c", "x");
    assertEquals(await take(notifications, 1), ["new c"]);
  });
}

Deno.test("one event is one item, however many subscriptions match, twice is two", async () => {
  await using server = await talkative();
  await using notifications = await connect(server.url);
  const seen: string[] = [];
  await notifications.subscribe("__keyevent@0__:set", "__keyevent@*__:s*", "__keyevent@0__:*t");
  await notifications.subscribe("__keyevent@0__:set", {
    handler: ({ key }) => seen.push(`first ${key}`),
  });
  await notifications.subscribe("__keyevent@0__:s?t", "__keyevent@0__:se*", {
    handler: ({ key }) => seen.push(`second ${key}`),
  });
  for (let i = 0; i < 3; i++) await server.command("SET", "k", i);
  assertEquals(await take(notifications, 3), ["set k", "set k", "set k"]);
  await until("it comes about", () => seen.length >= 6);
  assertEquals(await notifications.getMessage({ timeout: 50 }), null);
  assertEquals(seen.filter((line) => line === "first k").length, 3);
  assertEquals(seen.filter((line) => line === "second k").length, 3);
});

Deno.test("a handler takes its notifications out of the merged stream", async () => {
  await using server = await talkative();
  await using notifications = await connect(server.url);
  const seen: string[] = [];
  await notifications.subscribeKeyevent("set", { handler: ({ key }) => seen.push(key) });
  await server.command("SET", "a", "x");
  await until("it comes about", () => seen.length === 1);
  assertEquals(await notifications.getMessage(), null);
  assertEquals(seen, ["a"]);
});

Deno.test("an async handler is awaited before it gets the next notification", async () => {
  await using server = await talkative();
  await using notifications = await connect(server.url);
  const trace: string[] = [];
  await notifications.subscribeKeyevent("set", {
    handler: async ({ key }) => {
      trace.push(`begin ${key}`);
      await sleep(5);
      trace.push(`end ${key}`);
    },
  });
  await Promise.all(["a", "b", "c"].map((key) => server.command("SET", key, "x")));
  await until("it comes about", () => trace.length === 6);
  assertEquals(trace, ["begin a", "end a", "begin b", "end b", "begin c", "end c"]);
});

Deno.test("what a handler throws or rejects goes to onError and stops nothing", async () => {
  await using server = await talkative();
  const errors: unknown[] = [];
  await using notifications = await connect(server.url, { onError: (error) => errors.push(error) });
  const seen: string[] = [];
  await notifications.subscribeKeyevent("set", {
    handler: ({ key }) => {
      seen.push(key);
      if (key === "sync") throw new Error("thrown");
      return key === "async" ? Promise.reject(new Error("rejected")) : undefined;
    },
  });
  for (const key of ["sync", "async", "fine"]) await server.command("SET", key, "x");
  await until("it comes about", () => seen.length === 3);
  assertEquals(errors.map((error) => (error as Error).message), ["thrown", "rejected"]);
});

Deno.test("a hold releases its channels alone; the last hold unsubscribes", async () => {
  await using server = await talkative();
  await using notifications = await connect(server.url);
  const first: string[] = [];
  const second: string[] = [];
  const hold = await notifications.subscribeKeyspace("k", {
    handler: ({ eventType }) => first.push(eventType),
  });
  const other = await notifications.subscribeKeyspace("k", {
    handler: ({ eventType }) => second.push(eventType),
  });
  await hold.unsubscribe();
  await server.command("APPEND", "k", "x");
  await until("it comes about", () => second.length === 2);
  assertEquals(first, []);
  assertEquals(await server.command("PUBSUB", "CHANNELS"), ["__keyspace@0__:k"]);
  await other[Symbol.asyncDispose]();
  assertEquals(await server.command("PUBSUB", "CHANNELS"), []);
});

Deno.test("loops each get everything; loops that follow each other miss nothing", async () => {
  await using server = await talkative();
  await using notifications = await connect(server.url);
  await notifications.subscribeKeyevent("set");
  for (const key of ["a", "b", "c"]) await server.command("SET", key, "x");
  await until("it comes about", () => notifications.status().queued === 3);
  const first: string[] = [];
  for await (const { key } of notifications) {
    first.push(key);
    if (key === "b") break;
  }
  assertEquals(first, ["a", "b"]);
  const loop = notifications.listen();
  const beside = notifications.listen();
  await server.command("SET", "d", "x");
  assertEquals((await loop.next()).value?.key, "c");
  assertEquals((await loop.next()).value?.key, "d");
  assertEquals((await beside.next()).value?.key, "d");
  await loop.return();
  await beside.return();
  await server.command("SET", "e", "x");
  assertEquals(await take(notifications, 1), ["set e"]);
});

Deno.test("a signal ends its loop, also one that was aborted before", async () => {
  await using server = await talkative();
  await using notifications = await connect(server.url);
  await notifications.subscribeKeyevent("set");
  const stop = new AbortController();
  const waiting = notifications.listen({ signal: stop.signal }).next();
  stop.abort();
  assertEquals((await waiting).done, true);
  assertEquals((await notifications.listen({ signal: stop.signal }).next()).done, true);
});

Deno.test("close ends every loop and every wait; then there is nothing more to have", async () => {
  await using server = await talkative();
  const notifications = await connect(server.url);
  await notifications.subscribeKeyevent("set");
  const loop = notifications.listen().next();
  const message = notifications.getMessage({ timeout: 60_000 });
  message.catch(() => {});
  await notifications.close();
  await notifications.close();
  assertEquals((await loop).done, true);
  await assertRejects(() => message, ClosedError);
  assertEquals((await notifications.listen().next()).done, true);
  assertEquals(notifications.status().state, "closed");
  assertEquals(notifications.subscribed, false);
  await notifications.unsubscribe();
  await assertRejects(() => notifications.getMessage(), ClosedError);
  await assertRejects(() => notifications.subscribeKeyevent("set"), ClosedError);
  await until(
    "it comes about",
    async () => !String(await server.command("CLIENT", "LIST")).includes("name=keywatch"),
  );
});

Deno.test("await using closes", async () => {
  await using server = await talkative();
  {
    await using notifications = await connect(server.url);
    await notifications.subscribeKeyevent("set");
  }
  await until(
    "it comes about",
    async () => !String(await server.command("CLIENT", "LIST")).includes("name=keywatch"),
  );
});

Deno.test("an aborted signal closes, also before and while connecting", async () => {
  await using server = await talkative();
  const stop = new AbortController();
  const notifications = await connect(server.url, { signal: stop.signal });
  const loop = notifications.listen().next();
  stop.abort();
  assertEquals((await loop).done, true);
  await assertRejects(() => connect(server.url, { signal: stop.signal }), DOMException);
  const later = new AbortController();
  const connecting = connect(server.url, { signal: later.signal });
  later.abort(new Error("enough"));
  await assertRejects(() => connecting, Error, "enough");
});

Deno.test("the prefix is taken off keys, and other keys do not come", async () => {
  await using server = await talkative();
  await using notifications = await connect(server.url, { keyPrefix: "app:" });
  await notifications.subscribeKeyevent("set");
  await server.command("SET", "other", "x");
  await server.command("SET", "app:1", "x");
  assertEquals(await take(notifications, 1), ["set 1"]);
  const [node] = notifications.status().nodes;
  assertEquals([node!.messages, node!.malformed], [2, 0]);
});

Deno.test("the database of the URL is the one that is watched", async () => {
  await using server = await talkative();
  await using notifications = await connect(`${server.url}/2`);
  await notifications.subscribeKeyevent("set");
  await server.command("SET", "zero", "x");
  await server.command("SELECT", 2);
  await server.command("SET", "two", "x");
  assertEquals(await take(notifications, 1), ["set two"]);
});

Deno.test("a full queue drops the oldest and says so before the next", async () => {
  await using server = await talkative();
  const gaps: unknown[] = [];
  await using notifications = await connect(server.url, {
    queue: { items: 3 },
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyevent("set");
  for (let i = 0; i < 10; i++) await server.command("SET", `k${i}`, "x");
  await until("it comes about", () => notifications.status().nodes[0]!.messages === 10);
  const loop = notifications.listen({ gaps: true });
  const { value: gap } = await loop.next();
  assertEquals(gap?.kind, "gap");
  assertEquals(gap?.kind === "gap" && [gap.reason, gap.dropped, gap.node], [
    "overflow",
    7,
    `127.0.0.1:${server.port}`,
  ]);
  assertEquals(gaps, [gap]);
  const { value: next } = await loop.next();
  assertEquals(next?.kind !== "gap" && next?.key, "k7");
  assertEquals(notifications.status().gaps, 1);
});

Deno.test("what is not a notification is counted and not delivered", async () => {
  await using server = await talkative();
  // Whether this server sends any of them by itself is not a matter.
  await using notifications = await connect(server.url, { flags: "ignore" });
  await notifications.subscribe("__subkeyspace@0__:*", "__key*");
  await server.command("PUBLISH", "__subkeyspace@0__:h", "hset|99:short");
  await server.command("PUBLISH", "__keyring", "x");
  await server.command("PUBLISH", "__subkeyspace@0__:h", "hset|6:字段,7:a|b,c:d");
  const notification = await notifications.getMessage({ timeout: 10_000 });
  assertEquals(notification?.subkeys, ["字段", "a|b,c:d"]);
  assertEquals(notifications.status().nodes[0]!.malformed, 2);
});

Deno.test("status describes the servers", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "Kg" } });
  await using notifications = await connect(server.url);
  const before = notifications.status();
  assertEquals([before.state, before.queued, before.gaps], ["ready", 0, 0]);
  assertEquals(before.nodes[0]!.lastMessage, null);
  await notifications.subscribeKeyspace("a*");
  await server.command("SET", "a1", "x");
  await server.command("DEL", "a1");
  await until("it comes about", () => notifications.status().queued === 1);
  const { nodes: [node] } = notifications.status();
  assertEquals(
    {
      node: node!.node,
      state: node!.state,
      software: node!.software,
      role: node!.role,
      subscriptions: node!.subscriptions,
      flags: node!.flags,
      messages: node!.messages,
    },
    {
      node: `127.0.0.1:${server.port}`,
      state: "ready",
      software: server.binary.product,
      role: "primary",
      subscriptions: ["__keyspace@0__:a*"],
      flags: "gK",
      messages: 1,
    },
  );
  assertEquals(node!.version, server.binary.version);
  assertEquals(node!.bytes > 0 && node!.lastMessage! > 0, true);
});

Deno.test("with no attempts to reconnect, a lost connection ends loops after what had come", async () => {
  await using server = await talkative();
  await using notifications = await connect(server.url, { maxAttempts: 0 });
  await notifications.subscribeKeyevent("set");
  await server.command("SET", "last", "x");
  await until("it waits", () => notifications.status().queued === 1);
  await server.command("CLIENT", "KILL", "TYPE", "pubsub");
  await until("it is over", () => notifications.status().state === "closed");
  const loop = notifications.listen({ gaps: true });
  const { value: last } = await loop.next();
  assertEquals(last?.kind !== "gap" && last?.key, "last");
  const { value: gap } = await loop.next();
  assertEquals(gap?.kind === "gap" && gap.reason, "disconnected");
  const error = await assertRejects(() => loop.next(), ConnectError, "closed by the server");
  assertEquals(error.name, "ConnectError");
  await assertRejects(() => notifications.subscribeKeyevent("del"), ConnectError);
});

Deno.test("a subscription to an event that no server sends is warned of, once for each name", async () => {
  await using server = await talkative();
  const warnings: string[] = [];
  await using notifications = await connect(server.url, {
    flags: "ignore",
    onWarning: (message) => warnings.push(message),
  });
  await notifications.subscribeKeyevent("zincrby");
  await notifications.subscribeKeyevent("zincrby", { db: 1 });
  await notifications.subscribeKeyevent("unlink", { db: "*" });
  await notifications.subscribe("__subkeyspaceevent@0__:hmset|key", "__keyevent@*__:zincrb*");
  await notifications.subscribeKeyevent("set");
  await notifications.subscribeKeyevent("my-module-event");
  assertEquals(warnings.length, 3);
  assertStringIncludes(warnings[0]!, "zincrby is sent by no server: what comes instead is zincr");
  assertStringIncludes(warnings[1]!, "del");
  assertStringIncludes(warnings[2]!, "hset");
});
