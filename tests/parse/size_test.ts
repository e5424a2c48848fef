import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { findEsbuild, type Program } from "../runtimes/programs.ts";
import { run } from "../servers/run.ts";

/** Bytes of a bundle of nothing but what this file imports, minified, then compressed. */
async function sizeOf(
  esbuild: Program,
  file: string,
): Promise<{ gzip: number; brotli: number }> {
  const options = ["--bundle", "--minify", "--format=esm", "--platform=neutral"];
  const { code, stdout: bundle, output } = await run([...esbuild, file, ...options]);
  assertEquals(code, 0, output);
  return { gzip: gzipSync(bundle, { level: 9 }).length, brotli: brotliCompressSync(bundle).length };
}

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PARSE = `from "${ROOT}parse/mod.ts";`;
const EVENTS = `from "${ROOT}events/mod.ts";`;

const limits: [what: string, contents: string, gzip: number, brotli: number][] = [
  ["reading messages", `export { KeyNotification, parseNotification } ${PARSE}`, 2_400, 2_200],
  ["all of parse/", `export * ${PARSE}`, 3_250, 2_950],
  [
    "that with the names of the events",
    `export * ${PARSE} export { EventType } ${EVENTS}`,
    4_350,
    4_000,
  ],
  ["all of parse/ and events/", `export * ${PARSE} export * ${EVENTS}`, 5_250, 4_850],
];

Deno.test("the rooms stay small, and what is not used of them can be left out", async () => {
  const esbuild = await findEsbuild();
  const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
  try {
    const file = join(folder, "entry.ts");
    for (const [what, contents, gzip, brotli] of limits) {
      await Deno.writeTextFile(file, contents);
      const size = await sizeOf(esbuild, file);
      assert(
        size.gzip <= gzip && size.brotli <= brotli,
        `${what}: ${size.gzip} bytes with gzip, ${size.brotli} with brotli`,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
