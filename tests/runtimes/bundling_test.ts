/**
 * The packed package goes through a bundler without a warning, for whatever it is bundled, and loads
 * no transport before one is needed.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { run } from "../servers/run.ts";
import { makeApplication } from "./package.ts";
import { findEsbuild } from "./programs.ts";

let folder: string;

Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir({ prefix: "keywatch-" });
  await makeApplication(folder);
  await Deno.writeTextFile(
    join(folder, "application.mjs"),
    'export * from "@keywatch/keywatch";\n',
  );
});

Deno.test.afterAll(async () => {
  await Deno.remove(folder, { recursive: true });
});

async function bundle(...options: string[]): Promise<void> {
  const esbuild = [...await findEsbuild(), "application.mjs", "--bundle", "--format=esm"];
  const quiet = "--log-level=warning";
  const { code, output } = await run([...esbuild, quiet, ...options], { cwd: folder });
  assertEquals([code, output], [0, ""]);
}

for (const platform of ["browser", "neutral", "node"]) {
  Deno.test(`the package is bundled for ${platform} without a warning`, async () => {
    await bundle(`--platform=${platform}`, `--outfile=${platform}.js`);
  });
}

Deno.test("each transport is a part of its own, that its runtime alone loads", async () => {
  await bundle("--platform=neutral", "--splitting", "--outdir=parts");
  const parts = [...Deno.readDirSync(join(folder, "parts"))].map(({ name }) => name);
  for (const name of ["deno", "node", "cloudflare"]) {
    const [part, ...more] = parts.filter((part) => part.startsWith(`${name}-`));
    assertEquals(more, [], `one part for ${name}`);
    const start = await Deno.readTextFile(join(folder, "parts", "application.js"));
    assertEquals(start.includes(`import("./${part}")`), true, `${name} is loaded when needed`);
    assertEquals(start.includes(`from "./${part}"`), false, `${name} is not loaded at the start`);
  }
});
