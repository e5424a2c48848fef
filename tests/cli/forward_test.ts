/** `forward` as it runs: into streams, and to commands. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { join } from "node:path";
import { pump } from "../../cli/forward/pump.ts";
import { StreamSink } from "../../cli/forward/stream_sink.ts";
import { connect } from "../../mod.ts";
import { sleep, startCluster, startServer, type TestServer, until } from "../servers/mod.ts";
import { fails, InProcess } from "./in_process.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

/** The entries of a stream, without what differs in each run. */
async function entriesOf(server: TestServer, stream = "events"): Promise<Record<string, string>[]> {
  const reply = await server.command("XRANGE", stream, "-", "+") as [string, string[]][];
  return reply.map(([, fields]) => {
    const entry: Record<string, string> = {};
    for (let i = 0; i < fields.length; i += 2) entry[fields[i]!] = fields[i + 1]!;
    return entry;
  });
}

function keysOf(entries: Record<string, string>[]): string[] {
  return entries.map(({ kind, key, reason }) => kind === "event" ? key! : `${kind} ${reason}`);
}

async function ends(cli: InProcess): Promise<void> {
  cli.interrupt();
  assertEquals(await cli.exited(), 0, cli.notes);
}

Deno.test("forward writes an entry for each notification, and none for its own", async () => {
  await using server = await startServer(TALKATIVE);
  await using cli = InProcess.run(["forward", "--to-stream", "events", "--url", server.url]);
  await cli.noted("forwarding *");
  await server.command("SET", "user:1", "x");
  await server.command("HSET", "a \0 key", "f", "v");
  await until("both are there", async () => (await entriesOf(server)).length === 3);
  await ends(cli);
  const [start, first, second] = await entriesOf(server);
  const { seq, to, ...gap } = start!;
  assertEquals(gap, { kind: "gap", reason: "start", node: `127.0.0.1:${server.port}` });
  assert(Math.abs(Number(to) - Date.now()) < 60_000);
  const { at, ...set } = first!;
  assert(Math.abs(Number(at) - Date.now()) < 60_000);
  const next = seq!.replace(/1$/, "2");
  assertEquals(set, { kind: "event", event: "set", key: "user:1", db: "0", seq: next });
  assertEquals([second!["event"], second!["key"]], ["hset", "a \0 key"]);

  // The next run says since when nothing was written.
  await using again = InProcess.run(["forward", "--to-stream", "events", "--url", server.url]);
  await again.noted("forwarding *");
  await ends(again);
  const last = (await entriesOf(server)).at(-1)!;
  assertEquals(last["reason"], "start");
  assert(Number(last["from"]) >= Number(at) && Number(last["from"]) <= Number(last["to"]));
});

Deno.test("forward writes no entries for its own, also if --to-url is what it watches", async () => {
  await using server = await startServer(TALKATIVE);
  const args = ["--to-stream", "events", "--to-url", server.url, "--url", server.url];
  await using cli = InProcess.run(["forward", ...args]);
  await cli.noted("forwarding *");
  for (const key of ["a", "b"]) {
    await server.command("SET", key, "x");
    await until("it is there", async () => keysOf(await entriesOf(server)).includes(key));
  }
  await ends(cli);
  assertEquals(keysOf(await entriesOf(server)), ["gap start", "a", "b"]);
});

Deno.test("forward writes gaps and flushes at their place", async () => {
  await using server = await startServer(TALKATIVE);
  await using to = await startServer();
  const args = ["--flushes", "--to-stream", "events", "--to-url", to.url, "--url", server.url];
  await using cli = InProcess.run(["forward", ...args]);
  await cli.noted("forwarding *");
  await server.command("SET", "a", "x");
  await server.command("FLUSHALL");
  await server.command("SET", "b", "x");
  await until("three are there", async () => (await entriesOf(to)).length === 4);
  await server.command("CLIENT", "KILL", "TYPE", "pubsub");
  await until("the gap is there", async () => (await entriesOf(to)).length === 5);
  await server.command("SET", "c", "x");
  await until("it goes on", async () => (await entriesOf(to)).length === 6);
  await ends(cli);
  const entries = await entriesOf(to);
  assertEquals(keysOf(entries), [
    "gap start",
    "a",
    "flush undefined",
    "b",
    "gap disconnected",
    "c",
  ]);
  assert(Number(entries[4]!["from"]) <= Number(entries[4]!["to"]));
});

