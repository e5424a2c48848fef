/**
 * `client NAME PORT COUNT ROUNDS`: watches the replay with one client and prints how long each round
 * took, and how much of the processor, as a line of JSON.
 */
import process from "node:process";
import { type ClientName, CLIENTS } from "../peers.ts";
import { frames, PATTERNS } from "./frames.ts";
import { readRaw } from "./raw.ts";

/** What each round took, in milliseconds: on the clock, and of the processor. */
export interface Rounds {
  readonly wall: number[];
  readonly cpu: number[];
}

const [name, port, count, rounds] = process.argv.slice(2) as [string, ...string[]];
const messages = Number(count);
const wall: number[] = [];
const cpu: number[] = [];
let since = 0;
let used = process.cpuUsage();
let finish: () => void;
const finished = new Promise<void>((resolve) => finish = resolve);

function endRound(): void {
  const now = performance.now();
  const usage = process.cpuUsage();
  wall.push(now - since);
  cpu.push((usage.user - used.user + usage.system - used.system) / 1000);
  since = now;
  used = usage;
  if (wall.length === Number(rounds)) finish();
}

function begin(): void {
  since = performance.now();
  used = process.cpuUsage();
}

let close: () => Promise<unknown>;
if (name === "raw") {
  const length = frames(2, messages).length;
  let left = length;
  let begun = false;
  close = await readRaw(Number(port), PATTERNS, (bytes) => {
    if (!begun) begin();
    begun = true;
    for (left -= bytes; left <= 0; left += length) endRound();
  });
} else {
  let taken = 0;
  // Something that depends on each text, so that it must be made.
  let characters = 0;
  close = await CLIENTS[name as ClientName](Number(port), PATTERNS, (key, event) => {
    if (taken === 0) begin();
    characters += key.length + event.length;
    if (++taken % messages === 0) endRound();
  });
  const check = () => {
    if (characters < taken * 10) throw new Error("The texts are not those that were sent");
  };
  finished.then(check);
}
await finished;
await close();
console.log(JSON.stringify({ wall, cpu } satisfies Rounds));
process.exit();
