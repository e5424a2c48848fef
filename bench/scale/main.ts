/**
 * Watches clusters of 10, 100 and 1,000 primaries and writes down what that costs: `deno task bench
 * scale`. Numbers as arguments are other sizes, `--quick` a small one once; they write nothing down.
 */
import { fileURLToPath } from "node:url";
import { run } from "../../tests/servers/run.ts";
import { machine, median, table, writeSection } from "../report.ts";
import type { Cost } from "./client.ts";

const SIZES = [10, 100, 1_000];
/** How often each size is watched, each time by a new process. */
const ROUNDS = 3;
/** For how long nothing happens while the processor's time is taken, in s. */
const IDLE = 20;

const fileOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export async function main(args: string[]): Promise<void> {
  const costs: Cost[][] = [];
  // As with every benchmark, a moment that shows that all of it runs.
  const quick = args.includes("--quick");
  const given = quick ? [3] : args.map(Number);
  const count = quick ? 1 : ROUNDS;
  for (const size of given.length === 0 ? SIZES : given) {
    const rounds: Cost[] = [];
    for (let round = 0; round < count; round++) {
      console.error(`${size} primaries, round ${round + 1} of ${count} …`);
      rounds.push(await watch(size, quick ? 1 : IDLE));
    }
    costs.push(rounds);
  }
  const text = report(costs);
  console.log(text);
  if (args.length === 0) await writeSection("scale", `${introduction()}\n\n${text}`);
}

/** Servers in one process, who watches them in another. */
async function watch(primaries: number, idle: number): Promise<Cost> {
  const servers = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", fileOf("./servers.ts"), String(primaries)],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  try {
    const output = servers.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value: url } = await output.read();
    if (url === undefined) throw new Error("The servers did not start");
    const client = [
      ...[Deno.execPath(), "run", "--allow-all", "--v8-flags=--expose-gc"],
      ...[fileOf("./client.ts"), url.trim(), String(idle)],
    ] as [string, ...string[]];
    const { code, stdout, output: words } = await run(client);
    if (code !== 0) throw new Error(`Watching ${primaries} primaries failed:\n${words}`);
    return JSON.parse(stdout);
  } finally {
    servers.kill("SIGKILL");
    await servers.status;
  }
}

function introduction(): string {
  return `## Large clusters

\`deno task bench scale\` watches clusters of small servers that answer the handshake, the topology and
subscriptions, all in one process on loopback; this library, in Deno, is the other process. Coverage
is the time from the call of \`connect\` until every primary had confirmed \`subscribeKeyspace("*")\`.
Memory is what the process then holds more than before, after a collection; the heap of JavaScript is
a part of it. Steady is the processor's time over ${IDLE} s in which nothing happens but heartbeats
and refreshes, with the default options. A refresh asks for the topology, and nothing has changed.
Medians of ${ROUNDS} runs.

Measured on: ${machine()}.`;
}

function report(costs: readonly (readonly Cost[])[]): string {
  const middle = (numbers: number[]) => median(numbers.sort((a, b) => a - b));
  const columns = costs.map((rounds) => {
    const of = (pick: (cost: Cost) => number) => middle(rounds.map(pick));
    const primaries = rounds[0]!.primaries;
    const each = (pick: (cost: Cost) => number) => of(pick) / primaries;
    return [
      primaries.toLocaleString("en"),
      `${of(({ coverage }) => coverage).toFixed(0)} ms`,
      `${of(({ coverageCpu }) => coverageCpu).toFixed(0)} ms`,
      `${(each(({ memory }) => memory) / 1024).toFixed(0)} KiB`,
      `${(each(({ heap }) => heap) / 1024).toFixed(1)} KiB`,
      `${(each(({ steady }) => steady) * 1000).toFixed(1)} µs/s`,
      `${of(({ refresh }) => middle(refresh.map(({ ms }) => ms))).toFixed(1)} ms`,
      `${of(({ refresh }) => middle(refresh.map(({ cpu }) => cpu))).toFixed(1)} ms`,
    ];
  });
  return table([
    [
      ...["primaries", "full coverage", "processor", "memory, each", "heap, each"],
      ...["steady, each", "refresh", "processor"],
    ],
    ...columns,
  ]);
}