Deno.test("forward keeps everything, in order, while the server of the stream is away", async () => {
  await using server = await startServer(TALKATIVE);
  await using to = await startServer({ config: { appendonly: "yes", appendfsync: "always" } });
  const args = ["--to-stream", "events", "--to-url", to.url, "--url", server.url];
  await using cli = InProcess.run(["forward", ...args]);
  await cli.noted("forwarding *");
  await server.command("SET", "before", "x");
  await until("one is there", async () => (await entriesOf(to)).length === 2);
  await to.kill();
  const keys = Array.from({ length: 50 }, (_, i) => `meanwhile:${i}`);
  for (const key of keys) await server.command("SET", key, "x");
  await cli.noted("cannot write to the stream events: ");
  await to.restart();
  await cli.noted("writing to the stream events again after ");
  // If the reply to a write was lost, its entries are written again, with the same numbers.
  const written = async () => {
    return [...new Map((await entriesOf(to)).map((entry) => [entry["seq"], entry])).values()];
  };
  await until("all are there", async () => (await written()).length === 52);
  await ends(cli);
  assertEquals(keysOf(await written()), ["gap start", "before", ...keys]);
  assertEquals(cli.notes.match(/cannot write/g)?.length, 1);
});

Deno.test("forward writes all that it has received when it is asked to end", async () => {
  await using server = await startServer(TALKATIVE);
  await using to = await startServer();
  const args = ["--to-stream", "events", "--to-url", to.url, "--url", server.url];
  await using cli = InProcess.run(["forward", ...args]);
  await cli.noted("forwarding *");
  await to.command("CLIENT", "PAUSE", 1_000, "WRITE");
  for (let i = 0; i < 300; i++) await server.command("SET", `key:${i}`, "x");
  // More than one read may have brought them.
  await sleep(100);
  await ends(cli);
  assertEquals(keysOf(await entriesOf(to)).length, 301);
});

Deno.test("what cannot be written is counted when the time for it is over", async () => {
  await using to = await startServer();
  const notes: string[] = [];
  const giveUp = new AbortController();
  const sink = new StreamSink({
    target: {
      url: to.url,
      address: { hostname: "127.0.0.1", port: to.port },
      db: 0,
      tls: undefined,
      tlsFiles: {},
      username: undefined,
      password: undefined,
    },
    stream: "events",
    length: 10,
    otherNodes: () => [],
    output: { note: (text) => void notes.push(text) },
    signal: giveUp.signal,
  });
  await sink.start();
  await to.kill();
  const flush = { kind: "flush", node: "a:1", at: 1 } as const;
  const taken = sink.take([flush, flush]);
  await until("it has noted that", () => notes.length === 1);
  giveUp.abort();
  await assertRejects(() => taken, Error, "2 entries could not be written to the stream events: ");
  await to.restart();
});

Deno.test("forward finds the node of a cluster that has the stream", async () => {
  await using cluster = await startCluster(TALKATIVE);
  const owner = await cluster.ownerOf("events");
  const [other] = cluster.servers.filter((server) => server !== owner);
  const args = ["forward", "--to-stream", "events", "--url", other!.url];
  await using cli = InProcess.run([...args, "--event", "set"]);
  await cli.noted("forwarding ");
  const server = await cluster.ownerOf("a");
  await server.command("SET", "a", "x");
  await until("it is there", async () => (await entriesOf(owner)).length === 2);
  await ends(cli);
  assertEquals((await entriesOf(owner))[1]!["node"], `127.0.0.1:${server.port}`);
});

