/** Which notifications `watch` prints, and when it ends. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startServer, until } from "../servers/mod.ts";
import { fails, InProcess } from "./in_process.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

Deno.test("watch --event takes these events of these keys", async () => {
  await using server = await startServer(TALKATIVE);
  const options = ["--event", "del", "--event", "h*", "--url", server.url];
  await using some = InProcess.run(["watch", "user:*", ...options]);
  await using all = InProcess.run(["watch", ...options]);
  await some.noted("watching user:* (del, h*) on");
  await all.noted("watching * (del, h*) on");
  // The server need not send the others.
  assertEquals(await server.command("PUBSUB", "NUMPAT"), 3);
  for (const key of ["cache:1", "user:1"]) {
    await server.command("SET", key, "x");
    await server.command("DEL", key);
    await server.command("HSET", key, "f", "v");
  }
  for (const words of ["del           user:1", "hset          user:1"]) {
    assertStringIncludes((await some.line())!, `db0  ${words}`);
  }
  for (const words of ["del           cache", "hset          cache", "del           user"]) {
    assertStringIncludes((await all.line())!, `db0  ${words}`);
  }
});

Deno.test("watch --field takes fields of hashes, each with what happened to it", async () => {
  // A server that does not show its flags, as those with these channels are too new to be here.
  await using server = await startServer({ acl: ["bo on >pw ~* &* +@all -config"] });
  const url = `redis://bo:pw@127.0.0.1:${server.port}`;
  const publish = (channel: string, payload: string) => server.command("PUBLISH", channel, payload);
  const cases: [args: string[], channel: string, payload: string, line: string][] = [
    [["cart:7", "--field", "total"], "__subkeyspaceitem@0__:cart:7\ntotal", "hset", "hset"],
    [["cart:*", "--field", "t*"], "__subkeyspaceitem@0__:cart:7\ntotal", "hset", "hset"],
    [["cart:7", "--field", "*"], "__subkeyspace@0__:cart:7", "hset|5:total", "hset"],
    [["--field", "*", "--event", "hdel"], "__subkeyspaceevent@0__:hdel|cart:7", "5:total", "hdel"],
  ];
  for (const [args, channel, payload, event] of cases) {
    await using tool = InProcess.run(["watch", ...args, "--count", "1", "--url", url]);
    await tool.noted("watching");
    await publish(channel, payload);
    assertMatch((await tool.line())!, new RegExp(`db0 {2}${event} +cart:7 {2}total$`));
    assertEquals((await tool.ended()).code, 0);
  }
});

Deno.test("watch --csv has the fields of hashes as they came", async () => {
  await using server = await startServer({ acl: ["bo on >pw ~* &* +@all -config"] });
  const url = `redis://bo:pw@127.0.0.1:${server.port}`;
  const channel = "__subkeyspace@0__:cart:7";
  const args = ["watch", "--csv", "cart:7", "--field", "*", "--db", "0", "--url", url];
  await using tool = InProcess.run(args);
  await tool.noted("watching");
  await server.command("PUBLISH", channel, "hset|5:to,al,1:\n");
  assertEquals(await tool.line(), `"subscribe","${channel}",1`);
  assertEquals(await tool.line(), `"message","${channel}","hset|5:to,al,1:\\n"`);
});

Deno.test("watch --count ends after so many", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = InProcess.run(["watch", "--count", "2", "--for", "1h", "--url", server.url]);
  await tool.noted("watching");
  for (const key of ["a", "b", "c"]) await server.command("SET", key, "x");
  const lines = await tool.linesUntil("never");
  assertEquals(lines.map((line) => line.slice(-1)), ["a", "b"]);
  assertEquals((await tool.ended()).code, 0);
});

Deno.test("watch --for ends after that time", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = InProcess.run(["watch", "--for", "200ms", "--url", server.url]);
  assertEquals((await tool.ended()).code, 0);
  assertStringIncludes(tool.notes, "watching *");
});

Deno.test("watch --for with --count fails when fewer came", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = InProcess.run([
    "watch",
    "--for",
    "200ms",
    "--count",
    "1",
    "--url",
    server.url,
  ]);
  const { code, stderr } = await tool.ended();
  assertEquals(code, 1);
  assertStringIncludes(stderr, "keywatch: only 0 of 1 came within 200ms");
});

Deno.test("watch --since-start shows the time since the start", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = InProcess.run(["watch", "--since-start", "--url", server.url]);
  await tool.noted("watching");
  await server.command("SET", "k", "x");
  assertMatch((await tool.line())!, /^\+00:\d\d:\d\d\.\d{3} {2}db0 {2}set {11}k$/);
});

Deno.test("watch says what the flags keep back", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "K$" } });
  await using tool = InProcess.run(["watch", "--url", server.url]);
  await tool.noted(`sends but a part of it: notify-keyspace-events is "$K" and lacks "A"`);
  const words = `lacks "x"; run there: CONFIG SET notify-keyspace-events '$xK'`;
  await fails(1, words, "watch", "user:*", "--event", "expired", "--url", server.url);
  // What it sends of the two is not nothing.
  const both = ["--event", "expired", "--event", "set"];
  await using other = InProcess.run(["watch", "user:*", ...both, "--url", server.url]);
  await other.noted(`sends but a part of it: notify-keyspace-events is "$K" and lacks "x"`);
});

Deno.test("watch says where it is unknown what the flags let through", async () => {
  const acl = ["bo on >pw ~* &* +@all -config"];
  await using server = await startServer({ ...TALKATIVE, acl });
  // Besides A, which was asked for, it may be set or not.
  await using hidden = InProcess.run(["watch", "--event", "new", "--url", server.url]);
  await hidden.noted(
    'is "AKE", which hides whether "n" is set; keywatch doctor --probe tries it\n',
  );
  await using every = InProcess.run(["watch", "--url", server.url]);
  await every.noted("watching");
  assertEquals(every.notes.includes("hides"), false);
  const url = `redis://bo:pw@127.0.0.1:${server.port}`;
  await using untold = InProcess.run(["watch", "--url", url]);
  await untold.noted(
    "does not tell notify-keyspace-events; keywatch doctor --probe tries it\n",
  );
  await untold.noted("watching");
});

Deno.test("watch: arguments that make no sense", async () => {
  const cases: [words: string, ...args: string[]][] = [
    ["--json and --csv exclude each other", "--json", "--csv"],
    ["--since-start has no place in --csv", "--csv", "--since-start"],
    ["--for takes a duration", "--for", "30"],
    ["--for takes a duration", "--for", "0s"],
    ["--for takes a duration", "--for", "60d"],
    ["--count takes a whole number of at least 1", "--count", "0"],
    ["--count takes a whole number of at least 1", "--count", "1e3"],
    ["zincrby is sent by no server: what comes instead is zincr", "--event", "zincrby"],
    ["an event is empty", "--event", ""],
    ["a field is empty", "--field", ""],
    ["the server sends none for a name with", "line\nbreak", "--field", "f"],
    ["--db takes the number of a database", "--db", "one"],
    ["--cert and --key belong together", "--cert", "client.pem"],
    ["TLS is not spoken over unix sockets", "--url", "redis+unix:///run/redis.sock", "--tls"],
    ["there is a user but no password", "--user", "bo"],
  ];
  for (const [words, ...args] of cases) await fails(2, words, "watch", ...args);
});

Deno.test("watch: a file that is not there", async () => {
  await fails(1, "Cannot read the file of --ca", "watch", "--ca", "/no/such/file.pem");
});

Deno.test("watch leaves the server in peace", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = InProcess.run(["watch", "--count", "1", "--db", "0", "--url", server.url]);
  await tool.noted("watching");
  await server.command("SET", "k", "x");
  assertEquals((await tool.ended()).code, 0);
  await until("all connections are gone", async () => {
    return String(await server.command("CLIENT", "LIST")).trimEnd().split("\n").length === 1;
  });
  assertEquals(await server.command("CONFIG", "GET", "notify-keyspace-events"), [
    "notify-keyspace-events",
    "AKE",
  ]);
});
