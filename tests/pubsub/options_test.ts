import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  AuthError,
  ClusterKeyspaceNotifications,
  type ClusterOptions,
  connect,
  ConnectError,
  type ConnectOptions,
  type Gap,
  KeyspaceNotifications,
  type StreamItem,
  type SubscribeOptions,
  type TcpAddress,
} from "../../mod.ts";
import { open } from "../../pubsub/connection/mod.ts";
import { RespLimitError } from "../../resp/mod.ts";
import { falseBytes } from "../false_bytes.ts";
import { startServer, until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

const REFUSED: [name: string, options: unknown, says?: string][] = [
  ["username", { username: 5, password: "pw" }],
  ["password", { password: 12345 }],
  ["credentials", { credentials: "pw" }],
  ["credentials", { credentials: {} }],
  ["credentials", { credentials: null }],
  ["protocol", { protocol: 4 }],
  ["clientName", { clientName: "two words" }],
  ["clientName", { clientName: 5 }],
  ["timeout", { timeout: 0 }],
  ["timeout", { timeout: Number.NaN }],
  ["timeout", { timeout: 2 ** 31 }],
  ["timeout", { timeout: "5s" }],
  ["timeout", { timeout: "500" }],
  ["signal", { signal: true }],
  ["signal", { signal: {} }],
  ["signal", { signal: null }],
  ["tls", { tls: true }],
  ["tls", { tls: {} }, "tls without TLS"],
  ["dial", { dial: "tcp" }],
  ["keyPrefix", { keyPrefix: 5 }],
  ["heartbeat", { heartbeat: 1000 }],
  ["heartbeat.interval", { heartbeat: { interval: 0 } }],
  ["heartbeat.interval", { heartbeat: { interval: "15000" } }],
  ["heartbeat.timeout", { heartbeat: { timeout: -1 } }],
  ["heartbeat.busyInterval", { heartbeat: { busyInterval: 0 } }],
  ["heartbeat.busyInterval", { heartbeat: { busyInterval: "100" } }],
  ["heartbeat.busyInterval", { heartbeat: { busyInterval: Infinity } }],
  ["maxAttempts", { maxAttempts: -1 }],
  ["maxAttempts", { maxAttempts: "3" }],
  ["maxConnecting", { maxConnecting: 0 }],
  ["maxConnecting", { maxConnecting: Number.NaN }],
  ["maxConnecting", { maxConnecting: "10" }],
  ["flags", { flags: "please" }],
  ["queue", { queue: 1000 }],
  ["queue.items", { queue: { items: 0 } }],
  ["queue.bytes", { queue: { bytes: "1000" } }],
  ["queue.overflow", { queue: { overflow: "block" } }],
  ["limits", { limits: null }],
  ["onError", { onError: "log" }],
  ["onWarning", { onWarning: {} }],
  ["onGap", { onGap: 1 }],
  ["flushes", { flushes: "yes" }],
  ["onFlush", { flushes: true, onFlush: [] }],
  ["onFlush", { onFlush() {} }, "the option onFlush with flushes: false"],
  ["standby", { standby: 1 }],
  ["onRolledBack", { standby: true, onRolledBack: {} }],
  ["onRolledBack", { onRolledBack() {} }, "the option onRolledBack with standby: false"],
  ["onStatus", { onStatus: null }],
  ["singleNode", { singleNode: "no" }],
  // Those that only clusters have, too, before there is one.
  ["refreshInterval", { refreshInterval: 0 }],
  ["refreshInterval", { refreshInterval: "5000" }],
  ["maxNodes", { maxNodes: 0 }],
  ["maxNodes", { maxNodes: null }],
  ["maxNodes", { maxNodes: "1000" }],
  ["migrations", { migrations: "show" }],
  ["addressMap", { addressMap: {} }],
  ["options", null, "Cannot use the options: null is not an object"],
  ["options", "12345", "Cannot use the options: a value of type string is not an object"],
];

for (const [name, options, says = `the option ${name}`] of REFUSED) {
  Deno.test(`the option ${name} is refused: ${JSON.stringify(options)}`, async () => {
    const error = await assertRejects(
      () => connect("redis://127.0.0.1:1", options as ConnectOptions),
      TypeError,
      says,
    );
    assertEquals(error.message.includes("12345"), false, "no password is repeated");
  });
}

Deno.test("options that are not object are refused by each way to connect", async () => {
  const sentinels = { sentinels: ["redis://127.0.0.1:1"], name: "mymaster" };
  for (const options of [null, 5] as unknown as ConnectOptions[]) {
    for (const target of ["redis://127.0.0.1:1", sentinels]) {
      const calls = [
        () => connect(target, options),
        () => KeyspaceNotifications.connect(target, options),
      ];
      for (const call of calls) await assertRejects(call, TypeError, "is not an object");
    }
  }
});

Deno.test("a prefix whose bytes are gone, or are not as many as they say, is refused", async () => {
  for (const [what, keyPrefix] of Object.entries(falseBytes())) {
    const call = () => connect("redis://127.0.0.1:1", { keyPrefix });
    await assertRejects(call, TypeError, "the option keyPrefix", what);
  }
});

for (const name of ["maxBulkLength", "maxHeldBytes", "maxElements", "maxDepth", "maxLineLength"]) {
  Deno.test(`the limit ${name} is refused before anything is connected to`, async () => {
    const dial = () => Promise.reject(new Error("not to be connected to"));
    await assertRejects(
      () => connect("redis://127.0.0.1:1", { dial, limits: { [name]: 0 } }),
      RangeError,
      name,
    );
  });
}

Deno.test("options that are undefined are left out", async () => {
  await using server = new FakeServer(() => undefined);
  const nothing = {
    interval: undefined,
    timeout: undefined,
    items: undefined,
    maxDepth: undefined,
  };
  const options: Record<keyof ConnectOptions, unknown> = {
    username: undefined,
    password: undefined,
    credentials: undefined,
    protocol: undefined,
    clientName: undefined,
    timeout: undefined,
    signal: undefined,
    tls: undefined,
    dial: undefined,
    keyPrefix: undefined,
    heartbeat: nothing,
    maxAttempts: undefined,
    maxConnecting: undefined,
    waitOnFirstConnect: undefined,
    flags: undefined,
    queue: nothing,
    limits: nothing,
    singleNode: undefined,
    addressMap: undefined,
    onError: undefined,
    onWarning: undefined,
    onGap: undefined,
    flushes: undefined,
    onFlush: undefined,
    standby: undefined,
    onRolledBack: undefined,
    quiet: undefined,
    debug: undefined,
    onStatus: undefined,
  };
  await using notifications = await connect(server.url, options as ConnectOptions);
  await notifications.subscribeKeyspace("k");
  assertEquals(notifications.health().ok, true);
});

/** Options that do not exist, and what the error says of each. */
const UNKNOWN: [options: object, says: string][] = [
  [{ onGapp: () => {} }, "the option onGapp: it is unknown; did you mean onGap?"],
  [{ database: 2 }, "the address says that"],
  [{ refreshIntervall: 5 }, "did you mean refreshInterval?"],
  [{ queue: { size: 5 } }, "the option queue.size: it is unknown; write queue.items"],
  [{ queue: { itmes: 5 } }, "did you mean queue.items?"],
  [{ heartbeat: { intervall: 5 } }, "did you mean heartbeat.interval?"],
  [{ limits: { maxDeepness: 5 } }, "the option limits.maxDeepness"],
  [{ tls: { rejectUnauthorized: false } }, "name the CA that signed it in tls.ca"],
  [{ tls: { certificate: "" } }, "the options are tls.ca, tls.cert, tls.key, tls.serverName"],
];

for (const [options, says] of UNKNOWN) {
  Deno.test(`an option that does not exist is rejected: ${Deno.inspect(options)}`, async () => {
    for (const target of ["redis://127.0.0.1:1", ["redis://127.0.0.1:1", "redis://127.0.0.1:2"]]) {
      await assertRejects(() => connect(target, options), TypeError, says);
    }
  });
}

Deno.test("an option of one connection that does not exist is rejected", async () => {
  const options = { onMesage() {}, heartbeat: { timeout: 5 } };
  const url = "redis://127.0.0.1:1";
  await assertRejects(() => open(url, options as object), TypeError, "did you mean onMessage?");
  const { heartbeat } = options;
  await assertRejects(() => open(url, { heartbeat } as object), TypeError, "heartbeat.timeout");
});

Deno.test("an option of a subscription, a loop, a wait or sentinels that does not exist is rejected", async () => {
  await using server = new FakeServer(() => undefined);
  await using notifications = await connect(server.url);
  const wrong = { handlr() {}, gap: true, timout: 5 } as object;
  const { subscribed } = notifications;
  const both = [
    () => notifications.subscribe("__keyspace@0__:a", wrong as SubscribeOptions),
    () => notifications.subscribeKeyspace("a", wrong),
  ];
  for (const subscribe of both) {
    await assertRejects(
      subscribe,
      TypeError,
      "option handlr: it is unknown; did you mean handler?",
    );
  }
  assertEquals(notifications.subscribed, subscribed);
  assertThrows(
    () => notifications.listen(wrong),
    TypeError,
    "are gaps, flushes, rolledBack, signal",
  );
  assertThrows(
    () => notifications.batches(wrong),
    TypeError,
    "are gaps, flushes, rolledBack, signal",
  );
  await assertRejects(() => notifications.getMessage(wrong), TypeError, "are timeout, signal");
  const target = { sentinels: ["redis://127.0.0.1:1"], name: "mymaster", db: 2 };
  await assertRejects(() => connect(target), TypeError, "name, database, tls");
});

/** What an option that has no effect is refused with, by what is connected to. */
const USELESS: [what: string, connecting: () => Promise<unknown>, says: string][] = [];
const clusterOnly: ClusterOptions[] = [
  { refreshInterval: 1_000 },
  { maxNodes: 5 },
  { migrations: "hide" },
];
const SENTINELS = { sentinels: ["redis://127.0.0.1:1"], name: "mymaster" };
const URL_OF_NONE = "redis://127.0.0.1:1";
for (const options of clusterOnly) {
  const [name] = Object.keys(options);
  const one = "with a single server: it is for clusters or sentinels";
  USELESS.push(
    [
      `${name} with a single server`,
      () => KeyspaceNotifications.connect(URL_OF_NONE, options),
      one,
    ],
    [`${name} and singleNode`, () => connect(URL_OF_NONE, { ...options, singleNode: true }), one],
    [`${name} with sentinels`, () => connect(SENTINELS, options), "with sentinels: it is for"],
  );
}
const addressMap = (address: TcpAddress) => address;
USELESS.push(
  [
    "addressMap with a single server",
    () => KeyspaceNotifications.connect(URL_OF_NONE, { addressMap }),
    "the option addressMap with a single server",
  ],
  [
    "addressMap and singleNode",
    () => connect(URL_OF_NONE, { addressMap, singleNode: true }),
    "the option addressMap with a single server",
  ],
  [
    "singleNode with sentinels",
    () => connect(SENTINELS, { singleNode: true }),
    "the option singleNode with sentinels",
  ],
  [
    "singleNode with several URLs",
    () => connect([URL_OF_NONE, URL_OF_NONE], { singleNode: true }),
    "the option singleNode with several URLs",
  ],
  [
    "maxAttempts with several URLs",
    () => connect([URL_OF_NONE, URL_OF_NONE], { maxAttempts: 3 }),
    "the option maxAttempts with a cluster",
  ],
  [
    "maxAttempts with a cluster",
    () => ClusterKeyspaceNotifications.connect([URL_OF_NONE], { maxAttempts: 0 }),
    "the option maxAttempts with a cluster",
  ],
  [
    "standby with a single server",
    () => KeyspaceNotifications.connect(URL_OF_NONE, { standby: true }),
    "the option standby with a single server",
  ],
  [
    "onRolledBack with several URLs",
    () => connect([URL_OF_NONE, URL_OF_NONE], { standby: true, onRolledBack() {} }),
    "the option onRolledBack with a cluster",
  ],
  [
    "standby without fences",
    () => connect([URL_OF_NONE, URL_OF_NONE], { standby: true, migrations: "deliver" }),
    'the option standby with migrations: "deliver"',
  ],
);

for (const [what, connecting, says] of USELESS) {
  Deno.test(`an option without an effect is refused before anything is connected to: ${what}`, async () => {
    await assertRejects(connecting, TypeError, says);
  });
}

Deno.test("options that matter only in a cluster are taken where one may be found", async () => {
  await using server = new FakeServer(() => undefined);
  for (const options of [...clusterOnly, { addressMap }]) {
    await using notifications = await connect(server.url, options);
    assertEquals(notifications.health().ok, true);
  }
});

Deno.test("standby is refused once one URL proves to be of a single server", async () => {
  await using server = new FakeServer(() => undefined);
  await assertRejects(
    () => connect(server.url, { standby: true }),
    TypeError,
    "the option standby with a single server",
  );
});

Deno.test("maxAttempts is refused once the server of one URL proves to be a node of a cluster", async () => {
  await using server = new FakeServer(([name]) =>
    name === "HELLO"
      ? "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$4\r\nmode\r\n$7\r\ncluster\r\n"
      : undefined
  );
  const error = () => connect(server.url, { maxAttempts: 5 });
  await assertRejects(error, TypeError, "the option maxAttempts with a cluster");
});

Deno.test("a user without a password is refused before anything is sent", async () => {
  await assertRejects(() => connect("redis://bo@127.0.0.1:1"), TypeError, "no password");
});

Deno.test("a credentials function that gives no password is an error of its own", async () => {
  await using server = new FakeServer(() => undefined);
  for (const given of ["pw", {}, { password: 5 }, null]) {
    const credentials = () => Promise.resolve(given as unknown as { password: string });
    await assertRejects(
      () => connect(server.url, { credentials }),
      AuthError,
      "it returned no password",
    );
  }
  // To be nobody is not an error: the server says whether it minds.
  const nobody = () => Promise.resolve(undefined as unknown as { password: string });
  await using notifications = await connect(server.url, { credentials: nobody });
  assertEquals(notifications.health().ok, true);
  assertEquals(server.commands.includes("HELLO 3 SETNAME keywatch"), true);
});

/** What breaks each limit, as a value that a server pushes. */
const TOO_MUCH: Record<string, [limit: number, pushed: string]> = {
  maxBulkLength: [100, `>3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$101\r\n`],
  maxElements: [100, ">101\r\n"],
  maxDepth: [4, ">1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"],
  maxHeldBytes: [4_000, `>100\r\n${"$20\r\n01234567890123456789\r\n".repeat(60)}`],
  maxLineLength: [64, `>1\r\n+${"x".repeat(70)}`],
};

for (const [name, [most, pushed]] of Object.entries(TOO_MUCH)) {
  Deno.test(`more than ${name} allows ends the connection, with the place where it stood`, async () => {
    await using server = new FakeServer(([name]) =>
      name === "CONFIG"
        ? `%1\r\n$22\r\nnotify-keyspace-events\r\n$3\r\nAKE\r\n${pushed}`
        : undefined
    );
    await using notifications = await connect(server.url, {
      limits: { [name]: most },
      maxAttempts: 0,
    });
    const error = await assertRejects(() => notifications.subscribeKeyspace("k"), ConnectError);
    assertStringIncludes(error.message, name);
    assert(error.cause instanceof RespLimitError);
    assertEquals([error.cause.limit, error.cause.value], [name, most]);
    assertStringIncludes(error.message, `byte ${error.cause.offset}`);
  });
}

Deno.test("with drop-newest the queue keeps what came first, and the gap comes after it", async () => {
  const { items, gaps } = await overflow({ items: 4, overflow: "drop-newest" }, 10);
  assertEquals(items, ["k:0", "k:1", "k:2", "k:3", "gap 6"]);
  assertEquals(gaps.map(({ reason, dropped }) => [reason, dropped]), [["overflow", 6]]);
});

Deno.test("a queue is bounded in bytes too", async () => {
  // `__keyspace@0__:k:0` and `set`.
  const { items } = await overflow({ bytes: 4 * (18 + 3) }, 10);
  assertEquals(items, ["gap 6", "k:6", "k:7", "k:8", "k:9"]);
});

/** What is read when it was not while so many keys were set. */
async function overflow(
  queue: NonNullable<ConnectOptions["queue"]>,
  count: number,
): Promise<{ items: string[]; gaps: Gap[] }> {
  await using server = await startServer(TALKATIVE);
  const gaps: Gap[] = [];
  await using notifications = await connect(server.url, { queue, onGap: (gap) => gaps.push(gap) });
  await notifications.subscribeKeyspace("k:*");
  for (let n = 0; n < count; n++) await server.command("SET", `k:${n}`, "x");
  await until("all have come", () => notifications.status().nodes[0]!.messages === count);
  const items: string[] = [];
  const loop: AsyncIterator<StreamItem> = notifications.listen({ gaps: true });
  // The gap, and what is left.
  for (let left = notifications.status().queued + 1; left > 0; left--) {
    const { value } = await loop.next();
    items.push(value.kind === "gap" ? `gap ${value.dropped}` : value.key);
  }
  await loop.return?.();
  return { items, gaps };
}

Deno.test("a prefix of any bytes is taken off keys of any bytes", async () => {
  await using server = await startServer(TALKATIVE);
  const keyPrefix = Uint8Array.of(0xff, 0x3a);
  await using notifications = await connect(server.url, { keyPrefix });
  const given = keyPrefix.slice();
  // What becomes of the bytes that were given does not change the prefix.
  structuredClone(keyPrefix.buffer, { transfer: [keyPrefix.buffer] });
  await notifications.subscribeKeyevent("set");
  await server.command("SET", Uint8Array.of(0xfe, 0x3a, 1), "x");
  await server.command("SET", Uint8Array.of(...given, 1), "x");
  const notification = await notifications.getMessage({ timeout: 20_000 });
  assertEquals(notification?.keyBytes, Uint8Array.of(1));
});

Deno.test("onStatus is informed of each state, and status() agrees with what it is reported", async () => {
  await using server = await startServer(TALKATIVE);
  const states: string[] = [];
  const notifications = await connect(server.url, {
    onStatus: ({ state, nodes }) => states.push(`${state}: ${nodes[0]!.state}`),
  });
  await notifications.subscribeKeyspace("k");
  await server.command("CLIENT", "KILL", "TYPE", "pubsub");
  await until("it is back", () => notifications.status().gaps === 1);
  await notifications.close();
  assertEquals(states, [
    "ready: ready",
    "incomplete: reconnecting",
    "ready: ready",
    "closed: closed",
  ]);
});
