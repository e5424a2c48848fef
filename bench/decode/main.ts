/**
 * Measures the decoder beside those of other projects, in Node, Deno and Bun: `deno task bench
 * decode`. Of each runtime it prints every figure and writes down its part as soon as it has it.
 * A runtime, or a workload's name or how it begins, as an argument runs that one and writes nothing.
 */
import { goals, machine, median, spread, table, writeSection } from "../report.ts";
import { type Runtime, Workshop } from "../workshop.ts";
import type { Measured } from "./contest.ts";
import { type Workload, workloads } from "./workloads.ts";

const PEERS = ["@redis/client@6.3.1", "redis-parser@3.0.0"];
const DECODERS = ["keywatch", "redis", "redis-parser"];

/** One workload that shows that all of it runs. */
const QUICK = "frames-3-1000-65536";

export async function main(args: string[]): Promise<void> {
  await using workshop = await Workshop.open(PEERS);
  const contest = await workshop.bundle("decode/contest.ts");
  const quick = args.includes("--quick");
  const runtimes = quick ? workshop.runtimes.slice(0, 1) : workshop.chosen(args);
  const all = workloads();
  const work = quick ? QUICK : args.find((arg) => all.some(({ id }) => id.startsWith(arg)));
  const chosen = work === undefined ? [] : [work];
  const isWritten = args.length === 0;
  if (isWritten) await writeSection("decode", introduction());
  for (const runtime of runtimes) {
    console.log(`\n${runtime.name}`);
    const results: Result[] = [];
    for await (const measured of workshop.lines<Measured>(collected(runtime), contest, ...chosen)) {
      const workload = all.find(({ id }) => id === measured.workload)!;
      const result = resultOf(workload, measured);
      console.log(asLine(result));
      results.push(result);
    }
    const sum = `${results.filter(({ isMet }) => isMet).length} of ${results.length} goals met`;
    console.log(sum);
    if (!isWritten) continue;
    const head = ["", "this decoder", "redis", "redis-parser", "times as fast"];
    const rows = table([head, ...results.map(asRow)]);
    await writeSection(
      `decode ${nameOf(runtime)}`,
      `### Decoding in ${runtime.name}\n\n${rows}\n\n${goals(results.map(asGoal))}`,
    );
  }
}

function nameOf({ name }: Runtime): string {
  return name.split(" ")[0]!;
}

/** The runtime with a collector that can be called. */
function collected(runtime: Runtime): Runtime {
  const flag = nameOf(runtime) === "Deno" ? "--v8-flags=--expose-gc" : "--expose-gc";
  return { ...runtime, program: [...runtime.program, flag] };
}

/** What was measured, and whether the goal was reached. */
interface Result {
  readonly workload: Workload;
  /** In the order of {@linkcode DECODERS}: median and quartiles in ms, or nothing. */
  readonly figures: readonly string[];
  /** How many times as fast as the faster peer. */
  readonly times: string;
  readonly isMet: boolean;
}

function resultOf(workload: Workload, { rounds }: Measured): Result {
  const [ours, ...peers] = DECODERS.flatMap((name) =>
    rounds[name] === undefined ? [] : median(rounds[name])
  );
  const times = (Math.min(...peers) / ours!).toFixed(1);
  return {
    workload,
    figures: DECODERS.map((name) => rounds[name] === undefined ? "" : spread(rounds[name], 1)),
    times,
    isMet: Number(times) >= workload.goal,
  };
}

function asRow({ workload: { title }, figures, times }: Result): string[] {
  return [title, ...figures, times];
}

function asGoal({ workload: { title, goal }, times }: Result): [string, number, ">=", number] {
  return [`${title}, times as fast`, Number(times), ">=", goal];
}

function asLine({ workload: { id, goal }, figures, times, isMet }: Result): string {
  const columns = figures.map((figure) => figure.padStart(20)).join("");
  return `${id.padEnd(21)}${columns}  ${times} of ${goal} times: ${isMet ? "met" : "MISSED"}`;
}

function introduction(): string {
  return `## Decoding

\`deno task bench decode\` decodes the same bytes in the same chunks with this project's decoder and
with two others: that of the npm package \`redis\` (\`${PEERS[0]}\`) and \`${
    PEERS[1]
  }\`, which reads
RESP2 only. All run in one process, by turns, after three rounds that do not count, and each after a
collection of garbage; a decoder lives for all rounds, as on one connection. Milliseconds are the
median of eleven rounds, with the quartiles in brackets; then follows how many times as fast as the
faster peer this decoder is.

Of each message the text of its channel and its payload is made. "Keys" says how many different ones
the messages are about: short texts that come again are remembered here, and new ones are not helped
by that. As bytes, the peers give views that keep whole chunks alive, and this decoder gives copies.

Measured on: ${machine()}.`;
}
