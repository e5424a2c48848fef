/**
 * The packed package goes through a bundler without a warning, for whatever it is bundled, and loads
 * no part of it before that is needed.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { applicationOfTests, bundleApplication, type Chunk, initialChunks } from "./package.ts";

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
    // The CLI is for runtimes with processes.
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

/** What is loaded when it is needed: where TLS fails, sentinels are named or a cluster is found. */
const ON_DEMAND =
  /^pubsub\/(?:sentinel|connection\/transports)\/|^cluster\/(?:members|migration|watched_cluster)/;
/** What chooses the transport. */
const ALWAYS = ["pubsub/connection/transports/mod.js"];

Deno.test("what one server does not need is not loaded at the start", async () => {
  const { folder } = application;
  const options = ["--platform=neutral", "--splitting", "--outdir=parts", "--metafile=parts.json"];
  await bundleApplication(folder, "application.mjs", options);
  const { outputs }: { outputs: Record<string, Chunk> } = JSON.parse(
    await Deno.readTextFile(join(folder, "parts.json")),
  );
  const modulesOf = (chunks: readonly string[]): string[] =>
    chunks.flatMap((path) => Object.keys(outputs[path]!.inputs))
      .map((path) => path.replace("node_modules/@keywatch/keywatch/", ""))
      .filter((path) => ON_DEMAND.test(path)).sort();
  const atStart = modulesOf(initialChunks("application.mjs", outputs));
  assertEquals(atStart, ALWAYS);
  const all = modulesOf(Object.keys(outputs));
  for (const name of ["sentinel/sentinels", "connection/transports/deno"]) {
    assertEquals(all.includes(`pubsub/${name}.js`), true, name);
  }
});

const FOR_RUNTIMES: [conditions: string, transports: string[]][] = [
  ["workerd,worker,browser", ["cloudflare.js", "host.js", "load_module.js", "writes.js"]],
  ["deno,node", [
    "deno.js",
    "host.js",
    "load_module.js",
    "node_socket.js",
    "node_tls.js",
    "tls_error.js",
    "writes.js",
  ]],
  ["node", [
    "cloudflare.js",
    "deno.js",
    "host.js",
    "load_module.js",
    "mod.js",
    "node.js",
    "node_socket.js",
    "node_tls.js",
    "tls_error.js",
    "writes.js",
  ]],
];

for (const [conditions, transports] of FOR_RUNTIMES) {
  Deno.test(`the conditions ${conditions} bring their transports into a bundle`, async () => {
    const { folder } = application;
    await bundleApplication(folder, "application.mjs", [
      "--platform=neutral",
      `--conditions=${conditions}`,
      "--outfile=one.js",
      "--metafile=one.json",
    ]);
    const { inputs } = JSON.parse(await Deno.readTextFile(join(folder, "one.json")));
    const names = Object.keys(inputs).filter((path) => path.includes("/transports/"));
    assertEquals(names.map((path) => path.split("/").at(-1)).sort(), transports);
  });
}
