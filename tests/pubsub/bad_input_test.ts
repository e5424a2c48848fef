import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  AuthError,
  connect,
  ConnectError,
  type Dial,
  KeyspaceNotifications,
  MissingFlagsError,
  SubscribeRefusedError,
  TimeoutError,
  type Transport,
} from "../../mod.ts";
import { freePort, startServer, until } from "../servers/mod.ts";
import { falseBytes } from "../false_bytes.ts";
import { FakeServer } from "./fake_server.ts";
import { answer, Peer, swallow } from "./peer.ts";

type Class<E> = new (...args: never[]) => E;

/** Connecting fails with this error, whose message names the server and says these things. */
async function refuses<E extends Error>(
  url: string,
  error: Class<E>,
  says: readonly string[],
  options: Parameters<typeof connect>[1] = {},
): Promise<E> {
  const thrown = await assertRejects(
    () => connect(url, options),
    error as unknown as new (...args: unknown[]) => E,
  );
  assertEquals(thrown.name, error.name);
  for (const words of [new URL(url).host, ...says]) assertStringIncludes(thrown.message, words);
  return thrown;
}

Deno.test("no server there", async () => {
  const url = `redis://127.0.0.1:${freePort()}`;
  const { cause } = await refuses(url, ConnectError, ["check that a server listens there"]);
  assert(cause instanceof Error);
});

Deno.test("no such host", async () => {
  await refuses("redis://no-such-host.invalid:6379", ConnectError, ["Cannot connect"]);
});

Deno.test("an HTTP server", async () => {
  await using peer = new Peer(answer("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
  const { cause } = await refuses(peer.url, ConnectError, [
    "byte 0",
    "check that a Redis server listens there",
  ]);
  assertEquals((cause as Error).name, "RespSyntaxError");
  await until("it comes about", () => peer.connections === 0);
});

Deno.test("a server that accepts and says nothing", async () => {
  await using peer = new Peer(swallow);
  const error = await refuses(peer.url, TimeoutError, ["no answer to HELLO within 100 ms"], {
    timeout: 100,
  });
  assertEquals(error.timeout, 100);
  await until("it comes about", () => peer.connections === 0);
});

Deno.test("a server that closes at once", async () => {
  await using peer = new Peer(() => Promise.resolve());
  await refuses(peer.url, ConnectError, ["check that a Redis server listens there"]);
});

Deno.test("a server that greets before it is asked", async () => {
  await using peer = new Peer(async (connection) => {
    await connection.write(new TextEncoder().encode("+hello\r\n+world\r\n"));
    await swallow(connection);
  });
  await refuses(peer.url, ConnectError, []);
});

Deno.test("a server that answers HELLO with something else", async () => {
  await using peer = new Peer(answer("+OK\r\n"));
  await refuses(peer.url, ConnectError, ["it answers HELLO in RESP2"], { protocol: 3 });
  await refuses(peer.url, TimeoutError, ["no answer to CLIENT"], { timeout: 100 });
});

Deno.test("a dial that never ends is given up at the deadline", async () => {
  let given: AbortSignal | undefined;
  await refuses("redis://127.0.0.1:6379", TimeoutError, ["nothing answered within 50 ms"], {
    timeout: 50,
    dial: (_address, { signal }) => {
      given = signal;
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason))
      );
    },
  });
  assertEquals(given?.aborted, true);
});

Deno.test("a dial that gives no transport", async () => {
  for (const given of [undefined, {}, { read: () => Promise.resolve(null), write() {} }]) {
    const dial = () => given as unknown as ReturnType<Dial>;
    await refuses("redis://127.0.0.1:6379", ConnectError, ["The connection to 127.0.0.1:6379"], {
      dial,
    });
  }
});

Deno.test("a transport that throws where it should reject, and when it is closed", async () => {
  const fail = (what: string) => () => {
    throw new Error(`cannot ${what}`);
  };
  const transport: Transport = {
    read: () => new Promise(() => {}),
    write: fail("write"),
    close: fail("close"),
  };
  await refuses("redis://127.0.0.1:6379", ConnectError, ["could not be written to: cannot write"], {
    dial: () => Promise.resolve(transport),
  });
});

