/**
 * How much memory watching takes: `deno task bench memory`. With `--quick` after few notifications,
 * and nothing is written down.
 */
import { ReplayServer } from "../load/replay_server.ts";
import { goals, inFigures, machine, median, spread, table, writeSection } from "../report.ts";
import { type Runtime, Workshop } from "../workshop.ts";
import type { Sizes } from "./client.ts";

const FULL = { unit: 1_000_000, turns: 3 };
const QUICK = { unit: 5_000, turns: 1 };

const ROWS: readonly (readonly [keyof Sizes, string])[] = [
  ["loaded", "loaded, not connected"],
  ["idle", "connected, two patterns subscribed"],
  ["after1", "after a million notifications"],
  ["after50", "after 50 million"],
  ["heap1", "of the heap, alive after a million"],
  ["heap50", "of the heap, alive after 50 million"],
  ["channels", "then another connection, 10,000 exact channels"],
  ["full", "then another one, its queue full"],
];

export async function main(args: string[]): Promise<void> {
  const { unit, turns } = args.includes("--quick") ? QUICK : FULL;
  await using workshop = await Workshop.open([]);
  const client = await workshop.bundle("memory/client.ts");
  await using server = await ReplayServer.start(workshop);
  const results: [Runtime, Sizes[]][] = [];
  for (const runtime of workshop.chosen(args)) {
    const sizes: Sizes[] = [];
    for (let turn = 0; turn < turns; turn++) {
      console.error(`${runtime.name}, ${turn + 1} of ${turns} …`);
      const words = [String(server.port), String(unit)];
      sizes.push(await workshop.run<Sizes>(collecting(runtime), client, ...words));
    }
    results.push([runtime, sizes]);
  }
  const text = report(results);
  console.log(text);
  if (args.length === 0) await writeSection("memory", `${introduction()}\n\n${text}`);
}

/** The same, with garbage collection at hand. */
function collecting({ name, program: [program, ...args] }: Runtime): Runtime {
  const more: readonly string[] = name.startsWith("Node")
    ? ["--expose-gc"]
    : name.startsWith("Deno")
    ? ["--v8-flags=--expose-gc"]
    : [];
  return { name, program: [program, ...args, ...more] };
}

function report(results: readonly (readonly [Runtime, readonly Sizes[]])[]): string {
  const of = (sizes: readonly Sizes[], what: keyof Sizes): number[] =>
    sizes.map((one) => one[what] / 2 ** 20).sort((a, b) => a - b);
  const rows = ROWS.map(([what, title]) => [
    title,
    ...results.map(([, sizes]) => spread(of(sizes, what), 1)),
  ]);
  const queued = results[0]![1][0]!.queued;
  return [
    table([["MiB", ...results.map(([{ name }]) => name)], ...rows]),
    `The full queue holds ${inFigures(queued)} notifications.`,
    goals(results.flatMap(([{ name }, sizes]) => {
      const grown = (after1: keyof Sizes, after50: keyof Sizes): number =>
        median(of(sizes, after50)) / median(of(sizes, after1));
      return [
        [`${name}: after 50 million to after one`, grown("after1", "after50"), "<=", 1.05],
        [`${name}: the same of the heap`, grown("heap1", "heap50"), "<=", 1.05],
      ] as const;
    })),
  ].join("\n\n");
}

function introduction(): string {
  return `## Memory

\`deno task bench memory\` looks at how much memory is resident of a process that does nothing but watch,
after garbage was collected: most of it is the runtime's. V8 makes room for young objects in steps,
which shows between a million notifications and 50; the heap shows whether anything stays of them. The median of ${FULL.turns} processes, with the
quartiles in brackets.

Measured on: ${machine()}.`;
}
