/**
 * Bundlers take the package without an error or a warning, each as its users start it, and what they
 * make of a program runs.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { serveWorker } from "../../dev/examples/worker.ts";
import { ROOT } from "../../dev/project.ts";
import { mustRun } from "../runtimes/package.ts";
import { findDeno, findNode, findNode24, type Program } from "../runtimes/programs.ts";
import { until } from "../servers/mod.ts";
import {
  assertEnds,
  assertStreams,
  assertWatches,
  projectOfTests,
  start,
  startTalkative,
  writeWorkerConfig,
} from "./project.ts";

const project = projectOfTests([
  "@rollup/plugin-node-resolve@16.0.3",
  "esbuild@0.28.2",
  "next@16.4.6",
  "react-dom@19.3.1",
  "react@19.3.1",
  "rollup@4.68.8",
  "vite@8.4.0",
  "webpack@5.113.0",
  "webpack-cli@7.3.1",
  "wrangler@4.164.0",
]);

const inPackage = (...path: string[]) => join(project.folder, "node_modules", ...path);

/** A bundler, which writes `out/NAME/bundled.js`. */
interface Bundler {
  readonly name: string;
  readonly command: () => string[];
  /** Its configuration, by the name of the file. */
  readonly config?: Readonly<Record<string, string>>;
  /** What it writes if all is well; nothing, if left out. */
  readonly says?: string;
  /** What the bundle runs in; Node, if left out. */
  readonly runIn?: () => Promise<Program>;
}

const webpack = (target: string): Bundler => ({
  name: `webpack for ${target}`,
  says: "webpack compiled successfully\n",
  command: () => ["node", inPackage("webpack-cli/bin/cli.js"), "--config", "webpack.config.mjs"],
  config: {
    "webpack.config.mjs": `export default {
      mode: "production", target: "${target}", entry: "./bundled.mjs", stats: "errors-warnings",
      experiments: { outputModule: true },
      output: { path: import.meta.dirname + "/out/webpack for ${target}", module: true,
        filename: "bundled.js" },
    };`,
  },
});

const vite = (config: string): Pick<Bundler, "command" | "config"> => ({
  command: () => ["node", inPackage("vite/bin/vite.js"), "build", "--logLevel", "warn"],
  config: { "vite.config.mjs": `export default { build: { ${config} } };` },
});

const BUNDLERS: readonly Bundler[] = [
  ...["browser", "neutral", "node"].map((platform): Bundler => ({
    name: `esbuild for ${platform}`,
    command: () => [
      inPackage("esbuild/bin/esbuild"),
      ...["bundled.mjs", "--bundle", "--minify", "--format=esm", "--log-level=warning"],
      ...[`--platform=${platform}`, `--outfile=out/esbuild for ${platform}/bundled.js`],
    ],
  })),
  {
    name: "rollup",
    command: () => [
      ...["node", inPackage("rollup/dist/bin/rollup"), "bundled.mjs", "-p", "node-resolve"],
      ...["--dir", "out/rollup", "--silent", "--failAfterWarnings"],
    ],
  },
  webpack("node"),
  webpack("web"),
  {
    name: "vite for browsers",
    ...vite(`outDir: "out/vite for browsers", lib: { entry: "bundled.mjs", formats: ["es"] }`),
  },
  {
    name: "vite for servers",
    ...vite(`outDir: "out/vite for servers", ssr: "bundled.mjs" }, ssr: { noExternal: true`),
  },
  {
    name: "deno bundle",
    command: () => [
      ...[Deno.execPath(), "bundle", "--quiet", "--no-lock", "--node-modules-dir=manual"],
      ...["--output=out/deno bundle/bundled.js", "bundled.mjs"],
    ],
    runIn: async () => [...await findDeno([]), "--allow-env"],
  },
];

for (const { name, command, config = {}, says = "", runIn = findNode } of BUNDLERS) {
  Deno.test(`${name} bundles the package without a warning, and the bundle runs`, async () => {
    const { folder } = project;
    for (const [file, text] of Object.entries(config)) {
      await Deno.writeTextFile(join(folder, file), text);
    }
    assertEquals(await mustRun("bundle", command(), folder), says);
    await assertWatches([...await runIn(), join("out", name, "bundled.js")], folder);
  });
}

Deno.test("deno bundle takes the modules as JSR serves them, and the bundle runs", async () => {
  const bundle = join(project.folder, "out", "deno.js");
  const script = fileURLToPath(new URL("deno.ts", import.meta.url));
  const command = [Deno.execPath(), "bundle", "--quiet", `--output=${bundle}`, script];
  assertEquals(await mustRun("bundle", command, ROOT), "");
  await using server = await startTalkative();
  await using tool = start([Deno.execPath(), "run", "--allow-all", bundle], ROOT, server);
  await assertEnds(tool, "reminder:tea is due\n");
});

Deno.test("wrangler bundles the package without a warning, and the worker runs", async () => {
  const { folder } = project;
  const config = { name: "watcher", main: "worker.mjs", compatibility_date: "2026-11-01" };
  await Deno.writeTextFile(join(folder, "wrangler.json"), JSON.stringify(config));
  const output = await mustRun("bundle", [
    ...["env", "WRANGLER_SEND_METRICS=false", `XDG_CONFIG_HOME=${folder}`],
    ...[...await findNode24(), inPackage("wrangler/bin/wrangler.js")],
    ...["deploy", "--dry-run", "--outdir", "out/wrangler"],
  ], folder);
  assertMatch(output, /Total Upload/);
  assert(!/warn|▲|error/i.test(output), output);

  await using server = await startTalkative();
  const file = await writeWorkerConfig(folder, "out/wrangler/worker.js", server.url);
  await using worker = await serveWorker(file);
  const answer = fetch(`${worker.url}/?key=user:*`).then((response) => response.text());
  await until("it watches", async () => await server.command("PUBSUB", "NUMPAT") === 1);
  await server.command("SET", "user:1", "x");
  assertEquals(await answer, "set user:1");
});

for (const option of ["--turbopack", "--webpack"]) {
  Deno.test(`next build ${option} takes the package without a warning, and the app runs`, async () => {
    const folder = join(project.folder, "next");
    const next = [...await findNode(), inPackage("next/dist/bin/next")] as const;
    const build = ["env", "-u", "CI", "NEXT_TELEMETRY_DISABLED=1", ...next, "build", option];
    const output = await mustRun("build", build, folder);
    assertMatch(output, /\/events/);
    assert(!/warn|⚠|error/i.test(output), output);

    await using server = await startTalkative();
    await using app = start([...next, "start", "--port", "0"], folder, server);
    const [line] = (await app.linesUntil("- Local:")).slice(-1);
    await assertStreams(`${/http:\S+/.exec(line!)![0]}/events`, server);
  });
}