Deno.test("a transport that gives no bytes, or bytes that are gone", async () => {
  const gone = new Uint8Array([43]);
  structuredClone(gone, { transfer: [gone.buffer] });
  for (const chunk of [new Uint8Array(), gone]) {
    const transport: Transport = {
      read: () => Promise.resolve(chunk),
      write: () => Promise.resolve(),
      close() {},
    };
    await refuses("redis://127.0.0.1:6379", ConnectError, ["gave a chunk without bytes"], {
      dial: () => Promise.resolve(transport),
    });
  }
});

Deno.test("what is not a channel, no signal or no time is a rejection that says so", async () => {
  await using server = new FakeServer(() => undefined);
  await using notifications = await connect(server.url);
  // As plain JavaScript may call it.
  // deno-lint-ignore no-explicit-any
  const one: any = notifications;
  const channels = "argument 0 is neither a channel nor text nor bytes";
  const wrong: [says: string, call: () => Promise<unknown>][] = [
    ["Cannot unsubscribe: " + channels, () => one.unsubscribe(undefined)],
    ["unsubscribe(...channels)", () => one.unsubscribe(["k"])],
    ["a handler as an option", () => one.subscribeKeyspace("k", () => {})],
    ["Cannot take undefined for text or bytes", () => one.subscribeKeyspace()],
    ["the option as", () => one.subscribeKeyspace("k", { as: "glob" })],
    ["the option db with subscribe", () => one.subscribe("__keyspace@0__:k", { db: 1 })],
    ["the option as with subscribe", () => one.subscribe("__keyspace@0__:k", { as: "prefix" })],
    ["handler is not a function", () => one.subscribeKeyspace("k", { handler: 1 })],
    ["the option timeout", () => one.getMessage({ timeout: "5" })],
    ["the option timeout", () => one.getMessage({ timeout: Number.NaN })],
    ["the option signal", () => one.getMessage({ timeout: 1, signal: {} })],
    ["the option signal", async () => await one.listen({ signal: {} }).next()],
  ];
  for (const [says, call] of wrong) await assertRejects(call, TypeError, says);
  for (const db of [-1, 0.5, "1"]) {
    await assertRejects(() => one.subscribeKeyspace("k", { db }), RangeError, "db is the");
  }
});

Deno.test("where a server does not say what it is, an error advises any letter", async () => {
  // This one says no version.
  await using server = new FakeServer(([name]) =>
    name === "CONFIG" ? "%1\r\n$22\r\nnotify-keyspace-events\r\n$0\r\n\r\n" : undefined
  );
  await using notifications = await connect(server.url);
  const cases: [channel: string, says: string][] = [
    ["__subkeyspace@0__:h", "CONFIG SET notify-keyspace-events 'hS'"],
    ["__keyevent@0__:overwritten", "'oE'"],
    ["__keyevent@0__:new", "CONFIG SET notify-keyspace-events 'nE'"],
  ];
  for (const [channel, says] of cases) {
    await assertRejects(() => notifications.subscribe(channel), MissingFlagsError, says);
  }
});

