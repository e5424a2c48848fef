import { assert } from "@std/assert";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build, stop } from "npm:esbuild@0.28.2";

/** Bytes of a bundle of nothing but this, minified, then compressed. */
async function sizeOf(contents: string): Promise<{ gzip: number; brotli: number }> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL("../../", import.meta.url)) },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "neutral",
    write: false,
  });
  const bundle = outputFiles[0]!.contents;
  return { gzip: gzipSync(bundle, { level: 9 }).length, brotli: brotliCompressSync(bundle).length };
}

const PARSE = 'from "./parse/mod.ts";';
const EVENTS = 'from "./events/mod.ts";';

const limits: [what: string, contents: string, gzip: number, brotli: number][] = [
  ["reading messages", `export { KeyNotification, parseNotification } ${PARSE}`, 2_200, 2_050],
  ["all of parse/", `export * ${PARSE}`, 3_000, 2_800],
  [
    "that with the names of the events",
    `export * ${PARSE} export { EventType } ${EVENTS}`,
    4_150,
    3_850,
  ],
  ["all of parse/ and events/", `export * ${PARSE} export * ${EVENTS}`, 5_050, 4_650],
];

Deno.test("the rooms stay small, and what is not used of them can be left out", async () => {
  try {
    for (const [what, contents, gzip, brotli] of limits) {
      const size = await sizeOf(contents);
      assert(
        size.gzip <= gzip && size.brotli <= brotli,
        `${what}: ${size.gzip} bytes with gzip, ${size.brotli} with brotli`,
      );
    }
  } finally {
    await stop();
  }
});
