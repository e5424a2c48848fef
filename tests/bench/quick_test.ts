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
  assertMatch(await quick("decode"), /^\| 200,000 `pmessage` .*\| +\d+\.\d \(5\) \|$/m);
});

Deno.test("bench replay", async () => {
  const output = await quick("replay", "Deno");
  for (const client of ["handler", "`listen`", "`redis`", "`ioredis`", "`iovalkey`", "socket"]) {
    // Five figures, the last of which compares the cost.
    assertMatch(
      output,
      new RegExp(`^\\|[^|]*${client} (\\|[^|]*\\d[^|]*){5}\\|$`, "m"),
    );
  }
  assertMatch(output, /^- `listen`, times `redis`: \d+\.\d\d, goal 5: (met|missed)$/m);
});