Deno.test("bytes that are gone, or are not as many as they say, are refused with their place", async () => {
  const commands: string[] = [];
  await using server = new FakeServer(([name]) => void commands.push(name!));
  await using notifications = await connect(server.url, { flags: "ignore" });
  commands.length = 0;
  for (const [what, value] of Object.entries(falseBytes())) {
    for (const args of [[value], [value, {}]] as [Uint8Array][]) {
      await assertRejects(
        () => notifications.subscribe("__keyspace@0__:k", ...args),
        TypeError,
        "argument 1 ",
        what,
      );
    }
    await assertRejects(() => notifications.unsubscribe("k", value), TypeError, "argument 1 ");
    await assertRejects(() => notifications.subscribeKeyspace(value), TypeError, "argument 0");
    await assertRejects(
      () => notifications.subscribeSubkeyspaceitem("k", value),
      TypeError,
      "argument 1",
      what,
    );
  }
  assertEquals(commands, []);
});

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: a wrong password, and none where one is desired`, async () => {
    await using server = await startServer({ password: "secret" });
    const wrong = { protocol, password: "wrong" };
    // Servers end this with a full stop.
    const words = ['as user "default": WRONGPASS', "is disabled; check the URL"];
    await refuses(server.url, AuthError, words, wrong);
    await refuses(server.url, AuthError, ["none was given"], { protocol });
    const right = await connect(`redis://:secret@127.0.0.1:${server.port}`, { protocol });
    await right.close();
  });

  Deno.test(`RESP${protocol}: a user and password`, async () => {
    await using server = await startServer({ acl: ["bo on >pw ~* &* +@all"] });
    const notifications = await connect(server.url, { protocol, username: "bo", password: "pw" });
    assertStringIncludes(String(await server.command("CLIENT", "LIST")), "user=bo");
    await notifications.close();
    await refuses(server.url, AuthError, ['as user "bo"', "WRONGPASS"], {
      protocol,
      username: "bo",
      password: "no",
    });
  });

  Deno.test(`RESP${protocol}: a user who may not subscribe spoils no other channel`, async () => {
    await using server = await startServer({
      config: { "notify-keyspace-events": "KEA" },
      acl: ["bo on >pw ~* resetchannels &__keyspace@0__:mine:* +@all"],
    });
    await using notifications = await connect(server.url, {
      protocol,
      username: "bo",
      password: "pw",
    });
    const error = await assertRejects(
      () =>
        notifications.subscribe(
          "__keyspace@0__:mine:1",
          "__keyspace@0__:theirs",
          "__keyspace@0__:mine:2",
          "__keyspace@0__:mine:*",
          "__keyspace@0__:their*",
        ),
      SubscribeRefusedError,
      "ACL SETUSER",
    );
    assertEquals(
      error.refused.map(({ channel, server }) => [String(channel), server]),
      [
        ["__keyspace@0__:theirs", notifications.status().nodes[0]!.node],
        ["__keyspace@0__:their*", notifications.status().nodes[0]!.node],
      ],
    );
    assertEquals((error.refused[0]!.error as Error & { code: string }).code, "NOPERM");
    assertEquals(notifications.status().nodes[0]!.subscriptions.toSorted(), [
      "__keyspace@0__:mine:*",
      "__keyspace@0__:mine:1",
      "__keyspace@0__:mine:2",
    ]);
    // It may be given the right later, and asked for again.
    await server.command("ACL", "SETUSER", "bo", "&__keyspace@0__:theirs");
    await notifications.subscribe("__keyspace@0__:theirs");
  });
}

