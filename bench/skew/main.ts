/**
 * Watches a cluster of which one primary has as much to do as it can: `deno task bench skew`. A
 * runtime's name takes that one alone, `--quick` a moment; then nothing is written down.
 */
import { hashSlot } from "../../cluster/mod.ts";
import { startCluster, type TestCluster } from "../../tests/servers/mod.ts";
import { quantile } from "../load/quantile.ts";
import { inFigures, machine, table, writeSection } from "../report.ts";
import { type Runtime, Workshop } from "../workshop.ts";
import type { Seen, Server, Skew } from "./client.ts";

const FULL = 5;
const QUICK = 1;
const PARTS = [0.5, 0.99, 0.999];

export async function main(args: string[]): Promise<void> {
  await using workshop = await Workshop.open([]);
  const client = await workshop.bundle("skew/client.ts");
  const writer = await workshop.bundle("load/writer.ts");
  await using cluster = await startCluster({ config: { "notify-keyspace-events": "KEA" } });
  const servers = JSON.stringify(serversOf(cluster));
  const seconds = args.includes("--quick") ? QUICK : FULL;
  const sections: string[] = [];
  for (const runtime of workshop.chosen(args)) {
    console.error(`${runtime.name} …`);
    const skew = await workshop.run<Skew>(runtime, client, servers, String(seconds), writer);
    sections.push(report(runtime, skew));
    console.log(sections.at(-1));
  }
  if (args.length > 0) return;
  const { product, version } = cluster.servers[0]!.binary;
  await writeSection("skew", [introduction(`${product} ${version}`), ...sections].join("\n\n"));
}

/** The primaries, each with a hash tag of a slot in its part of them. */
function serversOf({ servers }: TestCluster): Server[] {
  return servers.map(({ port }, n) => {
    const ofIt = (tag: string) => Math.floor(hashSlot(tag) * servers.length / 16_384) === n;
    let i = 0;
    while (!ofIt(`{${i}}`)) i++;
    return { port, tag: `{${i}}` };
  });
}

function introduction(server: string): string {
  return `## One busy node

\`deno task bench skew\` watches every key of a cluster of three primaries (${server}) with one handler.
Keys are written to each of them 500 times a second, and the time is taken, in the same process, until
the handler is called: while nothing else is written; while other processes write as much as the
first primary takes, and a tenth of the whole to the two others; and while they try to
write as much, but to all alike. ${FULL} s each. Three servers, one process that writes and the one
that watches share the machine's processors, so more load is more waiting for all, also for the
servers. The question is whether the events of the two others wait for those of the busy one: they do
not where they come sooner than those, and than all do when the load is spread.

Measured on: ${machine()}.`;
}

function report({ name }: Runtime, { quiet, skewed, even, gaps, dropped }: Skew): string {
  const row = (title: string, { lags, rates }: Seen, of: readonly number[]): string[] => {
    const all = of.flatMap((n) => lags[n]!);
    const rate = of.reduce((sum, n) => sum + rates[n]!, 0);
    const share = rate / rates.reduce((sum, one) => sum + one, 0);
    return [
      title,
      inFigures(Math.round(rate)),
      `${(share * 100).toFixed(0)} %`,
      ...PARTS.map((part) => quantile(all, part).toFixed(2)),
    ];
  };
  return [
    `### ${name}`,
    table([
      ["ms", "notifications a second", "share", "p50", "p99", "p99.9"],
      row("nothing else is written, all three", quiet, [0, 1, 2]),
      row("skewed: the busy one", skewed, [0]),
      row("skewed: the two others", skewed, [1, 2]),
      row("as much asked of all alike: all three", even, [0, 1, 2]),
    ]),
    `Gaps: ${gaps}; notifications dropped: ${dropped}.`,
  ].join("\n\n");
}
