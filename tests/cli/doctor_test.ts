import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startServer, type TestServer, until } from "../servers/mod.ts";
import type { Finding } from "../../cli/doctor/finding.ts";
import { answer, Peer, writeAll } from "../pubsub/peer.ts";
import { commandsIn, doctor, obey, obeyAll } from "./doctor.ts";
import { fails, InProcess } from "./in_process.ts";
import { Tool } from "./tool.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

async function keysOf(server: TestServer): Promise<unknown> {
  return await server.command("DBSIZE");
}

Deno.test("doctor finds nothing wrong where nothing is", async () => {
  await using server = await startServer(TALKATIVE);
  const { code, text } = await doctor("--probe", "--url", server.url);
  assertEquals(code, 0, text);
  const marks = [...text.matchAll(/^ {2}(\S) (\w+)/gm)].map(([, mark, topic]) =>
    `${mark} ${topic}`
  );
  assertEquals(marks, [
    "✓ reached",
    "✓ version",
    "✓ role",
    "✓ protocol",
    "✓ flags",
    "✓ subscribing",
    "✓ flushes",
    "✓ buffer",
    "✓ probe",
  ]);
  assertMatch(text, /set of keywatch:probe:\w{8} came, as it should/);
  assertStringIncludes(text, "Nothing is wrong that can be seen\n");
  assertEquals(await keysOf(server), 0);
});

Deno.test("doctor changes nothing without the option", async () => {
  await using server = await startServer(TALKATIVE);
  await using watch = InProcess.run(["watch", "--url", server.url]);
  await watch.noted("watching");
  const { code, text } = await doctor("--url", server.url);
  assertEquals([code, text.includes("probe of")], [0, false]);
  assertStringIncludes(text, "--probe tries it out");
  await server.command("SET", "the first", "x");
  assertStringIncludes((await watch.line())!, "the first");
});

Deno.test("doctor gives the command that turns notifications on, and it does", async () => {
  await using server = await startServer();
  const { code, text } = await doctor("--probe", "--url", server.url);
  assertEquals(code, 1);
  assertStringIncludes(
    text,
    '✗ flags       notify-keyspace-events is "" and lacks "AK": nothing of it comes',
  );
  assertStringIncludes(text, "nothing came within 3 s of set, ");
  assertStringIncludes(text, "as the flags let expect");
  assertStringIncludes(text, "2 things are wrong");
  const [command] = commandsIn(text);
  await obey(command!);
  const again = await doctor("--probe", "--url", server.url);
  assertEquals(again.code, 0, again.text);
});

Deno.test("doctor lays the flags against what is asked for", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "K$" } });
  const { url } = server;
  const all = await doctor("--url", url);
  assertEquals(all.code, 0);
  assertStringIncludes(all.text, 'is "$K" and lacks "A": a part of it does not come');
  const strings = await doctor("--url", url, "--probe", "user:*", "--event", "set");
  assertEquals(strings.code, 0);
  assertStringIncludes(strings.text, 'is "$K", of which "$K" is needed');
  const both = await doctor("--url", url, "user:*", "--event", "set", "--event", "expired");
  assertEquals(both.code, 1);
  assertStringIncludes(both.text, 'lacks "x": a part of it does not come');
  await obey(commandsIn(both.text)[0]!);
  assertEquals(await server.command("CONFIG", "GET", "notify-keyspace-events"), [
    "notify-keyspace-events",
    "$xK",
  ]);
  const expired = await doctor("--url", url, "--probe", "user:*", "--event", "expired");
  assertEquals(expired.code, 0, expired.text);
  assertStringIncludes(expired.text, "expired of keywatch:probe:");
});

Deno.test("doctor says what is unknown: what A hides", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  const args = ["--event", "new", "--url", server.url];
  const { code, text } = await doctor(...args);
  assertEquals(code, 0);
  assertStringIncludes(text, 'whether "n" is set, which is needed, it hides behind A');
  assertEquals((await doctor("--probe", ...args)).code, 1);
  await obey(commandsIn(text)[0]!);
  const again = await doctor("--probe", ...args);
  assertEquals(again.code, 0, again.text);
  assertStringIncludes(again.text, "✓ probe       new of keywatch:probe:");
});

Deno.test("doctor probes what can be probed, of each class of events", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEAmn" } });
  for (const event of ["del", "hset", "lpush", "sadd", "zadd", "xadd", "keymiss", "persist"]) {
    const { text } = await doctor("--probe", "--event", event, "--url", server.url);
    assertStringIncludes(text, `✓ probe       ${event} of keywatch:probe:`);
  }
  const { code, text } = await doctor("--probe", "--event", "evicted", "--url", server.url);
  assertEquals(code, 0);
  assertStringIncludes(text, "? probe       no probe can make evicted happen");
  assertEquals(await keysOf(server), 0);
});