Deno.test("a server that knows no HELLO is spoken to in RESP2", async () => {
  await using server = await startServer({
    password: "secret",
    config: { "rename-command": 'HELLO ""', "notify-keyspace-events": "KEA" },
  });
  const url = `redis://:secret@127.0.0.1:${server.port}`;
  await using notifications = await connect(url);
  const [node] = notifications.status().nodes;
  assertEquals(
    [node!.protocol, node!.software, node!.version, node!.role],
    [2, server.binary.product, server.binary.version, "primary"],
  );
  await notifications.subscribeKeyspace("k");
  await server.command("SET", "k", "x");
  assertEquals((await notifications.getMessage({ timeout: 10_000 }))?.eventType, "set");
  await refuses(url, ConnectError, ["Cannot speak RESP3", "unknown command"], { protocol: 3 });
});

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: a server whose notify-keyspace-events is empty`, async () => {
    await using server = await startServer();
    await using notifications = await connect(server.url, { protocol });
    const error = await assertRejects(
      () => notifications.subscribeKeyspace("user:*"),
      MissingFlagsError,
    );
    assertEquals(
      [error.code, error.server, error.configured, error.missing, error.command],
      [
        "FLAGS_MISSING",
        `127.0.0.1:${server.port}`,
        "",
        "AK",
        "CONFIG SET notify-keyspace-events 'AK'",
      ],
    );
    assertStringIncludes(error.message, "CONFIG SET notify-keyspace-events 'AK'");
    assertEquals(notifications.subscribed, false);
    // Once it is fixed the same object can go on; also while it holds another subscription.
    await server.command("CONFIG", "SET", "notify-keyspace-events", "Ex");
    await notifications.subscribeKeyevent("expired");
    await assertRejects(() => notifications.subscribeKeyevent("set"), MissingFlagsError, '"$"');
    await server.command("CONFIG", "SET", "notify-keyspace-events", "KEA");
    await notifications.subscribeKeyevent("set");
    assertEquals(notifications.status().nodes[0]!.flags, "AKE");
  });
}

Deno.test("missing flags can be made a warning, or no matter", async () => {
  await using server = await startServer();
  const warnings: string[] = [];
  const onWarning = (message: string) => warnings.push(message);
  await using warned = await connect(server.url, { flags: "warn", onWarning });
  await warned.subscribeKeyevent("set");
  assertEquals(warnings.length, 1);
  assertStringIncludes(warnings[0]!, "CONFIG SET notify-keyspace-events '$E'");
  await using ignorant = await connect(server.url, { flags: "ignore", onWarning });
  await ignorant.subscribeKeyevent("set");
  assertEquals(warnings.length, 1);
});

Deno.test("a server that does not tell its flags is trusted, and status says so", async () => {
  await using server = await startServer({
    config: { "notify-keyspace-events": "KEA" },
    acl: ["bo on >pw ~* &* +@all -config"],
  });
  await using notifications = await connect(server.url, { username: "bo", password: "pw" });
  await notifications.subscribeKeyevent("set");
  assertEquals(notifications.status().nodes[0]!.flags, "unknown");
});

Deno.test("a node of a cluster is not a single server, unless asked for", async () => {
  await using server = await startServer({
    config: { "cluster-enabled": "yes", "notify-keyspace-events": "KEA" },
  });
  for (const protocol of [2, 3] as const) {
    const error = await assertRejects(
      () => KeyspaceNotifications.connect(server.url, { protocol }),
      ConnectError,
      "singleNode: true",
    );
    assertEquals(error.name, "ConnectError");
    await using alone = await connect(server.url, { protocol, singleNode: true });
    await alone.subscribeKeyevent("set");
  }
});

Deno.test("a Sentinel has no keys to watch", async () => {
  await using server = await startServer({ args: ["--sentinel"] });
  await refuses(server.url, ConnectError, ["Sentinel"]);
});

Deno.test("arguments that are not channels", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  await using notifications = await connect(server.url);
  const subscribe = notifications.subscribe.bind(notifications) as (
    ...args: unknown[]
  ) => Promise<unknown>;
  await assertRejects(() => subscribe(), TypeError, "no channel is given");
  await assertRejects(() => subscribe({ handler() {} }), TypeError, "no channel is given");
  for (const channel of ["user:1", "user:*", "keyspace@0__:*", "__keyspaces*", "é?"]) {
    await assertRejects(() => subscribe(channel), TypeError, `Cannot subscribe "${channel}"`);
  }
  await assertRejects(() => subscribe(1, "__keyspace@0__:k"), TypeError, "argument 0");
  await assertRejects(
    () => subscribe("__keyspace@0__:k", { handler: "no function" }),
    TypeError,
    "handler",
  );
  await assertRejects(() => notifications.getMessage({ timeout: -1 }), TypeError, "timeout");
  assertEquals(notifications.subscribed, false);
});

Deno.test("patterns that may match a channel of notifications, however they begin", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  await using notifications = await connect(server.url);
  for (const pattern of ["*", "__key*:k", "?_keyspace@0__:k", "[_]_key*:k", "\\__key*:k"]) {
    await using _held = await notifications.subscribe(pattern);
    await server.command("SET", "k", "x");
    assertEquals((await notifications.getMessage({ timeout: 10_000 }))?.key, "k", pattern);
    await notifications.unsubscribe();
    while (await notifications.getMessage() !== null);
  }
});

Deno.test("confirmations that were not requested end the connection", async () => {
  const hello = "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n";
  const confirmation = ">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n";
  {
    await using peer = new Peer(answer(hello + confirmation));
    await refuses(peer.url, ConnectError, ["that was not requested"]);
  }
  const told = Promise.withResolvers<void>();
  await using peer = new Peer(async (connection) => {
    await connection.read(new Uint8Array(1024));
    await connection.write(new TextEncoder().encode(hello));
    await told.promise;
    await connection.write(new TextEncoder().encode(`-ERR\r\n-ERR\r\n${confirmation}`));
    await swallow(connection);
  });
  await using notifications = await connect(peer.url, { flags: "ignore", maxAttempts: 0 });
  told.resolve();
  await assertRejects(() => notifications.listen().next(), ConnectError, "that was not requested");
});
