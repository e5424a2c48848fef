import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort, startServer, until } from "../servers/mod.ts";
import { answer, Peer, swallow } from "../pubsub/peer.ts";
import { fails, InProcess } from "./in_process.ts";
import { Tool } from "./tool.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

Deno.test("watch prints what happens until Ctrl-C, and leaves cleanly", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = Tool.run(["watch", "--url", server.url]);
  await tool.noted("watching");
  await server.command("SET", "user:1", "x");
  await server.command("SELECT", 5);
  await server.command("HSET", "line\nbreak\u001b[2J", "f", "v");
  await server.command("SET", Uint8Array.of(0xff, 0x41), "x");
  assertMatch((await tool.line())!, /^\d\d:\d\d:\d\d\.\d{3} {2}db0 {2}set {11}user:1$/);
  assertMatch((await tool.line())!, /db5 {2}hset {10}line\\nbreak\\x1b\[2J$/);
  assertMatch((await tool.line())!, /db5 {2}set {11}\\xffA$/);
  tool.kill("SIGINT");
  const { code, stderr } = await tool.ended();
  assertEquals(code, 0);
  assertEquals(
    stderr,
    `watching * on 127.0.0.1:${server.port}, all databases; Ctrl-C ends it\n`,
  );
  await until("it is gone", async () => {
    return !String(await server.command("CLIENT", "LIST")).includes("keywatch-watch");
  });
});

Deno.test("watch takes patterns, and the database of the URL", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = InProcess.run(["watch", "--url", `${server.url}/2`, "user:*", "order:1"]);
  await tool.noted("watching user:* order:1");
  await server.command("SET", "user:0", "x");
  await server.command("SELECT", 2);
  for (const key of ["cache:1", "user:1", "order:1", "order:2"]) {
    await server.command("SET", key, "x");
  }
  assertStringIncludes((await tool.line())!, "db2  set           user:1");
  assertStringIncludes((await tool.line())!, "db2  set           order:1");
});

Deno.test("watch ends well when it is asked to", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = Tool.run(["watch", "--url", server.url]);
  await tool.noted("watching");
  await server.command("SET", "k", "x");
  assertMatch((await tool.line())!, /k$/);
  tool.kill("SIGTERM");
  assertEquals((await tool.ended()).code, 0);
});

Deno.test("watch ends well when it is interrupted while it connects", async () => {
  await using peer = new Peer(swallow);
  await using tool = Tool.run(["watch", "--url", peer.url]);
  await until("it connects", () => peer.connections === 1);
  tool.kill("SIGINT");
  assertEquals(await tool.ended(), { code: 0, stderr: "" });
});

Deno.test("watch ends well when nobody reads any more", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = Tool.run(["watch", "--url", server.url]);
  await tool.noted("watching");
  await tool.stopReading();
  let code: number | undefined;
  tool.exited().then((exit) => code = exit);
  await until("it has ended", async () => {
    await server.command("SET", "k", "x");
    return code !== undefined;
  });
  assertEquals(code, 0);
});

Deno.test("watch reconnects after a loss, and shows the gap", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = InProcess.run(["watch", "--url", server.url]);
  await tool.noted("watching");
  await server.restart();
  await tool.noted("gap: ");
  await server.command("SET", "user:1", "x");
  assertMatch((await tool.line())!, /user:1$/);
  tool.interrupt();
  const { code, stderr } = await tool.ended();
  assertEquals(code, 0);
  assertMatch(stderr, new RegExp(`\nlost 127.0.0.1:${server.port}: .*; reconnecting\n`));
  assertMatch(
    stderr,
    new RegExp(`\ngap: notifications may be missing from 127.0.0.1:${server.port}, .* \\(disc`),
  );
});

Deno.test("watch says when the server delivers nothing after a restart", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = InProcess.run(["watch", "--url", server.url]);
  await tool.noted("watching");
  await server.restart({ "notify-keyspace-events": "" });
  await tool.noted(`notify-keyspace-events is "" and lacks "AK"`);
  assertEquals(tool.notes.includes("    at "), false, tool.notes);
});

Deno.test("watch: no server there", async () => {
  const url = `redis://127.0.0.1:${freePort()}`;
  await fails(1, "check that a server listens there", "watch", "--url", url);
});