const BO = ["--user", "bo", "--password", "pw"];

Deno.test("doctor gives the commands for a user who may not subscribe, and they do", async () => {
  const rule = "bo on >pw ~* resetchannels +@all -psubscribe";
  await using server = await startServer({ ...TALKATIVE, acl: [rule] });
  const texts = await obeyAll(server, ...BO, "--probe", "user:*");
  assertStringIncludes(texts[0]!, "✗ subscribing __keyspace@*__:user:* is refused: NOPERM");
  assertStringIncludes(texts[0]!, "? probe       the channel of a key of its own may not be sub");
  assertStringIncludes(texts.at(-1)!, "✓ subscribing");
  assertStringIncludes(texts.at(-1)!, "✓ probe");
});

Deno.test("doctor gives the commands for a user who may subscribe all but not by the command", async () => {
  const rule = "bo on >pw ~* &* +@all -subscribe";
  await using server = await startServer({ ...TALKATIVE, acl: [rule] });
  const texts = await obeyAll(server, ...BO, "--probe", "--event", "set", "--db", "0");
  assertStringIncludes(texts[0]!, "✗ subscribing __keyevent@0__:set is refused: NOPERM");
  assertStringIncludes(texts.at(-1)!, "✓ probe");
});

Deno.test("doctor gives the commands for a user who may not read CONFIG, nor touch a key", async () => {
  const rule = "bo on >pw ~user:* &* +@all -config -set";
  await using server = await startServer({ ...TALKATIVE, acl: [rule] });
  const texts = await obeyAll(server, ...BO, "--probe");
  assertStringIncludes(texts[0]!, "? flags       it does not show notify-keyspace-events (NOPERM");
  assertStringIncludes(texts[0]!, "? buffer");
  assertStringIncludes(texts[0]!, "could not be touched: NOPERM");
  assertStringIncludes(texts.at(-1)!, "✓ flags");
  assertStringIncludes(texts.at(-1)!, "✓ probe");
});

/** A server as some services have it: some commands are not there. */
function startLacking(...commands: string[]): Promise<TestServer> {
  const config = { ...TALKATIVE.config, "rename-command": commands.map((one) => `${one} ""`) };
  return startServer({ config });
}

Deno.test("doctor says what to do where CONFIG is not there, for each service", async () => {
  await using server = await startLacking("CONFIG");
  const { code, text } = await doctor("--url", server.url, "--event", "set", "--event", "del");
  assertEquals(code, 0);
  for (
    const words of [
      "? flags       it does not show notify-keyspace-events (ERR unknown command",
      "in redis.conf, and restart it: notify-keyspace-events g$E",
      "ParameterName=notify-keyspace-events,ParameterValue='g$E'",
      "--set 'redisConfiguration.notify-keyspace-events=g$E'",
      "--update-redis-config 'notify-keyspace-events=g$E'",
      "heroku redis:keyspace-notifications",
    ]
  ) assertStringIncludes(text, words);
  // Where it was seen to work, nothing needs a fix.
  const probed = await doctor("--url", server.url, "--probe");
  assertStringIncludes(probed.text, "✓ probe");
  assertEquals(probed.text.includes("aws elasticache"), false);
});

Deno.test("doctor says where PSUBSCRIBE is not there, and what may do", async () => {
  await using server = await startLacking("PSUBSCRIBE", "HELLO");
  const { code, text } = await doctor("--url", server.url);
  assertEquals(code, 1);
  assertStringIncludes(text, "✓ protocol    RESP2: it has no RESP3, or a proxy");
  assertStringIncludes(text, "✗ subscribing __keyspace@*__:* is refused: ERR unknown command");
  assertStringIncludes(text, "exact keys or events of one database may do");
  const advised = ["--event", "expired", "--db", "0", "--probe", "--url", server.url];
  const exact = await doctor(...advised);
  assertEquals(exact.code, 0, exact.text);
  assertStringIncludes(exact.text, "SUBSCRIBE __keyevent@0__:expired is taken, in RESP2");
});

