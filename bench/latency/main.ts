/**
 * Takes the time from a write to the call of a handler: `deno task bench latency`. With `--quick` for
 * a moment, and nothing is written down.
 */
import { TestServer } from "../../tests/servers/mod.ts";
import { run } from "../../tests/servers/run.ts";
import type { Load } from "../load/writer.ts";
import { quantile } from "../load/quantile.ts";
import { PEERS, TITLES } from "../peers.ts";
import { goals, inFigures, machine, table, writeSection } from "../report.ts";
import { type Runtime, Workshop } from "../workshop.ts";

/** Seconds of a run, and runs of each client. */
const FULL = { seconds: 3, turns: 3, calibration: 640_000 };
const QUICK = { seconds: 0.3, turns: 1, calibration: 6_400 };

/** `bare` is the runtime's socket. */
const CONTESTANTS = ["handler", "redis", "bare"] as const;
type Contestant = typeof CONTESTANTS[number];

const FEW = 1_000;
const PARTS = [0.5, 0.99, 0.999];

export async function main(args: string[]): Promise<void> {
  const { seconds, turns, calibration } = args.includes("--quick") ? QUICK : FULL;
  await using workshop = await Workshop.open([PEERS.redis]);
  const client = await workshop.bundle("latency/client.ts");
  const writer = await workshop.bundle("load/writer.ts");
  await using server = await TestServer.start({ config: { "notify-keyspace-events": "KEA" } });
  const { port } = server;
  const half = Math.round(await saturation(workshop, writer, port, calibration) / 2000) * 1000;
  const sections: string[] = [];
  for (const runtime of workshop.chosen(args)) {
    for (const rate of [FEW, half]) {
      const lags = new Map<Contestant, number[]>(CONTESTANTS.map((name) => [name, []]));
      for (let turn = 0; turn < turns; turn++) {
        for (const name of CONTESTANTS) {
          console.error(`${runtime.name}: ${name} at ${rate}, ${turn + 1} of ${turns} …`);
          const words = [name, ...[port, seconds, rate].map(String), writer];
          lags.get(name)!.push(...await workshop.run<number[]>(runtime, client, ...words));
        }
      }
      sections.push(report(runtime, rate, lags));
      console.log(sections.at(-1));
    }
  }
  if (args.length === 0) {
    const { version } = server.binary;
    await writeSection("latency", [introduction(version, half), ...sections].join("\n\n"));
  }
}

/** How many writes a second the server takes from one connection, with nobody listening. */
async function saturation(
  workshop: Workshop,
  writer: string,
  port: number,
  count: number,
): Promise<number> {
  const load: Load = { servers: [{ port, tag: "" }], count, rate: null };
  const begin = performance.now();
  const command = ["node", writer, JSON.stringify(load)];
  const { code, output } = await run(command, { cwd: workshop.folder });
  if (code !== 0) throw new Error(`The writer ended with ${code}:\n${output}`);
  return count / (performance.now() - begin) * 1000;
}

function report(
  runtime: Runtime,
  rate: number,
  lags: ReadonlyMap<Contestant, readonly number[]>,
): string {
  const at = (name: Contestant, part: number): number => quantile(lags.get(name)!, part) * 1000;
  const rows = CONTESTANTS.map((name) => [
    name === "bare" ? "a bare socket" : TITLES[name],
    ...PARTS.map((part) => at(name, part).toFixed(0)),
    (at(name, 0.99) / at("bare", 0.99)).toFixed(2),
    inFigures(lags.get(name)!.length),
  ]);
  const head = ["µs", "p50", "p99", "p99.9", "p99 to the bare socket's", "writes"];
  const share = at("handler", 0.99) / at("bare", 0.99);
  return [
    `### ${runtime.name}, ${inFigures(rate)} writes a second`,
    table([head, ...rows]),
    ...rate === FEW ? [goals([["p99 to the bare socket's", share, "<=", 1.1]])] : [],
  ].join("\n\n");
}

function introduction(version: string, half: number): string {
  return `## Latency

\`deno task bench latency\` writes a key to a Redis ${version} a thousand times a second, and takes the
time, in the same process, until a handler is called with it on another connection: alone, and while
another process writes so much that it is half of what the server takes from one connection when
nobody listens (${
    inFigures(half)
  } a second). "A bare socket" is the runtime's own, in which the keys
are looked for by a regular expression. ${FULL.turns} runs of ${FULL.seconds} s each, by turns, taken
together, the first half second of each left out.

Measured on: ${machine()}.`;
}
