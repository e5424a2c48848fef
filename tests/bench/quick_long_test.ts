/**
 * Each benchmark runs, in its short form, and prints what it is there to compare. How fast anything
 * was is not looked at.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import { run } from "../servers/run.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DOCUMENT = `${ROOT}docs/performance.md`;

async function quick(name: string, ...more: string[]): Promise<string> {
  const before = await Deno.readTextFile(DOCUMENT);
  const command = [Deno.execPath(), "run", "--allow-all", "bench/main.ts", name, "--quick"];
  const { code, stdout, output } = await run([...command, ...more], { cwd: ROOT });
  assertEquals(code, 0, output);
  assertEquals(await Deno.readTextFile(DOCUMENT), before, "a short run is not written down");
  return stdout;
}

Deno.test("bench decode", async () => {
  assertMatch(await quick("decode"), /^frames-.* \d+\.\d of 5 times: (met|MISSED)$/m);
});

Deno.test("bench replay", async () => {
  const output = await quick("replay", "Deno");
  const clients = ["handler", "`listen`", "`redis`", "`ioredis`", "`iovalkey`", "floor", "socket"];
  for (const client of clients) {
    // Six figures, the last two of which compare the cost.
    assertMatch(
      output,
      new RegExp(`^\\|[^|]*${client} (\\|[^|]*\\d[^|]*){6}\\|$`, "m"),
    );
  }
  assertMatch(
    output,
    /^- handler, CPU to the floor's: \d+\.\d\d, goal at most 1.4: (met|missed)$/m,
  );
});

Deno.test("bench live", async () => {
  const output = await quick("live", "Deno");
  for (const client of ["handler", "`listen`", "`redis`", "`ioredis`", "`iovalkey`"]) {
    assertMatch(output, new RegExp(`^\\|[^|]*${client} (\\|[^|]*\\d[^|]*){5}\\|$`, "m"));
  }
  assertMatch(
    output,
    /^- CPU to `redis`'s, `listen`: \d+\.\d\d, goal at most 0.25: (met|missed)$/m,
  );
});

Deno.test("bench latency", async () => {
  const output = await quick("latency", "Deno");
  assertMatch(output, /^\| this library, handler (\| \d+ ){3}\| \d+\.\d\d \| [\d,]+ \|$/m);
  assertMatch(output, /^- p99 to the bare socket's: \d+\.\d\d, goal at most 1.1: (met|missed)$/m);
});

Deno.test("bench memory", async () => {
  const output = await quick("memory", "Deno");
  assertMatch(output, /^\| after 50 million \| \d+\.\d \[.*\] \|$/m);
  assertMatch(output, /^The full queue holds 5,000 notifications.$/m);
  assertMatch(
    output,
    /: after 50 million to after one: \d\.\d\d, goal at most 1.05: (met|missed)$/m,
  );
});

Deno.test("bench start", async () => {
  const output = await quick("start", "Deno");
  assertMatch(output, /^\| Deno [\d.]+, this library (\| \d+ \[.*\] ){2}\|$/m);
  for (const bundle of ["\\.", "\\./parse", "\\./pubsub", "\\./cluster", "redis", "ioredis"]) {
    assertMatch(output, new RegExp(`^\\| \`${bundle}\` \\| [\\d,]+ \\| [\\d,]+ \\|$`, "m"));
  }
});

Deno.test("bench growth", async () => {
  const output = await quick("growth", "Deno");
  for (
    const [what, size] of [["subscriptions", 100], ["handlers of one channel", 10], ["nodes", 3]]
  ) {
    const table = new RegExp(
      `^\\| ${what} (\\|.*\n)+\\| ${size} (\\| [\\d.]+ \\[.*\\] ){2}\\|$`,
      "m",
    );
    assertMatch(output, table);
  }
  assertMatch(output, /^\| bytes a message (\|.*\n)+\| 4,096 (\| [\d.]+ \[.*\] ){2}\|$/m);
});

Deno.test("bench fences", async () => {
  // Memory and CPU for one watcher, and for two.
  assertMatch(await quick("fences"), /^\| redis 7\.0\.\d+( \| [\d.]+, [\d.]+){2} \|$/m);
});
