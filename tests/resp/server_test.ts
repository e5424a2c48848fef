import { assert, assertEquals } from "@std/assert";
import { type Reply, RespMap, ServerError } from "../../resp/mod.ts";
import { startServer, type TestServer } from "../servers/mod.ts";
import { bytes, show } from "./harness.ts";
import { RawConnection } from "./raw_connection.ts";

function start(): Promise<TestServer> {
  return startServer({ config: { "enable-debug-command": "yes" } });
}

async function connect(server: TestServer, protocol: 2 | 3): Promise<RawConnection> {
  const connection = await RawConnection.connect(server.port, { strings: "text" });
  await connection.command("HELLO", protocol);
  return connection;
}

/** A reply of RESP3 as the same server says it in RESP2: maps flat. */
function asResp2(reply: Reply): Reply {
  if (Array.isArray(reply)) return reply.map(asResp2);
  if (reply instanceof RespMap) return reply.items.map(asResp2);
  if (typeof reply === "boolean") return Number(reply);
  return reply;
}

Deno.test("a server's own sample of each RESP3 type is what it says it is", async () => {
  await using server = await start();
  using connection = await connect(server, 3);
  const samples: [type: string, reply: Reply][] = [
    ["string", "Hello World"],
    ["integer", 12345],
    ["double", 3.141],
    ["null", null],
    ["array", [0, 1, 2]],
    ["set", [0, 1, 2]],
    ["map", new RespMap([0, false, 1, true, 2, false])],
    ["true", true],
    ["false", false],
    ["verbatim", "This is a verbatim\nstring"],
    ["bignum", 1234567999999999999999999999999999999n],
    ["attrib", "Some real reply following the attribute"],
  ];
  for (const [type, expected] of samples) {
    assertEquals(show(await connection.command("DEBUG", "PROTOCOL", type)), show(expected), type);
  }
  // A push comes beside the reply to the command.
  await connection.send("DEBUG", "PROTOCOL", "push");
  await connection.pushed(1);
  assertEquals(connection.pushes.map(show), [show(["server-cpu-usage", 42])]);
});

Deno.test("errors of a server are values, inside a transaction too", async () => {
  await using server = await start();
  for (const protocol of [2, 3] as const) {
    using connection = await connect(server, protocol);
    await connection.command("SET", "text", "x");
    const wrong = await connection.command("LPUSH", "text", 1);
    assert(wrong instanceof ServerError);
    assertEquals(wrong.code, "WRONGTYPE");
    await connection.command("MULTI");
    await connection.command("SET", "text", "y");
    await connection.command("LPUSH", "text", 1);
    const [ok, error] = await connection.command("EXEC") as Reply[];
    assertEquals([ok, (error as ServerError).code], ["OK", "WRONGTYPE"]);
    const unknown = await connection.command("NO-SUCH-COMMAND", "größe\r\n");
    assertEquals((unknown as ServerError).code, "ERR");
  }
});

Deno.test("large replies are the same in both protocols", async () => {
  await using server = await start();
  using two = await connect(server, 2);
  using three = await connect(server, 3);
  for (let i = 0; i < 50; i++) {
    await two.command("XADD", "stream", "*", "field", `value ${i}`, "größe", "字");
  }
  await two.command("XGROUP", "CREATE", "stream", "group", 0);
  await two.command("XREADGROUP", "GROUP", "group", "me", "COUNT", 9, "STREAMS", "stream", ">");
  const commands = [
    ["COMMAND"],
    ["COMMAND", "DOCS"],
    ["CONFIG", "GET", "*"],
    ["XINFO", "STREAM", "stream", "FULL"],
    ["XRANGE", "stream", "-", "+"],
    ["LATENCY", "DOCTOR"],
  ];
  for (const command of commands) {
    const inTwo = await two.command(...command);
    const inThree = await three.command(...command);
    assert(!(inTwo instanceof ServerError), `${command} ${inTwo}`);
    assertEquals(sorted(asResp2(inThree)), sorted(inTwo), command.join(" "));
  }
  const clients = await two.command("CLIENT", "LIST") as string;
  const verbatim = await three.command("CLIENT", "LIST") as string;
  assertEquals(ids(verbatim), ids(clients));
  assertEquals(ids(clients).length >= 2, true);
});

