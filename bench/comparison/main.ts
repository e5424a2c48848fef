/**
 * Puts clients of Node's into the same situations, all at once and on the same servers, and writes
 * down what each of them hands to its user: `deno task bench comparison`.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findEsbuild } from "../../tests/runtimes/programs.ts";
import { run } from "../../tests/servers/run.ts";
import { table } from "../report.ts";
import { situations } from "./situations.ts";
import { Watcher } from "./watcher.ts";

const PEERS = ["redis@6.3.1", "ioredis@6.0.0", "iovalkey@0.4.0"];
const CLIENTS = ["keywatch", ...PEERS.map((peer) => peer.split("@")[0]!)];

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
  try {
    await prepare(folder);
    const rows = [["", "Keywatch", ...PEERS.map((peer) => `\`${peer}\``)]];
    for (const { title, run } of situations) {
      console.error(`${title} …`);
      const watchers: Watcher[] = [];
      try {
        const cells = await run(async (urls) => {
          for (const name of CLIENTS) watchers.push(await Watcher.start(folder, name, urls));
          return watchers;
        });
        rows.push([title, ...cells]);
      } finally {
        for (const watcher of watchers) await watcher[Symbol.asyncDispose]();
      }
    }
    const text = page(table(rows));
    console.log(text);
    await Deno.writeTextFile(here("../../docs/comparison.md"), text);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function prepare(folder: string): Promise<void> {
  await Deno.writeTextFile(join(folder, "package.json"), '{ "private": true }\n');
  await Deno.copyFile(here("client.mjs"), join(folder, "client.mjs"));
  const esbuild = await findEsbuild();
  const output = `--outfile=${join(folder, "keywatch.mjs")}`;
  for (
    const command of [
      ["npm", "install", "--no-audit", "--no-fund", "--save-exact", ...PEERS],
      [
        ...esbuild,
        here("../../mod.ts"),
        "--bundle",
        "--format=esm",
        "--platform=node",
        "--external:cloudflare:sockets",
        output,
      ],
    ] as [string, ...string[]][]
  ) {
    const { code, output } = await run(command, { cwd: folder });
    if (code !== 0) throw new Error(`\`${command.join(" ")}\` ended with ${code}:\n${output}`);
  }
}

function page(rows: string): string {
  return `# Comparison with other clients

This page is written by \`deno task bench comparison\`. It puts the clients into the same situations in
Node, at the same time and on the same servers. Each client is used as its documentation shows, with
no options but the address of the server. All subscribe to \`__keyevent@0__:set\`. Programs can add some
of what is missing: options for pings and for buffers instead of text, and a subscription for each node
of a cluster.

${rows}

[Performance](performance.md) compares their speed.
`;
}
