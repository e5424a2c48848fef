/** Filters: which events and keys of its channels a subscription takes. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  connect,
  escapeGlob,
  type KeyNotification,
  KeyspaceChannel,
  type KeyspaceNotificationsInterface,
  MissingFlagsError,
  type SubscribeOptions,
} from "../../mod.ts";
import { Dispatcher } from "../../pubsub/dispatcher.ts";
import { resolveOptions } from "../../pubsub/options.ts";
import { startCluster, startServer, until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

const text = ({ kind, eventType, key }: KeyNotification): string => `${kind} ${eventType} ${key}`;

/** Reads the merged stream until `end` is deleted there. */
async function readAll(notifications: KeyspaceNotificationsInterface): Promise<string[]> {
  const seen: string[] = [];
  for await (const batch of notifications.batches()) {
    seen.push(...batch.map(text));
    if (seen.at(-1)?.endsWith("del end")) break;
  }
  return seen;
}

Deno.test("a subscription to keys takes the events that it names", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url);
  const handled: string[] = [];
  const batches: string[] = [];
  const events = ["expire", "del"] as const;
  await notifications.subscribeKeyspace("*", { events });
  await notifications.subscribeKeyspace("user:*", {
    events: ["set"],
    handler: (one) => handled.push(text(one)),
  });
  await notifications.subscribeKeyspace("user:1", {
    events,
    batchHandler: (batch) => batches.push(...batch.map(text)),
  });
  const commands = [
    ["SET", "user:1", "x"],
    ["APPEND", "user:1", "x"],
    ["EXPIRE", "user:1", "100"],
    ["SET", "other", "x"],
    ["DEL", "user:1"],
    ["SETRANGE", "end", "0", "x"],
    ["DEL", "end"],
  ];
  for (const command of commands) await server.command(...command);
  assertEquals(await readAll(notifications), [
    "keyspace expire user:1",
    "keyspace del user:1",
    "keyspace del end",
  ]);
  assertEquals(handled, ["keyspace set user:1"]);
  assertEquals(batches, ["keyspace expire user:1", "keyspace del user:1"]);
});

Deno.test("a subscription to an event takes the keys that match its glob", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url);
  const byGlob: Record<string, string[]> = {};
  const special = "user:[*]";
  for (const keys of ["user:*", "*1", "user:?", "[uv]*r:2*", escapeGlob(special), ""]) {
    await notifications.subscribeKeyevent("set", {
      keys,
      handler: ({ key }) => (byGlob[keys] ??= []).push(key),
    });
  }
  await notifications.subscribeKeyevent("set", {
    keys: Uint8Array.of(0xff, 0x2a),
    handler: ({ keyBytes }) => (byGlob["bytes"] ??= []).push(String(keyBytes)),
  });
  const written = ["user:1", "user:", "use", "user:22", special, Uint8Array.of(0xff, 1), "", "1"];
  for (const key of written) await server.command("SET", key, "x");
  await notifications.subscribeKeyevent("del");
  await server.command("SET", "end", "x");
  await server.command("DEL", "end");
  await readAll(notifications);
  assertEquals(byGlob, {
    "user:*": ["user:1", "user:", "user:22", special],
    "*1": ["user:1", "1"],
    "user:?": ["user:1"],
    "[uv]*r:2*": ["user:22"],
    [escapeGlob(special)]: [special],
    "": [""],
    bytes: ["255,1"],
  });
});

Deno.test("keys are matched without the prefix of the connection, which may have special characters", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url, { keyPrefix: "app[1]*:" });
  await notifications.subscribeKeyevent("set", { keys: "user:*" });
  await notifications.subscribeKeyevent("del");
  for (const key of ["app[1]*:user:1", "user:2", "app1:user:3", "app[1]*:other", "app[1]*:end"]) {
    await server.command("SET", key, "x");
  }
  await server.command("DEL", "app[1]*:end");
  assertEquals(await readAll(notifications), ["keyevent set user:1", "keyevent del end"]);
});

Deno.test("an event is one item where one of several filters takes it, whichever message comes first", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url);
  const pattern = "__keyspace@0__:user:*";
  await notifications.subscribe(pattern, { events: ["set", "del"] });
  await notifications.subscribe(pattern, { events: ["append", "del"] });
  await notifications.subscribe("__keyspace@0__:*", { events: ["expire", "append", "del"] });
  const exact = await notifications.subscribe("__keyspace@0__:user:1", { events: ["persist"] });
  const act = async () => {
    const key = "user:1";
    for (const words of ["SET x", "APPEND x", "EXPIRE 9", "PERSIST", "SETRANGE 0 x", "DEL"]) {
      const [name, ...rest] = words.split(" ") as [string, ...string[]];
      await server.command(name, key, ...rest);
    }
    await server.command("SET", "end", "x");
    await server.command("DEL", "end");
    return await readAll(notifications);
  };
  const of = (...events: string[]) => events.map((event) => `keyspace ${event}`);
  assertEquals(
    await act(),
    of("set user:1", "append user:1", "expire user:1", "persist user:1", "del user:1", "del end"),
  );
  await exact.unsubscribe();
  // Beside one without a filter, a filter takes nothing away.
  await notifications.subscribe(pattern);
  assertEquals(
    await act(),
    of(
      ...["set", "append", "expire", "persist", "setrange", "del"].map((name) => `${name} user:1`),
      "del end",
    ),
  );
});