/** Without an order where the server keeps none: flags and the like come as sets in RESP3. */
function sorted(reply: Reply): string {
  if (!Array.isArray(reply)) return show(reply);
  return `[${reply.map(sorted).sort().join(", ")}]`;
}

function ids(clients: string): string[] {
  return clients.trimEnd().split("\n").map((line) => /^id=\d+ addr=\S+/.exec(line)![0]);
}

Deno.test("every type of value is the same in both protocols", async () => {
  await using server = await start();
  using two = await connect(server, 2);
  using three = await connect(server, 3);
  const key = bytes("key\r\n\0字");
  await two.command("HSET", "hash", "__proto__", "1", key, "2", "", "");
  await two.command("SADD", "set", "a", key, "");
  await two.command("ZADD", "zset", 1.5, "a", "-inf", "b", "inf", "c", 1e300, "d");
  await two.command("RPUSH", "list", "a", "", key, "x".repeat(100_000));
  await two.command("SET", "number", "9223372036854775807");
  const hash = await three.command("HGETALL", "hash") as RespMap;
  assertEquals(hash.get("__proto__"), "1");
  assertEquals(asResp2(hash), await two.command("HGETALL", "hash"));
  const set = await three.command("SMEMBERS", "set") as Reply[];
  assertEquals([set.length, set.includes("a"), set.includes("")], [3, true, true]);
  assertEquals(await three.command("ZSCORE", "zset", "b"), -Infinity);
  assertEquals(await three.command("ZRANGE", "zset", 0, -1, "WITHSCORES"), [
    ["b", -Infinity],
    ["a", 1.5],
    ["d", 1e300],
    ["c", Infinity],
  ]);
  assertEquals(
    await three.command("LRANGE", "list", 0, -1),
    await two.command("LRANGE", "list", 0, -1),
  );
  assertEquals(await three.command("INCRBY", "number", 0), 9223372036854775807n);
  assertEquals(await two.command("GET", "nothing"), null);
  assertEquals(await three.command("GET", "nothing"), null);
  assertEquals(await two.command("BLPOP", "nothing", 0.01), null);
});

Deno.test("a server takes numbers as they are encoded", async () => {
  await using server = await start();
  using connection = await connect(server, 3);
  const numbers = [0, -0, 7, -7, 2 ** 53, 1e20, 1e21, -1e21, 1.5e300, 0.1, 1e-6, 1e-7, 5e-324];
  for (const number of numbers) {
    await connection.command("ZADD", "zset", number, "member");
    assertEquals(await connection.command("ZSCORE", "zset", "member"), number + 0);
  }
  for (const number of [1e21, 1e-7]) {
    await connection.command("DEL", "number");
    const sum = await connection.command("INCRBYFLOAT", "number", number);
    assertEquals(Number(sum), number);
  }
  const long = 10n ** 21n;
  await connection.command("SET", "text", long);
  assertEquals(await connection.command("GET", "text"), String(long));
});

Deno.test("messages come as pushes in RESP3, and in RESP2 with arrayPushes", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  for (const protocol of [2, 3] as const) {
    using connection = await connect(server, protocol);
    connection.decoder.arrayPushes = protocol === 2;
    await connection.send("PSUBSCRIBE", "__key*@0__:*");
    await connection.pushed(1);
    using other = await connect(server, 2);
    await other.command("SET", `key ${protocol}`, "x");
    await connection.pushed(3);
    await connection.send("SUBSCRIBE", "a", "b");
    await connection.pushed(5);
    const pong = await connection.command("PING");
    assertEquals(pong, protocol === 2 ? ["pong", ""] : "PONG");
    assertEquals(connection.pushes, [
      ["psubscribe", "__key*@0__:*", 1],
      ["pmessage", "__key*@0__:*", `__keyspace@0__:key ${protocol}`, "set"],
      ["pmessage", "__key*@0__:*", "__keyevent@0__:set", `key ${protocol}`],
      ["subscribe", "a", 2],
      ["subscribe", "b", 3],
    ]);
  }
});
