/**
 * `client NAME PORT COUNT WRITER`: has the writer write so many keys, watches them with one client,
 * and prints a {@linkcode Watched} as a line of JSON.
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { PATTERNS } from "../load/frames.ts";
import { Probe } from "../load/probe.ts";
import { quantile } from "../load/quantile.ts";
import { Stopwatch } from "../load/rounds.ts";
import type { Load } from "../load/writer.ts";
import { type ClientName, CLIENTS } from "../peers.ts";
import { tell } from "../tell.ts";

export interface Watched {
  /** The notifications that it took. */
  readonly taken: number;
  /** Milliseconds, on the clock and of the processor. */
  readonly wall: number;
  readonly cpu: number;
  /** Milliseconds from a write to its notification: half of them less, one in a hundred more. */
  readonly p50: number;
  readonly p99: number;
}

const [name, portText, countText, writer] = process.argv.slice(2) as [string, ...string[]];
const port = Number(portText);
const count = Number(countText);

const probe = new Probe(port);
// Each write is reported by its key and by its event.
const taken = name === "bun" ? count : 2 * count;
const watch = new Stopwatch(taken, 1);
await CLIENTS[name as ClientName](port, PATTERNS, (key) => {
  if (!probe.heard(key)) watch.add(1);
});
const load: Load = { servers: [{ port, tag: "" }], count, rate: null };
spawn("node", [writer!, JSON.stringify(load)], { stdio: ["ignore", "inherit", "inherit"] });
probe.start(200);
await watch.finished;
probe.stop();
const { wall: [wall], cpu: [cpu] } = watch;
const [p50, p99] = [0.5, 0.99].map((part) => quantile(probe.lags, part)) as [number, number];
tell({ taken, wall: wall!, cpu: cpu!, p50, p99 } satisfies Watched);