Deno.test("watch: a server that is not Redis", async () => {
  await using peer = new Peer(answer("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await fails(1, "check that a Redis server listens there", "watch", "--url", peer.url);
});

Deno.test("watch: a server that accepts and says nothing", async () => {
  await using peer = new Peer(swallow);
  await fails(1, "no answer to HELLO within 5000 ms", "watch", "--url", peer.url);
});

Deno.test("watch: a server that hangs up", async () => {
  await using peer = new Peer((connection) => connection.read(new Uint8Array(1024)));
  await fails(1, "without an answer to HELLO; check that a Redis", "watch", "--url", peer.url);
});

Deno.test("watch: a wrong password", async () => {
  await using server = await startServer({ password: "secret" });
  await fails(1, "WRONGPASS", "watch", "--url", `redis://:wrong@127.0.0.1:${server.port}`);
});

Deno.test("watch: a user who may not subscribe", async () => {
  await using server = await startServer({
    ...TALKATIVE,
    acl: ["bo on >pw ~* resetchannels +@all"],
  });
  const url = `redis://bo:pw@127.0.0.1:${server.port}`;
  await fails(1, "ACL SETUSER", "watch", "--url", url);
});

Deno.test("watch: a malformed URL", async () => {
  await fails(2, "Cannot read the server URL", "watch", "--url", "localhost:6379");
});

Deno.test("watch: a server whose notify-keyspace-events is empty", async () => {
  await using server = await startServer();
  await fails(1, "CONFIG SET notify-keyspace-events 'AK'", "watch", "--url", server.url);
});

Deno.test("wrong use has its own exit status, with the usage", async () => {
  await fails(2, "Usage:", "watch", "--no-such-option");
  await fails(2, 'there is no command "wach"', "wach");
  await fails(2, "no command is given");
  await fails(2, "the command comes first", "--url", "redis://127.0.0.1", "watch");
});

Deno.test("a URL where a pattern belongs is not taken for one", async () => {
  const schemes = [
    "redis://",
    "rediss://",
    "redis+unix://",
    "VALKEY://",
    "valkey+unix://",
    "redis//",
  ];
  for (const scheme of schemes) {
    await using tool = InProcess.run(["watch", "user:*", `${scheme}:secret@127.0.0.1:1`]);
    const { code, stderr } = await tool.ended();
    assertEquals(code, 2, scheme);
    assertStringIncludes(stderr, "looks like the URL of a server; write --url before it");
    assertEquals(stderr.includes("secret"), false);
  }
});

Deno.test("a URL or an option before the command is not repeated", async () => {
  for (const word of ["redis://:secret@h", "u:secret@h", "--url=redis://:secret@h"]) {
    await using tool = InProcess.run([word, "watch"]);
    const { code, stderr } = await tool.ended();
    assertEquals([code, stderr.includes("secret")], [2, false], stderr);
    assertStringIncludes(stderr, "the command comes first");
  }
});

Deno.test("an empty pattern is not taken for every key, nor for none", async () => {
  await fails(2, "a pattern is empty; leave it out to watch every key", "watch", "user:*", "");
});

Deno.test("watch: a database that is not there", async () => {
  await using server = await startServer({ ...TALKATIVE, acl: ["bo on >pw ~* &* +@all"] });
  const url = `redis://bo:pw@127.0.0.1:${server.port}`;
  await fails(1, "it has no database 16", "watch", "--url", `${url}/16`);
  await using tool = InProcess.run(["watch", "--url", `${url}/15`]);
  await tool.noted("watching * on");
});

Deno.test("watch: a server that will not say whether it has the database", async () => {
  await using server = await startServer({ ...TALKATIVE, acl: ["bo on >pw ~* &* +@all -select"] });
  await using tool = InProcess.run(["watch", "--url", `redis://bo:pw@127.0.0.1:${server.port}/99`]);
  await tool.noted("watching * on");
});

Deno.test("what a server says cannot drive the terminal", async () => {
  await using peer = new Peer(answer("-DENIED \x1b]0;pwned\x07\r\n"));
  await fails(1, "DENIED \\x1b]0;pwned\\x07", "watch", "--url", peer.url);
});

Deno.test("what is typed cannot drive the terminal", async () => {
  await fails(2, 'there is no command "\\x1b[2J"', "\x1b[2J");
  await fails(2, "the command comes first, before --…", "--\x1b[2J");
});

Deno.test("watch: a disk that is full", async () => {
  await using server = await startServer(TALKATIVE);
  const program = ["sh", "-c", '"$@" > /dev/full', "sh", Deno.execPath(), "run", "--allow-net"];
  await using tool = Tool.run(["cli/mod.ts", "watch", "--url", server.url], { program });
  await tool.noted("watching");
  await server.command("SET", "k", "x");
  const { code, stderr } = await tool.ended();
  assertEquals(code, 1);
  assertMatch(stderr, /\nkeywatch: Cannot print the results: .*[Nn]o space left/);
});

Deno.test("--help prints the usage", async () => {
  await using tool = Tool.run(["--help"]);
  assertStringIncludes((await tool.line())!, "Usage: keywatch <command>");
  assertEquals((await tool.ended()).code, 0);
});

for (const args of [[], ["watch"], ["top"], ["doctor"], ["flags"]]) {
  Deno.test(`the help of keywatch ${args} fits a terminal, and shows examples`, async () => {
    await using tool = InProcess.run([...args, "--help"]);
    const text = await tool.rest();
    assertEquals(await tool.exited(), 0);
    assertEquals(text.split("\n").filter((line) => line.length > 79), []);
    assertStringIncludes(text, args.length === 0 ? "Commands:" : "Examples:\n  keywatch ");
  });
}

Deno.test("--help of a command prints its options and examples", async () => {
  await using tool = InProcess.run(["watch", "--help"]);
  assertStringIncludes((await tool.line())!, "Usage: keywatch watch");
  const lines = await tool.linesUntil("keywatch watch 'user:*'");
  for (const words of ["--json", "--for DURATION", "--url URL", "$REDIS_URL"]) {
    assertStringIncludes(lines.join("\n"), words);
  }
  assertEquals((await tool.ended()).code, 0);
});