Deno.test("forward keeps about as many entries as the option says", async () => {
  await using server = await startServer(TALKATIVE);
  const args = ["--to-stream", "events", "--maxlen", "10", "--count", "500"];
  await using cli = InProcess.run(["forward", ...args, "--url", server.url]);
  await cli.noted("forwarding *");
  for (let i = 0; i < 500; i++) await server.command("SET", "k", "x");
  assertEquals(await cli.exited(), 0);
  assert(Number(await server.command("XLEN", "events")) <= 110);
});

Deno.test("forward fails at once if the stream cannot be written", async () => {
  await using server = await startServer(TALKATIVE);
  await server.command("SET", "events", "no stream");
  await fails(1, "WRONGTYPE", "forward", "--to-stream", "events", "--url", server.url);
});

/** A folder with a script that adds its arguments and its input to files there. */
async function makeScript(text: string): Promise<AsyncDisposable & { folder: string }> {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(join(folder, "script"), `cd ${folder}\n${text}`);
  return {
    folder,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

async function read(folder: string, file: string): Promise<string> {
  return await Deno.readTextFile(join(folder, file)).catch(() => "");
}

/** What no argument of a command can be. */
const NASTY = [
  "plain",
  "two words",
  "$(touch evil) `touch evil`; touch evil",
  "'\"\\",
  "-n",
  "a\nb",
];

Deno.test("forward --exec passes keys as arguments, whatever they hold", async () => {
  await using server = await startServer(TALKATIVE);
  await using script = await makeScript(`printf '[%s]' "$@" >> args; cat >> input`);
  const { folder } = script;
  const exec = `sh ${folder}/script {event} 'key {key}' "{db} \\"x\\""`;
  const args = ["--exec", exec, "--count", `${NASTY.length}`, "--url", server.url];
  await using cli = InProcess.run(["forward", ...args]);
  await cli.noted("forwarding *");
  for (const key of NASTY) await server.command("SET", key, "x");
  assertEquals(await cli.exited(), 0, cli.notes);
  const expected = NASTY.map((key) => `[set][key ${key}][0 "x"]`).join("");
  assertEquals(await read(folder, "args"), expected);
  const inputs = (await read(folder, "input")).trimEnd().split("\n").map((line) =>
    JSON.parse(line)
  );
  assertEquals(inputs.map(({ key }) => key), NASTY);
  assertEquals(await read(folder, "evil"), "");
});

Deno.test("forward --shell has the values as variables", async () => {
  await using server = await startServer(TALKATIVE);
  await using script = await makeScript("");
  const { folder } = script;
  const exec = `cd ${folder} && printf '[%s %s %s]' "$event" "$key" "$db" >> out # "$1"`;
  const args = ["--shell", "--exec", exec, "--count", `${NASTY.length}`, "--url", server.url];
  await using cli = InProcess.run(["forward", ...args]);
  await cli.noted("forwarding *");
  for (const key of NASTY) await server.command("SET", key, "x");
  assertEquals(await cli.exited(), 0, cli.notes);
  assertEquals(await read(folder, "out"), NASTY.map((key) => `[set ${key} 0]`).join(""));
  assertEquals(await read(folder, "evil"), "");
});

Deno.test("forward --exec reports commands that fail, and goes on", async () => {
  await using server = await startServer(TALKATIVE);
  await using script = await makeScript(`case $1 in
    bad) exit 3 ;;
    slow) sleep 30 ;;
    *) echo "$1" >> done ;;
  esac`);
  const { folder } = script;
  const exec = ["--exec", `sh ${folder}/script {key}`, "--timeout", "300ms"];
  await using cli = InProcess.run(["forward", ...exec, "--count", "5", "--url", server.url]);
  await cli.noted("forwarding *");
  const bytes = [Uint8Array.of(0xff), Uint8Array.of(0x61, 0)];
  for (const key of ["bad", "slow", ...bytes, "good"]) await server.command("SET", key, "x");
  assertEquals(await cli.exited(), 1);
  for (
    const words of [
      "the command failed for set of bad: its exit status is 3\n",
      "the command failed for set of slow: it took longer than --timeout, and was killed\n",
      "the command failed for set of \\xff: its key is not text; read keyBase64",
      "the command failed for set of a\\x00: an argument cannot hold the NUL",
    ]
  ) assertStringIncludes(cli.notes, words);
  assertEquals(await read(folder, "done"), "good\n");
});

Deno.test("forward --exec goes on after a key that is too long for an argument", async () => {
  await using server = await startServer(TALKATIVE);
  await using script = await makeScript(`echo "$1" >> done`);
  const exec = ["--exec", `sh ${script.folder}/script {key}`, "--count", "2", "--jobs", "2"];
  await using cli = InProcess.run(["forward", ...exec, "--url", server.url]);
  await cli.noted("forwarding *");
  for (const key of ["k".repeat(200_000), "good"]) await server.command("SET", key, "x");
  assertEquals(await cli.exited(), 1);
  assertMatch(cli.notes, /the command failed for set of k{200}…: /);
  assertEquals(await read(script.folder, "done"), "good\n");
});

Deno.test("forward --exec runs as many at the same time as the option says, and ends them all", async () => {
  await using server = await startServer(TALKATIVE);
  await using script = await makeScript(`echo start >> log; sleep 0.2; echo end >> log`);
  const { folder } = script;
  const args = ["--exec", `sh ${folder}/script`, "--jobs", "3", "--url", server.url];
  await using cli = InProcess.run(["forward", ...args]);
  await cli.noted("forwarding *");
  for (let i = 0; i < 7; i++) await server.command("SET", "k", "x");
  await until("some have started", async () => (await read(folder, "log")).includes("start"));
  await ends(cli);
  const lines = (await read(folder, "log")).trimEnd().split("\n");
  assertEquals(lines.filter((line) => line === "end").length, 7);
  let running = 0;
  let most = 0;
  for (const line of lines) {
    running += line === "start" ? 1 : -1;
    most = Math.max(most, running);
  }
  assert(most >= 2 && most <= 3, `${most}`);
});

Deno.test("forward ends under load if it is asked to end before it has begun", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url);
  await notifications.subscribeKeyspace("*");
  let taken = 0;
  const sink = {
    name: "a sink during which more happens",
    start: () => Promise.resolve(),
    async take() {
      assert(++taken < 100, "it goes on");
      await server.command("SET", "k", "x");
      await sleep(10);
    },
    end: () => Promise.resolve(true),
  };
  await server.command("SET", "k", "x");
  await sleep(10);
  const options = { flushes: false, count: Infinity, takes: () => true };
  await pump(notifications, sink, { ...options, signal: AbortSignal.abort() });
  assert(taken > 0);
});

