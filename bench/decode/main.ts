/**
 * Measures the decoder beside those of other projects, in Node, Deno and Bun: `deno task bench
 * decode`. A workload's name, or how it begins, as an argument runs that one and writes nothing down.
 */
import { machine, median, spread, table, writeSection } from "../report.ts";
import { Workshop } from "../workshop.ts";
import type { Measured } from "./contest.ts";
import { type Workload, workloads } from "./workloads.ts";

const PEERS = ["@redis/client@6.3.1", "redis-parser@3.0.0"];

/** What was measured in one runtime. */
interface Result {
  readonly runtime: string;
  readonly measured: readonly Measured[];
}

export async function main(args: string[]): Promise<void> {
  await using workshop = await Workshop.open(PEERS);
  const contest = await workshop.bundle("decode/contest.ts");
  const results: Result[] = [];
  // One workload in one runtime shows that all of it runs.
  const quick = args.includes("--quick");
  for (const runtime of quick ? workshop.runtimes.slice(0, 1) : workshop.runtimes) {
    console.error(`${runtime.name} …`);
    const chosen = quick ? ["frames-3-1000-65536"] : args;
    const measured = await workshop.run<Measured[]>(runtime, contest, ...chosen);
    results.push({ runtime: runtime.name, measured });
  }
  const sections = results.map(report).join("\n\n");
  console.log(sections);
  if (args.length === 0) await writeSection("decode", `${introduction()}\n\n${sections}`);
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
  return measured === undefined ? "" : spread(measured.rounds, 1);
}
