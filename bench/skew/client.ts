/**
 * `client SERVERS SECONDS WRITER`: watches a cluster of {@linkcode Server}s, while one of them gets
 * nine tenths of the writes and as many as it takes, and prints {@linkcode Skew} as JSON.
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { ClusterKeyspaceNotifications } from "../../mod.ts";
import { Probe } from "../load/probe.ts";
import type { Load } from "../load/writer.ts";
import { tell } from "../tell.ts";
import { sleep } from "../../tests/servers/wait.ts";

/** A primary, and the hash tag of a slot it owns. */
export interface Server {
  readonly port: number;
  readonly tag: string;
}

/** What was seen of each server, in their order, while something else was going on. */
export interface Seen {
  /** Milliseconds from writes to their notifications. */
  readonly lags: readonly number[][];
  /** Notifications a second. */
  readonly rates: readonly number[];
}

/** What a skewed load does. */
export interface Skew {
  /** While nothing else is written. */
  readonly quiet: Seen;
  /** While the first server gets nine tenths of what is written, and as many as it takes. */
  readonly skewed: Seen;
  /** While the same load is spread evenly. */
  readonly even: Seen;
  /** Gaps that were reported, and notifications that were dropped. */
  readonly gaps: number;
  readonly dropped: number;
}

const PROBES = 500;
/** How many more times one gets than the two others each. */
const TIMES = 18;

const servers: Server[] = JSON.parse(process.argv[2]!);
const seconds = Number(process.argv[3]);
const writer = process.argv[4]!;

const probes = servers.map(({ port, tag }) => new Probe(port, tag));
const counts = new Map(servers.map(({ port }) => [`127.0.0.1:${port}`, 0]));

const notifications = await ClusterKeyspaceNotifications.connect(
  servers.map(({ port }) => `redis://127.0.0.1:${port}`),
);
await notifications.subscribeKeyspace("*", {
  handler: ({ key, node }) => {
    counts.set(node!, counts.get(node!)! + 1);
    for (const probe of probes) if (probe.heard(key)) break;
  },
});

/** Writes to some servers until it is stopped. */
function write(to: readonly Server[], rate: number | null): ChildProcess {
  const load: Load = { servers: to, count: 2 ** 30, rate };
  return spawn("node", [writer, JSON.stringify(load)], { stdio: ["ignore", "ignore", "inherit"] });
}

async function end(writers: readonly ChildProcess[]): Promise<void> {
  for (const child of writers) child.kill("SIGKILL");
  // What is under way by then counts for nothing.
  await sleep(500);
}

async function watch(...writers: ChildProcess[]): Promise<Seen> {
  await sleep(1000);
  const before = probes.map(({ lags }) => lags.length);
  const countsBefore = [...counts.values()];
  const begin = performance.now();
  await sleep(1000 * seconds);
  const elapsed = (performance.now() - begin) / 1000;
  const seen = {
    lags: probes.map(({ lags }, n) =>
      lags.slice(before[n]!).map((ms) => Math.round(ms * 1e4) / 1e4)
    ),
    rates: [...counts.values()].map((count, n) => (count - countsBefore[n]!) / elapsed),
  };
  await end(writers);
  return seen;
}

const sum = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0);

for (const probe of probes) probe.start(PROBES);
await sleep(500);
const quiet = await watch();
const [first, ...others] = servers as [Server, ...Server[]];
// How many it takes while the others get theirs, to which their share is fitted.
let share = 1_000;
for (let round = 0; round < 3; round++) {
  const { rates } = await watch(write([first], null), write(others, share));
  share = rates[0]! / TIMES;
}
const skewed = await watch(write([first], null), write(others, share));
const each = (sum(skewed.rates) - PROBES * servers.length) / servers.length;
const even = await watch(write(servers, each));
const { gaps, dropped } = notifications.status();
const skew: Skew = { quiet, skewed, even, gaps, dropped };
tell(skew);
