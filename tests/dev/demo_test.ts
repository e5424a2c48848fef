import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { painter } from "../../cli/style.ts";
import { Ledger } from "../../dev/demo/ledger.ts";
import { report } from "../../dev/demo/report.ts";
import { ROOT } from "../../dev/project.ts";
import { Tool } from "../cli/tool.ts";
import { ensureServer } from "../servers/mod.ts";
import { run } from "../servers/run.ts";

const DEMO = [Deno.execPath(), "run", "--no-prompt", "--allow-all", "dev/demo/main.ts"];

/** What a demo left. */
interface Shown {
  readonly code: number;
  readonly lines: readonly string[];
  readonly stderr: string;
}

/**
 * Runs a demo to its end, and sees that it leaves nothing behind.
 *
 * @param watch called with the demo once it shows something of its server
 */
async function show(
  start: typeof Tool.run,
  env: Record<string, string> = {},
  watch: (tool: Tool) => Promise<string[]> = () => Promise.resolve([]),
): Promise<Shown> {
  // Where its server's folder goes, so that what it leaves behind can be seen.
  const folder = await Deno.makeTempDir();
  try {
    await using tool = start([], { program: DEMO, env: { TMPDIR: folder, ...env } });
    const lines = await tool.linesUntil("redis://127.0.0.1:");
    const port = Number(/redis:\/\/127\.0\.0\.1:(\d+)/.exec(lines.at(-1)!)?.[1]);
    lines.push(...await watch(tool), ...await tool.linesUntil("the end"));
    const { code, stderr } = await tool.ended();
    assertEquals([[...Deno.readDirSync(folder)], await isOpen(port)], [[], false]);
    return { code, lines, stderr };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function isOpen(port: number): Promise<boolean> {
  try {
    using _connection = await Deno.connect({ hostname: "127.0.0.1", port });
    return true;
  } catch {
    return false;
  }
}

/** How many columns a line takes on a terminal. */
function widthOf(line: string): number {
  const shown = stripVTControlCharacters(line).trimEnd();
  return shown.length + (shown.match(/\p{Script=Han}/gu)?.length ?? 0);
}

Deno.test("the demo shows every notification of its workload", async () => {
  const { code, lines, stderr } = await show(Tool.run);
  const text = lines.join("\n");
  assertEquals([code, stderr], [0, ""], text);
  assertEquals(lines.at(-1), "✓ 40 notifications: each one that the workload caused, once");
  assertStringIncludes(text, "db1  expired       session:ana");
  assertStringIncludes(text, "\nexpired      4 ▪▪▪▪\n");
  assertEquals(text.includes("\x1b"), false, "colours in a pipe");
});

Deno.test("the demo is in colours on a terminal, and fits on it", async () => {
  const { code, lines } = await show(Tool.runOnTerminal, { NO_COLOR: "" });
  const text = lines.join("\n");
  assertEquals(code, 0, text);
  const colors = { set: 32, expire: 33, hset: 94, zadd: 35, lpop: 36, sadd: 36, expired: 31 };
  for (const [event, color] of Object.entries(colors)) {
    assertStringIncludes(text, `\x1b[${color}m${event.padEnd(12)}\x1b[39m`);
  }
  assertStringIncludes(text, "\ngeneric     14 \x1b[33m▪▪▪▪▪▪▪▪▪▪▪▪▪▪\x1b[39m");
  assertStringIncludes(lines.at(-1)!, "\x1b[32m✓ 40 notifications");
  for (const line of lines) {
    const width = widthOf(line);
    assertEquals(width <= 80, true, `${width} columns: ${line}`);
  }
});

Deno.test("an interrupted demo says so", async () => {
  const { code, stderr } = await show(Tool.run, {}, async (tool) => {
    const lines = await tool.linesUntil("hset");
    tool.kill("SIGINT");
    return lines;
  });
  assertEquals([code, stderr], [1, "demo: interrupted\n"]);
});

Deno.test("a demo that nobody watches any more ends without a word", async () => {
  const { code, stderr } = await show(Tool.run, {}, async (tool) => {
    await tool.stopReading();
    return [];
  });
  assertEquals([code, stderr], [1, ""]);
});

Deno.test("the task demo downloads no package", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, output } = await run([Deno.execPath(), "task", "demo"], {
      cwd: ROOT,
      env: { DENO_DIR: folder, NO_COLOR: "1" },
    });
    assertStringIncludes(output, "✓ 40 notifications");
    const packages = [...Deno.readDirSync(join(folder, "npm"))];
    assertEquals([code, packages, output.includes("Download")], [0, [], false]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** A server program for `$REDIS_SERVER`: this shell script, which knows its version at least. */
async function serverProgram(folder: string, script: string): Promise<string> {
  const { command: [program, ...args] } = await ensureServer();
  const path = join(folder, "server");
  const server = [program, ...args].join(" ");
  const text = `#!/bin/sh\n[ "$1" != --version ] || exec ${server} --version\n${script}\n`;
  await Deno.writeTextFile(path, text.replace("SERVER", server), { mode: 0o755 });
  return path;
}

Deno.test("a demo whose workload fails says why, and waits for nothing more", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const server = await serverProgram(folder, 'exec SERVER "$@" --rename-command SET ""');
    const { code, lines, stderr } = await show(Tool.run, { REDIS_SERVER: server });
    assertEquals(code, 1);
    assertStringIncludes(stderr, "demo: Cannot run SET session:ana");
    assertStringIncludes(stderr, "ERR unknown command");
    assertEquals(lines.slice(2), [""], "it went on");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a demo whose server does not start shows what it wrote", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const server = await serverProgram(folder, "echo one; echo two; exit 1");
    await using tool = Tool.run([], { program: DEMO, env: { REDIS_SERVER: server } });
    const { code, stderr } = await tool.ended();
    assertEquals(code, 1);
    assertStringIncludes(stderr, "it ended with 1; it wrote:\none\ntwo\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the ledger reports missing and surplus events", () => {
  const set = { database: 0, event: "set", key: "k" };
  const del = { database: 0, event: "del", key: "k" };
  const ledger = new Ledger([set, set, del]);
  ledger.enter(set);
  ledger.enter({ ...set, database: 1 });
  assertEquals(ledger.missing, [set, del]);
  assertEquals(ledger.unexpected, [{ ...set, database: 1 }]);
  assertEquals([ledger.received, ledger.expected], [2, 3]);
  assertEquals(ledger.byEvent(), [
    { event: "set", received: 2, expected: 2 },
    { event: "del", received: 0, expected: 1 },
  ]);
  const { lines, status } = report(ledger, painter(false));
  assertEquals(status, 1);
  assertEquals(lines, [
    "",
    "strings      2 ▪▪  set 2",
    "generic      0     del 0",
    "",
    "did not come: set on k in database 0",
    "did not come: del on k in database 0",
    "should not have come: set on k in database 1",
    "",
    "✗ 2 notifications came, 3 should have",
  ]);
});

Deno.test("the report does not drown in differences", () => {
  const events = Array.from(
    { length: 15 },
    (_, n) => ({ database: 0, event: "set", key: `k${n}` }),
  );
  const { lines } = report(new Ledger(events), painter(false));
  assertEquals(lines.slice(-4), [
    "did not come: set on k9 in database 0",
    "and 5 more such differences",
    "",
    "✗ 0 notifications came, 15 should have",
  ]);
});
