/** What `watch` prints for programs: rows and objects. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startServer, type TestServer, until } from "../servers/mod.ts";
import type { Cli } from "./cli.ts";
import { InProcess } from "./in_process.ts";
import { Tool } from "./tool.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

/** As many kinds of bytes as a row may have to escape. */
const KEYS = [
  "user:1",
  'quo"te,comma\\',
  "lines\r\n\t\u0007\b\u001b[2J\u007f",
  "Ωключ",
  Uint8Array.of(0, 0xff, 0xc3, 0x28),
  "",
];

/** Runs `redis-cli`, or fails: it comes with the server. */
function redisCli(server: TestServer, ...args: string[]): Tool {
  return Tool.run(["-p", `${server.port}`, ...args], { program: ["redis-cli"] });
}

async function isSubscribed(server: TestServer, patterns: number): Promise<void> {
  await until("both are subscribed", async () => {
    const clients = String(await server.command("CLIENT", "LIST", "TYPE", "pubsub"));
    const counts = [...clients.matchAll(/ psub=(\d+) /g)].map(([, count]) => Number(count));
    return counts.length === 2 && counts.every((count) => count === patterns);
  });
}

/** All lines up to the one of the key `end`, without other lines. */
async function rowsOf(tool: Cli): Promise<string[]> {
  return (await tool.linesUntil("end")).filter((line) => line.startsWith('"'));
}

Deno.test("watch --csv prints what redis-cli prints", async () => {
  await using server = await startServer(TALKATIVE);
  const pattern = "__keyspace@*__:*";
  await using theirs = redisCli(server, "--csv", "psubscribe", pattern);
  await using ours = InProcess.run(["watch", "--csv", "--url", server.url]);
  await isSubscribed(server, 1);
  for (const key of KEYS) await server.command("SET", key, "x");
  for (const key of KEYS) await server.command("DEL", key);
  await server.command("SET", "end", "x");
  const rows = await rowsOf(ours);
  assertEquals(rows, await rowsOf(theirs));
  assertEquals(rows.length, 1 + 2 * KEYS.length + 1);
});

Deno.test("watch --csv prints what redis-cli prints where patterns overlap", async () => {
  await using server = await startServer(TALKATIVE);
  const patterns = ["__keyspace@*__:u*", "__keyspace@*__:user:?", "__keyspace@*__:*d"];
  await using theirs = redisCli(server, "--csv", "psubscribe", ...patterns);
  await using ours = InProcess.run(["watch", "--csv", "--url", server.url, "u*", "user:?", "*d"]);
  await isSubscribed(server, 3);
  for (const key of ["user:1", "user", "cache", "end"]) await server.command("SET", key, "x");
  const rows = await rowsOf(ours);
  // In which order a server goes through its patterns is its own business.
  assertEquals(rows.toSorted(), (await rowsOf(theirs)).toSorted());
  assertEquals(rows.length, 3 + 2 + 1 + 1);
});

Deno.test("watch --csv prints what redis-cli prints of an exact channel, and of events", async () => {
  await using server = await startServer(TALKATIVE);
  await using theirs = redisCli(server, "--csv", "subscribe", "__keyevent@0__:del");
  await using ours = InProcess.run([
    "watch",
    "--csv",
    "--url",
    `${server.url}/0`,
    "--event",
    "del",
  ]);
  await until("both are subscribed", async () => {
    return String(await server.command("PUBSUB", "NUMSUB", "__keyevent@0__:del")).endsWith(",2");
  });
  for (const key of ["a\nb", "end"]) {
    await server.command("SET", key, "x");
    await server.command("DEL", key);
  }
  assertEquals(await rowsOf(ours), await rowsOf(theirs));
});

Deno.test("watch --json prints an object a line, whose bytes can be had again", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = InProcess.run(["watch", "--json", "--since-start", "--url", server.url]);
  await tool.noted("watching");
  const before = Date.now();
  for (const key of KEYS) await server.command("SET", key, "x");
  for (const key of KEYS) {
    const line = (await tool.line())!;
    assertMatch(line, /^[^\p{Cc}\p{Cf}]*$/u);
    const { timestamp, sinceStart, ...said } = JSON.parse(line);
    const shared = { kind: "keyspace", database: 0, eventType: "set" };
    assertEquals(
      said,
      typeof key === "string"
        ? { ...shared, key }
        : { ...shared, key: "\0\ufffd\ufffd(", keyBase64: btoa(String.fromCharCode(...key)) },
    );
    assert(timestamp >= before - 1 && sinceStart >= 0 && sinceStart < 60_000, line);
  }
});

Deno.test("watch --json --gaps has the gap at its place", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = InProcess.run(["watch", "--json", "--gaps", "--url", server.url]);
  await tool.noted("watching");
  await server.command("SET", "before", "x");
  assertEquals(JSON.parse((await tool.line())!).key, "before");
  await server.restart();
  const { kind, reason, node, from, to } = JSON.parse((await tool.line())!);
  assertEquals([kind, reason, node], ["gap", "disconnected", `127.0.0.1:${server.port}`]);
  assert(from <= to);
  await server.command("SET", "after", "x");
  assertEquals(JSON.parse((await tool.line())!).key, "after");
  assertEquals(tool.notes.includes("gap:"), false, tool.notes);
});

Deno.test("watch --gaps has the gap among the lines, and the rows", async () => {
  await using server = await startServer(TALKATIVE);
  await using lines = InProcess.run(["watch", "--gaps", "--url", server.url]);
  await using rows = InProcess.run(["watch", "--gaps", "--csv", "--url", server.url, "k"]);
  await lines.noted("watching");
  await rows.noted("watching");
  await rows.line();
  await server.restart();
  const node = `127.0.0.1:${server.port}`;
  assertStringIncludes((await lines.line())!, `gap: notifications may be missing from ${node}, `);
  assertMatch((await rows.line())!, new RegExp(`^"gap","disconnected","${node}","",\\d+,\\d+,""$`));
});

Deno.test("watch --flushes prints flushes at their place, in each format", async () => {
  await using server = await startServer(TALKATIVE);
  const { port } = server;
  const formats: [option: string[], line: RegExp][] = [
    [[], new RegExp(`^flush: 127\\.0\\.0\\.1:${port} discarded all keys`)],
    [["--json"], new RegExp(`^{"kind":"flush","node":"127\\.0\\.0\\.1:${port}","at":\\d+}$`)],
    [["--csv"], new RegExp(`^"flush","127\\.0\\.0\\.1:${port}",\\d+$`)],
  ];
  for (const [option, line] of formats) {
    await using tool = InProcess.run(["watch", "--flushes", ...option, "--url", server.url]);
    await tool.noted("watching *");
    await server.command("SET", "before", "x");
    await server.command("FLUSHALL");
    await server.command("SET", "end", "x");
    const lines = await tool.linesUntil("end");
    assertStringIncludes(lines.at(-3)!, "before");
    assertMatch(lines.at(-2)!, line);
  }
});