Deno.test("filters look into the payloads of subkey channels", async () => {
  const messages = [
    ["__subkeyspace@0__:h", "hset|1:a"],
    ["__subkeyspace@0__:h", "hsetx|1:a"],
    ["__subkeyspace@0__:h", "hdel|1:a,2:bb"],
    ["__subkeyevent@0__:hdel", "1:h|1:a"],
    ["__subkeyevent@0__:hdel", "2:h2|1:a"],
    ["__subkeyevent@0__:hdel", "x"],
    ["__subkeyspaceitem@0__:h\na", "hset"],
    ["__subkeyspaceitem@0__:h\na", "hdel"],
    // There the payload is the event as a whole.
    ["__subkeyspaceitem@0__:h\na", "hdel|1:a"],
  ];
  const bulk = (part: string) => `$${part.length}\r\n${part}\r\n`;
  await using server = new FakeServer(([name, channel]) =>
    name === "SUBSCRIBE"
      ? `>3\r\n${bulk("subscribe")}${bulk(channel!)}:1\r\n` +
        messages.filter(([name]) => name === channel).map((parts) =>
          `>3\r\n${["message", ...parts].map(bulk).join("")}`
        ).join("")
      : undefined
  );
  await using notifications = await connect(server.url, { flags: "ignore" });
  const seen: string[] = [];
  const handler = ({ kind, eventType, key, subkeys }: KeyNotification) =>
    seen.push(`${kind} ${eventType} ${key} ${subkeys}`);
  const events = ["hdel"];
  await notifications.subscribeSubkeyspace("h", { events, handler });
  await notifications.subscribeSubkeyspaceitem("h", "a", { events, handler });
  await notifications.subscribeSubkeyevent("hdel", { keys: "h?", handler });
  await until("all have come", () => notifications.status().nodes[0]!.messages === 9);
  assertEquals(seen, [
    "subkeyspace hdel h a,bb",
    "subkeyspaceitem hdel h a",
    "subkeyevent hdel h2 a",
  ]);
});

Deno.test("a glob of keys may be as long as a key", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url, { keyPrefix: "p".repeat(200_000) });
  await notifications.subscribeKeyevent("set", { keys: "x".repeat(200_000) + "*" });
  const key = "x".repeat(200_001);
  await server.command("SET", "p".repeat(200_000) + key, "");
  assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.key, key);
});

Deno.test("in a cluster filters apply to each node", async () => {
  await using cluster = await startCluster({ ...TALKATIVE, primaries: 3 });
  await using notifications = await connect(cluster.urls);
  await notifications.subscribeKeyspace("*", { events: ["set", "expire"] });
  const keys = Array.from({ length: 20 }, (_, n) => `k${n}`);
  for (const key of keys) {
    for (const words of ["APPEND x", "EXPIRE 100", "SET y"]) {
      const [name, ...rest] = words.split(" ") as [string, ...string[]];
      await (await cluster.ownerOf(key)).command(name, key, ...rest);
    }
  }
  const seen: string[] = [];
  for await (const batch of notifications.batches()) {
    seen.push(...batch.map(({ eventType, key }) => `${eventType} ${key}`));
    if (seen.length >= 2 * keys.length) break;
  }
  const expected = keys.flatMap((key) => [`expire ${key}`, `set ${key}`]);
  assertEquals(seen.sort(), expected.sort());
});

Deno.test("an event of a filter that never fires is warned of", async () => {
  await using server = await startServer(TALKATIVE);
  const warnings: string[] = [];
  await using notifications = await connect(server.url, {
    onWarning: (message) => warnings.push(message),
  });
  await notifications.subscribeKeyspace("*", { events: ["incr", "set"] });
  assertEquals(warnings.map((message) => /^The event "incr" never fires.*incrby/.test(message)), [
    true,
  ]);
});

