import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { connect, type Gap } from "../../mod.ts";
import { isFlush, trackFlushes } from "../../pubsub/flushes.ts";
import { Proxy } from "../ledger/proxy.ts";
import { ensureServer, type TestServer, until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";
import { FLUSH_SCENES, FlushRecord } from "./flushes.ts";
import { promote, startPair } from "./pair.ts";

const binary = await ensureServer();

for (const { name, run } of FLUSH_SCENES) {
  for (const protocol of [2, 3] as const) {
    Deno.test(`RESP${protocol}: ${name}`, () => run(binary, protocol));
  }
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function push(protocol: 2 | 3, ...items: string[]): string {
  return `${protocol === 3 ? ">" : "*"}${items.length}\r\n${items.join("")}`;
}

function confirm(protocol: 2 | 3, name: string, channel: string): string {
  return push(protocol, bulk(name.toLowerCase()), bulk(channel), ":1\r\n");
}

function message(protocol: 2 | 3, channel: string): string {
  return push(protocol, bulk("message"), bulk(channel), bulk("set"));
}

const FLUSH = {
  2: push(2, bulk("message"), bulk("__redis__:invalidate"), "$-1\r\n"),
  3: push(3, bulk("invalidate"), "_\r\n"),
};

/** What a server says of itself in RESP2. */
const INFO = bulk("run_id:abc\r\nredis_mode:standalone\r\nrole:master\r\n");

Deno.test("only a push that names no key, and can be from nobody but the server, is a flush", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const pushes = [
    [bytes("invalidate"), null],
    ["invalidate", null],
    [bytes("message"), bytes("__redis__:invalidate"), null],
    // Redict, and Redict once it sends the whole name.
    [bytes("message"), bytes("__redict__:invalidat"), null],
    [bytes("message"), bytes("__redict__:invalidate"), null],
    [bytes("invalidate"), [bytes("k")]],
    [bytes("invalidate"), []],
    [bytes("invalidate")],
    [bytes("message"), bytes("__redis__:invalidate"), bytes("")],
    [bytes("message"), bytes("__redis__:invalidat"), null],
    [bytes("message"), null],
    [bytes("pmessage"), bytes("*"), bytes("__redis__:invalidate"), null],
    [bytes("x".repeat(1_000_000)), null],
    [null],
    [],
  ];
  assertEquals(pushes.map(isFlush), pushes.map((_, place) => place < 5));
});

Deno.test("without the option no server is asked for flushes, and none is reported", async () => {
  await using server = new FakeServer(([name, channel]) =>
    name === "SUBSCRIBE" ? confirm(3, name, channel!) + FLUSH[3] + message(3, channel!) : undefined
  );
  await using notifications = await connect(server.url);
  await notifications.subscribeKeyspace("k");
  assertEquals((await notifications.getMessage({ timeout: 10_000 }))?.key, "k");
  assertEquals(server.heard("CLIENT TRACKING"), false);
  assertEquals(notifications.status().nodes[0]!.malformed, 1);
  assertThrows(() => notifications.listen({ flushes: true }), TypeError, "the option flushes");
  await notifications.listen({ flushes: false }).return();
});

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: flushes that come before every channel is confirmed follow the gap, in order`, async () => {
    await using server = new FakeServer(([name, channel]) => {
      if (name === "INFO") return INFO;
      if (name !== "SUBSCRIBE") return undefined;
      const set = message(protocol, channel!);
      return confirm(protocol, name, channel!) + set + FLUSH[protocol].repeat(3) + set;
    });
    const items: string[] = [];
    let flushes = 0;
    await using notifications = await connect(server.url, {
      protocol,
      flushes: true,
      flags: "ignore",
      onFlush: () => flushes++,
    });
    const loop = notifications.listen({ gaps: true, flushes: true });
    await notifications.subscribeKeyspace("k");
    const take = async (count: number) => {
      for (let left = count; left > 0; left--) items.push((await loop.next()).value!.kind);
      return items.splice(0);
    };
    assertEquals(await take(5), ["keyspace", "flush", "flush", "flush", "keyspace"]);
    assertEquals(flushes, 3);
    server.hangUp();
    // Those that follow each other are one.
    assertEquals(await take(4), ["gap", "keyspace", "flush", "keyspace"]);
    assertEquals(flushes, 4);
    assertEquals(notifications.status().nodes[0]!.malformed, 0);
  });
}

Deno.test("RESP2: no connection is tracked by an id that may be another server's", async () => {
  for (const information of ["-NOPERM no permissions to run INFO\r\n", bulk("role:master\r\n")]) {
    await using server = new FakeServer(([name]) => name === "INFO" ? information : undefined);
    const record = new FlushRecord();
    await using notifications = await connect(server.url, { ...record.options, protocol: 2 });
    await notifications.subscribeKeyspace("k").catch(() => {});
    assertEquals(record.warnings.length, 1);
    assert(record.warnings[0]!.includes("INFO does not say"), record.warnings[0]);
    assertEquals(server.heard("CLIENT TRACKING"), false);
  }
  await using pair = await startPair();
  const [a, b] = pair.servers as [TestServer, TestServer];
  // A second primary must not make the first attempt fail.
  await promote(b);
  let count = 0;
  await using proxy = await Proxy.start(() => count++ % 2 === 0 ? a : b);
  const record = new FlushRecord();
  await using notifications = await connect(`redis://127.0.0.1:${proxy.port}`, {
    ...record.options,
    protocol: 2,
    flags: "ignore",
  });
  await record.subscribe(notifications);
  assertEquals(record.warnings.length, 1);
  assert(record.warnings[0]!.includes("has reached another server"), record.warnings[0]);
  for (const server of [a, b]) {
    assertEquals(/ redir=\d/.test(String(await server.command("CLIENT", "LIST"))), false);
  }
  await Promise.all([a.command("FLUSHALL"), a.command("SET", "k", "x")]);
  await record.assertCame("a flush and a write", "set k");
});