Deno.test("doctor says of a replica that it is one, and where its primary is", async () => {
  await using primary = await startServer(TALKATIVE);
  const config = { ...TALKATIVE.config, replicaof: `127.0.0.1 ${primary.port}` };
  await using replica = await startServer({ config });
  await until("it follows", async () => {
    return String(await replica.command("INFO", "replication")).includes("master_link_status:up");
  });
  const { code, text } = await doctor("--probe", "--url", replica.url);
  assertEquals(code, 0);
  assertStringIncludes(text, "! role        replica: ");
  assertStringIncludes(text, `its primary: --url redis://127.0.0.1:${primary.port}`);
  assertStringIncludes(text, "? probe       a replica takes no writes");
});

Deno.test("doctor says which server is too old for the fields of hashes", async () => {
  await using server = await startServer(TALKATIVE);
  const { code, text } = await doctor("--field", "total", "--url", server.url);
  assertEquals(code, 1);
  assertMatch(text, /✗ version .* does not know "I", which is needed: Redis 8.8 brought it/);
  assertStringIncludes(text, 'and lacks "I"');
  assertEquals(commandsIn(text), []);
  await server.command("CONFIG", "SET", "notify-keyspace-events", "");
  const off = await doctor("--field", "total", "--url", server.url);
  assertStringIncludes(off.text, 'and lacks "hI"');
  assertEquals(commandsIn(off.text), [], "no letter helps");
});

Deno.test("doctor says of a database that it is not there", async () => {
  await using server = await startServer(TALKATIVE);
  const { code, text } = await doctor("--db", "99", "--probe", "--url", server.url);
  assertEquals(code, 1);
  assertStringIncludes(text, "✗ database    there is no database 99");
  const there = await doctor("--db", "9", "--probe", "--url", server.url);
  assertEquals(there.code, 0, there.text);
  assertEquals(await keysOf(server), 0);
});

Deno.test("doctor warns of small buffers, and gives the command", async () => {
  const config = { ...TALKATIVE.config, "client-output-buffer-limit": "pubsub 64kb 32kb 10" };
  await using server = await startServer({ config });
  const { code, text } = await doctor("--url", server.url);
  assertEquals(code, 0);
  assertStringIncludes(
    text,
    "! buffer      a reader who is behind is cut off at 64 kB, or at 32 kB for",
  );
  await obey(commandsIn(text)[0]!);
  assertStringIncludes((await doctor("--url", server.url)).text, "✓ buffer");
  await server.command("CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0");
  const { text: unlimited } = await doctor("--url", server.url);
  assertStringIncludes(unlimited, "✓ buffer      a reader may be behind without limit");
});

/** What stands between, and passes on what a rule makes of each chunk. */
function proxyTo(server: TestServer, rule: (text: string) => string): Peer {
  return new Peer(async (client) => {
    const upstream = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const copy = async (from: Deno.Conn, to: Deno.Conn) => {
      const buffer = new Uint8Array(64 * 1024);
      for (let n; (n = await from.read(buffer)) !== null;) {
        const text = rule(new TextDecoder().decode(buffer.subarray(0, n)));
        await writeAll(to, new TextEncoder().encode(text));
      }
    };
    try {
      await Promise.race([copy(client, upstream), copy(upstream, client)]);
    } finally {
      upstream.close();
    }
  });
}

/** Takes messages out of what a server sends, also where something else comes with them. */
function without(kinds: "p?message" | "pmessage"): (text: string) => string {
  const frames = new RegExp(
    `[>*]\\d\\r\\n\\$\\d\\r\\n${kinds}\\r\\n(\\$\\d+\\r\\n[^\\r]*\\r\\n){2,3}`,
    "g",
  );
  return (text) => text.replaceAll(frames, "");
}

Deno.test("doctor finds out what drops the messages between", async () => {
  await using server = await startServer(TALKATIVE);
  await using dropping = proxyTo(server, without("p?message"));
  await using droppingPatterns = proxyTo(server, without("pmessage"));
  const probe = (proxy: Peer, ...args: string[]) =>
    doctor("--probe", ...args, "--event", "set", "--url", proxy.url);
  const [all, pattern, exact] = await Promise.all([
    probe(dropping),
    probe(droppingPatterns, "--db", "0", "user:*"),
    probe(droppingPatterns, "--db", "0", "user:1"),
  ]);
  assertEquals(all.code, 1);
  assertStringIncludes(all.text, "✗ probe       nothing came within 3 s of set");
  assertStringIncludes(all.text, "the flags are right, so something between drops it: a proxy");
  assertEquals(pattern.code, 1, "the probe goes the way of what is asked for");
  assertEquals(exact.code, 0, exact.text);
});

