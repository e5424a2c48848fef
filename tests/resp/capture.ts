/**
 * Records what a real server sends, for the fuzzer to mutate: `deno run -A tests/resp/capture.ts`
 * writes tests/resp/captures/.
 */
import type { CommandArgument } from "../../resp/mod.ts";
import { startServer, type TestServer } from "../servers/mod.ts";
import { join } from "./arbitrary.ts";
import { RawConnection } from "./raw_connection.ts";

const COMMANDS: readonly (readonly CommandArgument[])[] = [
  ["CLIENT", "SETNAME", "recorder"],
  ["FLUSHALL"],
  ["SET", "text", "value"],
  ["GET", "text"],
  ["GET", "nothing"],
  ["LPUSH", "text", 1],
  ["NO-SUCH-COMMAND"],
  ["INCRBY", "number", 9007199254740993n],
  ["HSET", "hash", "a", 1, "größe", "字", "__proto__", ""],
  ["HGETALL", "hash"],
  ["SADD", "set", "a", "b", "c"],
  ["SMEMBERS", "set"],
  ["ZADD", "zset", 1.5, "a", "inf", "b", "-inf", "c"],
  ["ZRANGE", "zset", 0, -1, "WITHSCORES"],
  ["RPUSH", "list", "", "x".repeat(300), "\r\n", "$5\r\nhello\r\n"],
  ["LRANGE", "list", 0, -1],
  ["XADD", "stream", "1-1", "f", "v"],
  ["XADD", "stream", "1-2", "f", "v", "g", "w"],
  ["XGROUP", "CREATE", "stream", "group", 0],
  ["XREADGROUP", "GROUP", "group", "me", "STREAMS", "stream", ">"],
  ["XINFO", "STREAM", "stream", "FULL"],
  ["XRANGE", "stream", "-", "+"],
  ["MULTI"],
  ["SET", "text", "x"],
  ["LPUSH", "text", 1],
  ["EXEC"],
  ["CONFIG", "GET", "*max*"],
  ["COMMAND", "INFO", "GET", "SET", "SUBSCRIBE", "NOTHING"],
  ["COMMAND", "DOCS", "PSUBSCRIBE", "XADD"],
  ["CLIENT", "LIST"],
  ["CLUSTER", "SHARDS"],
  ["CLUSTER", "SLOTS"],
  ["INFO", "clients"],
  ...["string", "integer", "double", "null", "array", "set", "map", "attrib"].map((
    type,
  ) => ["DEBUG", "PROTOCOL", type]),
  ...["verbatim", "true", "false", "bignum"].map((type) => ["DEBUG", "PROTOCOL", type]),
];

async function record(server: TestServer, protocol: 2 | 3): Promise<Uint8Array> {
  using connection = await RawConnection.connect(server.port);
  await connection.command("HELLO", protocol);
  for (const command of COMMANDS) await connection.command(...command);
  connection.decoder.arrayPushes = protocol === 2;
  let pushes = 0;
  if (protocol === 3) {
    await connection.command("CLIENT", "TRACKING", "ON");
    await connection.command("GET", "text");
  }
  await connection.send("PSUBSCRIBE", "__key*@0__:*", "news.*");
  await connection.send("SUBSCRIBE", "channel");
  await connection.pushed(pushes += 3);
  using other = await RawConnection.connect(server.port);
  for (let i = 0; i < 30; i++) {
    await other.command("SET", `key:${i}`, i);
    await other.command("DEL", `key:${i}`);
    pushes += 4;
  }
  await other.command("SET", "text", "changed");
  await other.command("PUBLISH", "channel", "größe \r\n 字");
  await other.command("PUBLISH", "news.de", "x".repeat(5000));
  await connection.pushed(pushes += protocol === 3 ? 5 : 4);
  await connection.command("PING");
  await connection.send("UNSUBSCRIBE");
  await connection.send("PUNSUBSCRIBE");
  await connection.pushed(pushes += 3);
  return join(...connection.received);
}

if (import.meta.main) {
  await using server = await startServer({
    config: { "enable-debug-command": "yes", "notify-keyspace-events": "KEA" },
  });
  for (const protocol of [2, 3] as const) {
    const file = new URL(`captures/resp${protocol}.bin`, import.meta.url);
    await Deno.writeFile(file, await record(server, protocol));
  }
}
