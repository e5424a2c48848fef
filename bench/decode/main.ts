/**
 * Measures the decoder beside those of other projects, in Node, Deno and Bun: `deno task bench
 * decode`. A workload's name, or how it begins, as an argument runs that one and writes nothing down.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findBun, findEsbuild, findNode, type Program } from "../../tests/runtimes/programs.ts";
import { run } from "../../tests/servers/run.ts";
import { machine, median, table, writeSection } from "../report.ts";
import type { Measured } from "./contest.ts";
import { type Workload, workloads } from "./workloads.ts";

const PEERS = ["@redis/client@6.3.1", "redis-parser@3.0.0"];
const CONTEST = fileURLToPath(new URL("./contest.ts", import.meta.url));

/** What was measured in one runtime. */
interface Result {
  readonly runtime: string;
  readonly measured: readonly Measured[];
}

export async function main(args: string[]): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
  try {
    await prepare(folder);
    const results: Result[] = [];
    for (const [name, program] of await runtimes()) {
      const version = (await must([program[0], "--version"], folder)).split("\n")[0]!;
      console.error(`${name} …`);
      const output = await must([...program, "contest.mjs", ...args], folder);
      results.push({
        runtime: `${name} ${/\d+\.\d+\.\d+/.exec(version)?.[0]}`,
        measured: JSON.parse(output),
      });
    }
    const sections = results.map(report).join("\n\n");
    console.log(sections);
    if (args.length === 0) await writeSection("decode", `${introduction()}\n\n${sections}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function runtimes(): Promise<[name: string, program: Program][]> {
  return [
    ["Deno", [Deno.execPath(), "run", "--allow-all", "--no-lock", "--node-modules-dir=manual"]],
    ["Node", await findNode()],
    ["Bun", await findBun()],
  ];
}

/** Installs the peers in a folder and puts the program that runs in each runtime beside them. */
async function prepare(folder: string): Promise<void> {
  await Deno.writeTextFile(join(folder, "package.json"), '{ "private": true }\n');
  await must(["npm", "install", "--no-audit", "--no-fund", "--save-exact", ...PEERS], folder);
  const esbuild = await findEsbuild();
  const output = `--outfile=${join(folder, "contest.mjs")}`;
  await must([...esbuild, CONTEST, "--bundle", "--format=esm", "--platform=node", output], folder);
}

async function must(command: string[], cwd: string): Promise<string> {
  const { code, stdout, output } = await run(command as [string, ...string[]], { cwd });
  if (code !== 0) throw new Error(`\`${command.join(" ")}\` ended with ${code}:\n${output}`);
  return stdout;
}

function introduction(): string {
  return `## Decoding

\`deno task bench decode\` decodes the same bytes in the same chunks with this project's decoder and
with two others: that of the npm package \`redis\` (\`${PEERS[0]}\`) and \`${
    PEERS[1]
  }\`, which reads
RESP2 only. All run in one process, by turns, after three rounds that do not count. Milliseconds are
the median of eleven rounds, with the quartiles in brackets; the last column says how many times as
fast as the faster peer this decoder is, and what was aimed at.

Of each message the text of its channel and its payload is made. "Keys" says how many different ones
the messages are about: short texts that come again are remembered here, and new ones are not helped
by that. As bytes, the peers give views that keep whole chunks alive, and this decoder gives copies.

Measured on: ${machine()}.`;
}

function report({ runtime, measured }: Result): string {
  const rows = workloads().flatMap((workload) => {
    const of = (decoder: string): Measured | undefined =>
      measured.find((one) => one.workload === workload.id && one.decoder === decoder);
    const ours = of("keywatch");
    return ours === undefined ? [] : [row(workload, ours, of("redis"), of("redis-parser"))];
  });
  return `### ${runtime}\n\n${
    table([["", "this decoder", "redis", "redis-parser", "times as fast"], ...rows])
  }`;
}

function row(
  { title, goal }: Workload,
  ours: Measured,
  redis: Measured | undefined,
  parser: Measured | undefined,
): string[] {
  const peers = [redis, parser].flatMap((peer) => peer === undefined ? [] : median(peer.rounds));
  const times = Math.min(...peers) / median(ours.rounds);
  return [title, shown(ours), shown(redis), shown(parser), `${times.toFixed(1)} (${goal})`];
}

function shown(measured: Measured | undefined): string {
  if (measured === undefined) return "";
  const { rounds } = measured;
  const quartile = (part: number): string =>
    rounds[Math.round((rounds.length - 1) * part)]!.toFixed(1);
  return `${median(rounds).toFixed(1)} [${quartile(0.25)}–${quartile(0.75)}]`;
}