Deno.test("doctor says why it cannot reach a server, or is not let in", async () => {
  const { code, text } = await doctor("--url", "redis://127.0.0.1:1");
  assertEquals(code, 1);
  assertStringIncludes(text, "✗ reached     Cannot connect to 127.0.0.1:1: ");
  assertStringIncludes(text, "1 thing is wrong");
  await using server = await startServer({ password: "secret" });
  const refused = await doctor("--url", server.url, "--password", "wrong");
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.text, "WRONGPASS");
  assertEquals(refused.text.includes("secret"), false);
});

Deno.test("what a server says cannot drive the terminal of doctor", async () => {
  await using peer = new Peer(answer("-DENIED \x1b]0;pwned\x07\r\n"));
  const { code, text } = await doctor("--url", peer.url);
  assertEquals(code, 1);
  assertStringIncludes(text, "\\x1b]0;pwned\\x07");
});

Deno.test("doctor leaves cleanly when it is interrupted", async () => {
  await using server = await startServer();
  await using tool = Tool.run(["doctor", "user:1", "--probe", "--url", `${server.url}/0`]);
  await until("it probes", async () => {
    return String(await server.command("PUBSUB", "CHANNELS")).includes("keywatch:probe:");
  });
  tool.kill("SIGINT");
  const { code, stderr } = await tool.ended();
  assertEquals([code, stderr], [0, ""]);
  await until("nothing is left", async () => await keysOf(server) === 0);
});

Deno.test("doctor leaves no key of its own when it is interrupted", async () => {
  await using server = await startServer(TALKATIVE);
  let deletions = 0;
  await using proxy = proxyTo(
    server,
    (text) => text.includes("DEL") && deletions++ === 0 ? "" : text,
  );
  await using tool = Tool.run(["doctor", "--probe", "--url", proxy.url]);
  await until("it waits for its key to be gone", () => deletions === 1);
  assertEquals(await keysOf(server), 1);
  tool.kill("SIGINT");
  assertEquals((await tool.ended()).code, 0);
  assertEquals(await keysOf(server), 0);
});

Deno.test("doctor is coloured on terminals with colours", async () => {
  await using server = await startServer(TALKATIVE);
  const env = { NO_COLOR: "" };
  await using tool = Tool.runOnTerminal(["doctor", "--url", server.url], { env });
  const text = await tool.rest();
  assertEquals(await tool.exited(), 0);
  assert(text.includes("\x1b[32m✓\x1b[39m"), text);
});

Deno.test("doctor: arguments that make no sense", async () => {
  await fails(2, "a pattern is empty", "doctor", "");
  await fails(2, "zincrby is sent by no server", "doctor", "--event", "zincrby");
  await fails(2, "there is no option --for", "doctor", "--for", "1s");
  await fails(2, "Cannot read the server URL", "doctor", "--url", "http://127.0.0.1");
});

Deno.test("doctor says whether flushes can be observed", async () => {
  const acl = ["bo on >pw ~* &* +@all -client|tracking"];
  await using server = await startServer({ ...TALKATIVE, acl });
  const args = ["--user", "bo", "--password", "pw", "--url", server.url];
  const { code, text } = await doctor(...args);
  assertMatch(text, /! flushes +FLUSHALL and FLUSHDB cannot be observed: NOPERM/);
  assertEquals(code, 0);
  for (const command of commandsIn(text)) await obey(command);
  assertStringIncludes((await doctor(...args)).text, "✓ flushes");
});

Deno.test("doctor --json prints one object with all findings", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "K" } });
  const args = ["doctor", "user:*", "--event", "expird", "--json", "--url", server.url];
  await using cli = InProcess.run(args);
  const lines = (await cli.rest()).trimEnd().split("\n");
  assertEquals([lines.length, (await cli.ended()).code], [1, 1]);
  const { ok, database, patterns, events, findings, servers } = JSON.parse(lines[0]!);
  assertEquals([ok, database, patterns, events], [false, "*", ["user:*"], ["expird"]]);
  assertEquals(findings.map(({ level, topic }: Finding) => [level, topic]), [["warning", "event"]]);
  assertEquals(servers.length, 1);
  assertEquals(servers[0].server, `127.0.0.1:${server.port}`);
  const flags = servers[0].findings.find(({ topic }: Finding) => topic === "flags");
  assertEquals(flags.level, "wrong");
  assertStringIncludes(flags.fix[0], "CONFIG SET notify-keyspace-events");

  await server.command("CONFIG", "SET", "notify-keyspace-events", "KEA");
  await using well = InProcess.run(["doctor", "--json", "--url", server.url]);
  assertEquals(JSON.parse((await well.line())!).ok, true);
  assertEquals((await well.ended()).code, 0);
});
