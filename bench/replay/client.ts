/**
 * `client NAME PORT COUNT ROUNDS`: has the server replay to one client and prints how long each round
 * took, and how much of the processor, as a line of JSON.
 */
import process from "node:process";
import { startReplay } from "../load/command.ts";
import { frames, PATTERNS, type Script } from "../load/frames.ts";
import { type Rounds, Stopwatch } from "../load/rounds.ts";
import { type ClientName, CLIENTS } from "../peers.ts";
import { tell } from "../tell.ts";
import { Floor } from "./floor.ts";
import { readRaw } from "./raw.ts";

const [name, port, count, rounds] = process.argv.slice(2) as [string, string, string, string];
const script: Script = { kind: "patterns", count: Number(count) };

/** A client that watches, and what throws at the end if it has not read everything. */
interface Watched {
  readonly stopwatch: Stopwatch;
  check(): void;
}

async function watch(): Promise<Watched> {
  if (name === "raw") {
    const stopwatch = new Stopwatch(frames(script, 2).length, Number(rounds));
    await readRaw(Number(port), PATTERNS, (bytes) => stopwatch.add(bytes.length));
    return { stopwatch, check() {} };
  }
  const stopwatch = new Stopwatch(script.count, Number(rounds));
  // Something that depends on each text, so that it must be made.
  let characters = 0;
  const take = (key: string, event: string) => {
    characters += key.length + event.length;
    stopwatch.add(1);
  };
  if (name === "floor") {
    const floor = new Floor(take);
    await readRaw(Number(port), PATTERNS, (bytes) => floor.read(bytes));
  } else {
    await CLIENTS[name as ClientName](Number(port), PATTERNS, take);
  }
  const check = () => {
    if (characters < script.count * Number(rounds) * 10) throw new Error("The texts are not whole");
  };
  return { stopwatch, check };
}

const { stopwatch, check } = await watch();
startReplay(Number(port), script, Number(rounds));
await stopwatch.finished;
check();
const { wall, cpu } = stopwatch;
tell({ wall, cpu } satisfies Rounds);
