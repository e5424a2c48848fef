import { assert } from "@std/assert";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, stop } from "npm:esbuild@0.28.2";

const MODULE = fileURLToPath(new URL("../../parse/mod.ts", import.meta.url));

/** Bytes of a bundle of nothing but this, minified and compressed. */
async function sizeOf(exported: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: {
      contents: `export ${exported} from ${JSON.stringify(MODULE)};`,
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
    },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "neutral",
    write: false,
  });
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).length;
}

const READING = "KeyNotification, parseNotification";
const CHANNELS = "KeyspaceChannel, KeyeventChannel, SubkeyspaceChannel, SubkeyeventChannel, " +
  "SubkeyspaceitemChannel, SubkeyspaceeventChannel, ChannelType, getChannelType, toChannel";
const GLOBS = "isPattern, escapeGlob, matchGlob";

const limits: [what: string, exported: string, bytes: number][] = [
  ["reading notifications", `{ ${READING} }`, 2_400],
  ["that with channels and globs", `{ ${READING}, ${CHANNELS}, ${GLOBS} }`, 3_210],
  ["all, with the catalogue of events and the flags", "*", 5_210],
];

Deno.test("the room stays small, and what is not used of it can be left out", async () => {
  try {
    for (const [what, exported, limit] of limits) {
      const size = await sizeOf(exported);
      assert(size <= limit, `${what}: ${size} bytes, more than ${limit}`);
    }
  } finally {
    await stop();
  }
});
