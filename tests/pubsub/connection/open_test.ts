import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  ClosedError,
  ConnectError,
  type Message,
  open,
  ServerError,
  TimeoutError,
} from "../../../pubsub/connection/mod.ts";
import { FakeServer } from "../fake_server.ts";
import { sleep, startServer, type TestServer, until } from "../../servers/mod.ts";

/** What of a message is looked at. */
function tell({ channel, pattern, data, notification }: Message): unknown[] {
  return [channel, pattern, data, notification?.key, notification?.eventType];
}

async function isListening(server: TestServer, count: number): Promise<boolean> {
  const text = await server.command("INFO", "clients") as string;
  return Number(/pubsub_clients:(\d+)/.exec(text)?.[1] ?? count) === count;
}

for (const protocol of [3, 2] as const) {
  Deno.test(`RESP${protocol}: a connection hands on messages of channels and patterns in order`, async () => {
    await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
    const messages: Message[] = [];
    await using connection = await open(server.url, {
      protocol,
      onMessage: (message) => void messages.push(message),
    });
    assertEquals(connection.info.protocol, protocol);
    await connection.subscribe("__keyspace@0__:user:*", "news");
    await server.command("SET", "user:1", "x");
    await server.command("SET", "other", "x");
    await server.command("PUBLISH", "news", "today");
    await until("both came", () => messages.length === 2);
    const pattern = "__keyspace@0__:user:*";
    assertEquals(messages.map(tell), [
      ["__keyspace@0__:user:1", pattern, "set", "user:1", "set"],
      ["news", null, "today", undefined, undefined],
    ]);
    assertEquals(new TextDecoder().decode(messages[1]!.dataBytes), "today");
    if (protocol === 2) {
      assertEquals(await connection.command("PING"), ["pong", ""]);
      await assertRejects(() => connection.command("GET", "user:1"), ServerError, "execute 'get'");
    } else assertEquals(await connection.command("GET", "user:1"), "x");
    await connection.unsubscribe("news", pattern);
    await until("nothing is subscribed", async () => {
      return await server.command("PUBLISH", "news", "later") === 0;
    });
    assertEquals(await connection.command("GET", "user:1"), "x");
  });
}

Deno.test("a connection sends commands to the database of the URL", async () => {
  await using server = await startServer();
  await using connection = await open(`${server.url}/2`);
  assertEquals(await connection.command("SET", "k", "v"), "OK");
  await using other = await open({ hostname: server.host, port: server.port });
  assertEquals(await other.command("GET", "k"), null);
  await assertRejects(() => other.command("NONE"), ServerError, "unknown command");
  await assertRejects(() => open(`${server.url}/999`), ServerError, "DB index is out of range");
});

Deno.test("RESP2: nothing that the server reports about itself repeats the password", async () => {
  const fields = ["server_name", "redis_version", "redis_mode", "run_id"];
  const info = fields.map((name) => `${name}:x-zq7KxvWj9`).join("\r\n");
  await using server = new FakeServer(([name]) =>
    name === "INFO" ? `$${info.length}\r\n${info}\r\n` : undefined
  );
  await using connection = await open(server.url, { protocol: 2, password: "zq7KxvWj9" });
  const { software, version, mode, runId } = connection.info;
  assertEquals([software, version, mode, runId], ["redis", null, null, null]);
});

Deno.test("what onMessage throws or rejects with goes to onError, and stops nothing", async () => {
  await using server = await startServer();
  const errors: unknown[] = [];
  let count = 0;
  await using connection = await open(server.url, {
    onMessage: ({ data }) => {
      count++;
      if (data === "throws") throw "thrown";
      // As a library of promises has them.
      return { then: (_: unknown, reject: (reason: string) => void) => reject("rejected") };
    },
    onError: (error) => void errors.push(error),
  });
  await connection.subscribe("c");
  for (const data of ["throws", "rejects", "throws"]) await server.command("PUBLISH", "c", data);
  await until("all came", () => count === 3 && errors.length === 3);
  assertEquals(errors.toSorted(), ["rejected", "thrown", "thrown"]);
  assertEquals(await connection.command("PING"), "PONG");
});

Deno.test("a connection that is closed rejects what waits and what follows, and says why it is over", async () => {
  await using server = await startServer();
  const connection = await open(server.url);
  await connection.subscribe("c");
  await connection.command("PING");
  const waiting = assertRejects(() => connection.command("PING"), ClosedError, "was closed");
  connection.close();
  connection.close();
  await waiting;
  assertEquals(
    (await connection.closed).message,
    `The connection to ${connection.server} was closed`,
  );
  await assertRejects(() => connection.subscribe("d"), ClosedError, "was closed");
  await until("the server has seen it", () => isListening(server, 0));
});

Deno.test("a connection that the server or a signal ends says so", async () => {
  await using server = await startServer();
  const killed = await open(server.url);
  await server.command("CLIENT", "KILL", "TYPE", "normal");
  assert((await killed.closed).message.includes("closed by the server"));
  const end = new AbortController();
  const aborted = await open(server.url, { signal: end.signal });
  end.abort(new Error("enough"));
  assertEquals((await aborted.closed).message, "enough");
  await assertRejects(() => open(server.url, { signal: end.signal }), Error, "enough");
});

Deno.test("a server that does not answer any more ends the connection", async () => {
  await using server = await startServer();
  const connection = await open(server.url, { heartbeat: { interval: 50 }, timeout: 200 });
  await sleep(300); // It answers, so that is no reason.
  assertEquals(await connection.command("PING"), "PONG");
  await server.pause();
  const reason = await connection.closed;
  assert(reason instanceof TimeoutError);
  assertEquals([reason.code, reason.server], ["REPLY_TIMEOUT", connection.server]);
  assert(reason.message.includes("no answer to PING within 200 ms"), reason.message);
  await server.resume();
});

Deno.test("an address or option that cannot be used is a TypeError that says what to give", async () => {
  const bad: [unknown, object, string][] = [
    ["http://localhost", {}, "expected redis[s]://"],
    [{ host: "localhost", port: "1" }, {}, "it is not { hostname, port }; give a URL"],
    [{ hostname: "localhost", port: 0 }, {}, "its port is not from 1 to 65535"],
    [{ path: "socket" }, {}, "its path is not absolute"],
    [null, {}, "expected redis[s]://"],
    ["redis://localhost", { timeout: -1 }, "the option timeout: -1"],
    ["redis://localhost", { heartbeat: { interval: 0 } }, "the option heartbeat.interval: 0"],
    ["redis://localhost", { protocol: 4 }, "the option protocol: 4"],
    ["redis://localhost", { tls: {} }, "tls without TLS"],
    ["redis://localhost", { onMessage: 1 }, "the option onMessage"],
  ];
  for (const [target, options, message] of bad) {
    await assertRejects(() => open(target as string, options), TypeError, message);
  }
  await assertRejects(() => open({ hostname: "127.0.0.1", port: 1 }), ConnectError, "127.0.0.1:1");
});
