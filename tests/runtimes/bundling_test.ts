/**
 * The packed package goes through a bundler without a warning, for whatever it is bundled, and loads
 * no transport before one is needed.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { applicationOfTests, bundleApplication } from "./package.ts";

const application = applicationOfTests();

Deno.test.beforeAll(async () => {
  await Deno.writeTextFile(
    join(application.folder, "application.mjs"),
    'export * from "@keywatch/keywatch";\n',
  );
});

for (const platform of ["browser", "neutral", "node"]) {
  Deno.test(`every entry is bundled for ${platform} without a warning`, async () => {
    const { folder, entries } = application;
    // The tool is for where there are processes.
    const bundled = entries.filter((entry) => entry !== "./cli" || platform === "node");
    const lines = bundled.map((entry, i) => {
      return `export * as entry${i} from "@keywatch/keywatch${entry.slice(1)}";\n`;
    });
    await Deno.writeTextFile(join(folder, `${platform}.mjs`), lines.join(""));
    const options = [`--platform=${platform}`, `--outfile=${platform}.js`];
    assertEquals(await bundleApplication(folder, `${platform}.mjs`, options), "");
    assertEquals(bundled.length >= 6, true);
  });
}

Deno.test("each transport is a part of its own, that its runtime alone loads", async () => {
  const { folder } = application;
  const options = ["--platform=neutral", "--splitting", "--outdir=parts"];
  await bundleApplication(folder, "application.mjs", options);
  const parts = [...Deno.readDirSync(join(folder, "parts"))].map(({ name }) => name);
  const start = await Deno.readTextFile(join(folder, "parts", "application.js"));
  for (const name of ["deno", "node", "cloudflare"]) {
    const [part, ...more] = parts.filter((part) => part.startsWith(`${name}-`));
    assertEquals(more, [], `one part for ${name}`);
    assertEquals(start.includes(`import("./${part}")`), true, `${name} is loaded when needed`);
    assertEquals(start.includes(`from "./${part}"`), false, `${name} is not loaded at the start`);
  }
});