Deno.test("RESP2: a connection for tracking that goes silent is given up with the session", async () => {
  let isSilent = false;
  let sides = 0;
  await using server = new FakeServer(([name, word]) => {
    if (name === "INFO") return INFO;
    if (name === "CLIENT" && word === "TRACKING") sides++;
    if (name === "SUBSCRIBE") return confirm(2, name, word!);
    // The first connection is subscribed, and not asked so soon.
    if (name === "PING" && isSilent) return null;
    return undefined;
  });
  const gaps: Gap[] = [];
  await using notifications = await connect(server.url, {
    protocol: 2,
    flushes: true,
    flags: "ignore",
    timeout: 500,
    heartbeat: { interval: 100, timeout: 3_600_000 },
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyspace("k");
  const pings = () => server.commands.filter((command) => command === "PING").length;
  await until("it is asked", () => pings() > 4);
  assertEquals([gaps.length, sides], [0, 1]);
  isSilent = true;
  await until("it is given up", () => sides > 1);
  isSilent = false;
  await until("the gap is reported", () => gaps.length > 0);
  assertEquals(gaps[0]!.reason, "disconnected");
});

Deno.test("RESP2: a connection for tracking that is closed together with its answer is noticed", async () => {
  let close: (reason: Error) => void;
  const beside = {
    closedReason: null as Error | null,
    lastAckAt: 0,
    close() {},
    request() {
      beside.closedReason = new Error("it was closed");
      close(beside.closedReason);
      return Promise.resolve("OK");
    },
  };
  const info = { protocol: 2, runId: "abc" };
  const session = {
    connection: { server: "a:1", request: () => Promise.resolve(1) },
    info,
    closedReason: null,
    giveUp() {},
    close() {},
    openSideConnection(onClosed: (reason: Error) => void) {
      close = onClosed;
      return Promise.resolve({ connection: beside, info });
    },
  };
  const settings = {
    flushes: { hasWarned: false },
    heartbeat: { interval: 1_000 },
    onWarning() {},
  };
  const { signal } = new AbortController();
  await assertRejects(
    () => trackFlushes(session as never, settings as never, signal),
    Error,
    "it was closed",
  );
});

Deno.test("a server that knows no tracking is watched all the same, after one warning", async () => {
  await using server = new FakeServer(([name, word]) =>
    name === "CLIENT" && word === "TRACKING"
      ? "-ERR Unknown subcommand or wrong number of arguments for 'TRACKING'\r\n"
      : undefined
  );
  const record = new FlushRecord();
  await using notifications = await connect(server.url, record.options);
  await notifications.subscribeKeyspace("k");
  server.hangUp();
  await until("it is back", () => record.gaps.length === 1);
  assertEquals(record.warnings.length, 1);
  assert(record.warnings[0]!.includes("Unknown subcommand"), record.warnings[0]);
});