Deno.test("forward --exec ends when there is no such program", async () => {
  await using server = await startServer(TALKATIVE);
  await using cli = InProcess.run(["forward", "--exec", "no-such-program {key}", "-u", server.url]);
  await cli.noted("forwarding *");
  await server.command("SET", "k", "x");
  assertEquals(await cli.exited(), 1);
  assertMatch(cli.notes, /keywatch: Cannot run no-such-program: /);
});

Deno.test("forward: bad input", async () => {
  const cases: [words: string, ...args: string[]][] = [
    ["forward takes either --to-stream or --exec"],
    ["forward takes either --to-stream or --exec", "--to-stream", "a", "--exec", "b"],
    ["--jobs goes with --exec", "--to-stream", "a", "--jobs", "2"],
    ["--maxlen goes with --to-stream", "--exec", "a", "--maxlen", "2"],
    ["--maxlen takes a whole number", "--to-stream", "a", "--maxlen", "0"],
    ["--to-stream takes the key of a stream", "--to-stream", ""],
    ["--to-url: ", "--to-stream", "a", "--to-url", "http://x"],
    ["--exec lacks a command", "--exec", " "],
    ["--exec lacks a command", "--shell", "--exec", " "],
    ["--exec has a ' without its end", "--exec", "echo 'a"],
    ["--exec knows no {evnt}; did you mean event?", "--exec", "echo {evnt}"],
    ['with --shell, write "$key" in place of {key}', "--shell", "--exec", "echo {key}"],
  ];
  for (const [words, ...args] of cases) await fails(2, words, "forward", ...args);
});