Deno.test("messages of channels without a filter are delivered as if there were none", async () => {
  const settings = resolveOptions({}, {});
  const dispatcher = new Dispatcher(() => "", settings, {
    subscribe: (_channels, _checked, admit) => Promise.resolve((admit(), [])),
    reconcile: () => Promise.resolve(),
  });
  await dispatcher.subscribe([KeyspaceChannel.prefix("a")], { events: ["set"], handler() {} });
  let keys = "";
  const options = { handler: ({ key }: KeyNotification) => keys += key };
  await dispatcher.subscribe([KeyspaceChannel.prefix("b")], options);
  const subscribers: unknown[] = [];
  const bytes = new TextEncoder().encode("__keyspace@0__:b*__keyspace@0__:b1del");
  const frame = { patternStart: 0, patternEnd: 17, channelStart: 17, channelEnd: 34 };
  const deduplicator = { isNewEvent: (found: unknown) => subscribers.push(found), reset() {} };
  for (let message = 0; message < 2; message++) {
    dispatcher.deliver({ bytes, ...frame, payloadStart: 34, payloadEnd: 37 }, {
      receivedAt: 0,
      sentAfter: 0,
      deduplicator: deduplicator as never,
      gate: null,
    });
  }
  assertEquals(keys, "b1b1");
  // Nothing was made for the message.
  assertEquals(subscribers[0] === subscribers[1], true);
});

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: the flags must let one of the events of a filter through`, async () => {
    await using server = await startServer({ config: { "notify-keyspace-events": "Kg$" } });
    await using notifications = await connect(server.url, { protocol });
    // Each subscription is checked by what it takes itself.
    const [expired, all, some] = await Promise.allSettled([
      notifications.subscribeKeyspace("user:*", { events: ["expired"] }),
      notifications.subscribeKeyspace("user:*"),
      notifications.subscribeKeyspace("user:*", { events: ["expired", "set"] }),
    ]);
    assertEquals([all.status, some.status], ["fulfilled", "fulfilled"]);
    const { reason } = expired as PromiseRejectedResult;
    assertEquals([reason instanceof MissingFlagsError, reason.missing], [true, "x"]);
    assertStringIncludes(reason.message, '"__keyspace@0__:user:*" (events: expired) from');
  });
}

Deno.test("the flags that the events of a filter need are added, in clusters too", async () => {
  const config = { "notify-keyspace-events": "Kg" };
  await using server = await startServer({ config });
  await using cluster = await startCluster({ config, primaries: 3 });
  const owner = await cluster.ownerOf("user:1");
  for (const [target, node] of [[server.url, server], [cluster.urls, owner]] as const) {
    await using notifications = typeof target === "string"
      ? await connect(target, { flags: "merge" })
      : await connect(target, { flags: "merge" });
    await notifications.subscribeKeyspace("user:*", { events: ["expired"] });
    const [, flags] = await node.command("CONFIG", "GET", "notify-keyspace-events") as string[];
    assertEquals([...flags!].sort().join(""), "Kgx");
  }
});

Deno.test("a server whose flags no longer let the events of a filter through is degraded", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "Kgx" } });
  const errors: unknown[] = [];
  await using notifications = await connect(server.url, {
    heartbeat: { interval: 50 },
    onError: (error) => errors.push(error),
  });
  const events = ["expired"];
  const held = await notifications.subscribeKeyspace("user:*", { events });
  events[0] = "set";
  await server.command("CONFIG", "SET", "notify-keyspace-events", "Kg");
  await until("it is noticed", () => errors.length > 0);
  assertStringIncludes((errors[0] as Error).message, "(events: expired)");
  assertEquals(notifications.status().nodes[0]!.state, "degraded");
  // The channel itself can receive.
  await notifications.subscribeKeyspace("user:*");
  await held.unsubscribe();
  await until("it is ready", () => notifications.status().nodes[0]!.state === "ready");
});

const WRONG: [options: unknown, channel: string | KeyspaceChannel, message: string][] = [
  [{ events: ["set"] }, "__keyevent@0__:*", "for channels that name keys and not events"],
  [{ events: ["hset"] }, "__subkeyspaceevent@0__:hset|h", "name keys and not events"],
  [{ keys: "a*" }, KeyspaceChannel.prefix("a"), "for channels that name events and not keys"],
  [{ keys: "a*" }, "__subkeyspaceevent@0__:hset|h", "name events and not keys"],
  [{ events: ["set"], keys: "a*" }, "__keyspace@0__:*", "name events and not keys"],
  [{ events: ["set"] }, "__key*@0__:*", "name keys and not events"],
  [{ events: [] }, "__keyspace@0__:*", "events is not a list"],
  [{ events: "set" }, "__keyspace@0__:*", "events is not a list"],
  [{ events: [""] }, "__keyspace@0__:*", "events is not a list"],
  [{ events: ["set", "h*"] }, "__keyspace@0__:*", 'events contains "h*", which is a pattern'],
  [{ keys: 1 }, "__keyevent@0__:set", "keys is neither text nor bytes"],
];

Deno.test("a filter that is wrong, or does not fit its channels, is a TypeError", async () => {
  await using server = new FakeServer(() => undefined);
  await using notifications = await connect(server.url, { flags: "ignore" });
  for (const [options, channel, message] of WRONG) {
    await assertRejects(
      () => notifications.subscribe(channel, options as SubscribeOptions),
      TypeError,
      message,
    );
  }
  assertEquals(notifications.subscribed, false);
});
