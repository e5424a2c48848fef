import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort, startServer, type TestServer, until } from "../servers/mod.ts";
import { answer, Peer, swallow } from "../pubsub/peer.ts";
import { Tool } from "./tool.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

async function watching(server: TestServer, pattern: string): Promise<void> {
  await until(`${pattern} is watched`, async () => {
    const list = String(await server.command("CLIENT", "LIST", "TYPE", "pubsub"));
    return list.includes("name=keywatch-watch") && !list.includes(" psub=0 ");
  });
}

Deno.test("watch prints what happens until Ctrl-C, and leaves cleanly", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = new Tool("watch", "--url", server.url);
  await watching(server, "*");
  await server.command("SET", "user:1", "x");
  await server.command("SELECT", 5);
  await server.command("HSET", "line\nbreak\u001b[2J", "f", "v");
  await server.command("SET", Uint8Array.of(0xff, 0x41), "x");
  assertMatch((await tool.line())!, /^\d\d:\d\d:\d\d\.\d{3} {2}db0 {2}set {11}user:1$/);
  assertMatch((await tool.line())!, /db5 {2}hset {10}line\\nbreak\\x1b\[2J$/);
  assertMatch((await tool.line())!, /db5 {2}set {11}\\xffA$/);
  tool.interrupt();
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
  await using tool = new Tool("watch", "--url", `${server.url}/2`, "user:*", "order:1");
  await watching(server, "user:*");
  await server.command("SET", "user:0", "x");
  await server.command("SELECT", 2);
  for (const key of ["cache:1", "user:1", "order:1", "order:2"]) {
    await server.command("SET", key, "x");
  }
  assertStringIncludes((await tool.line())!, "db2  set           user:1");
  assertStringIncludes((await tool.line())!, "db2  set           order:1");
});

Deno.test("watch ends well when nobody reads any more", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = new Tool("watch", "--url", server.url);
  await watching(server, "*");
  await tool.stopReading();
  const ended = tool.ended();
  let over = false;
  ended.finally(() => over = true);
  await until("it has ended", async () => {
    await server.command("SET", "k", "x");
    return over;
  });
  assertEquals((await ended).code, 0);
});

Deno.test("watch comes back after a loss, and shows the gap", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = new Tool("watch", "--url", server.url);
  await watching(server, "*");
  await server.restart();
  await watching(server, "*");
  await server.command("SET", "user:1", "x");
  assertMatch((await tool.line())!, /user:1$/);
  tool.interrupt();
  const { code, stderr } = await tool.ended();
  assertEquals(code, 0);
  assertMatch(stderr, new RegExp(`\nlost 127.0.0.1:${server.port}: .*; coming back\n`));
  assertMatch(
    stderr,
    new RegExp(`\ngap: notifications may be missing from 127.0.0.1:${server.port}, .* \\(disc`),
  );
});

/** The tool fails with one line on standard error, and nothing of a stack trace. */
async function fails(code: number, words: string, ...args: string[]): Promise<void> {
  await using tool = new Tool(...args);
  const ended = await tool.ended();
  assertStringIncludes(ended.stderr, words);
  assertEquals(ended.code, code);
  assertEquals(ended.stderr.includes("    at "), false, ended.stderr);
  if (code === 1) assertEquals(ended.stderr.trimEnd().split("\n").length, 1, ended.stderr);
}

Deno.test("watch: no server there", async () => {
  const url = `redis://127.0.0.1:${freePort()}`;
  await fails(1, "check that a server listens there", "watch", "--url", url);
});

Deno.test("watch: a server that is no Redis", async () => {
  await using peer = new Peer(answer("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await fails(1, "check that a Redis server listens there", "watch", "--url", peer.url);
});

Deno.test("watch: a server that accepts and says nothing", async () => {
  await using peer = new Peer(swallow);
  await fails(1, "no answer to HELLO within 5000 ms", "watch", "--url", peer.url);
});

Deno.test("watch: a server that closes at once", async () => {
  await using peer = new Peer(() => Promise.resolve());
  await fails(1, "keywatch: ", "watch", "--url", peer.url);
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
  await fails(1, "Cannot read the server URL", "watch", "--url", "localhost:6379");
});

Deno.test("watch: a server whose notify-keyspace-events is empty", async () => {
  await using server = await startServer();
  await fails(1, "CONFIG SET notify-keyspace-events 'AK'", "watch", "--url", server.url);
});

Deno.test("wrong use is told apart, with the usage", async () => {
  await fails(2, "Usage:", "watch", "--no-such-option");
  await fails(2, 'there is no command "wach"', "wach");
  await fails(2, "no command is given");
});

Deno.test("--help prints the usage", async () => {
  await using tool = new Tool("--help");
  assertStringIncludes((await tool.line())!, "Usage: keywatch watch");
  assertEquals((await tool.ended()).code, 0);
});
