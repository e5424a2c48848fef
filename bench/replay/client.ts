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
import { readRaw } from "./raw.ts";

const [name, port, count, rounds] = process.argv.slice(2) as [string, string, string, string];
const script: Script = { kind: "patterns", count: Number(count) };

async function watch(): Promise<Stopwatch> {
  if (name === "raw") {
    const watch = new Stopwatch(frames(script, 2).length, Number(rounds));
    await readRaw(Number(port), PATTERNS, (bytes) => watch.add(bytes));
    return watch;
  }
  const watch = new Stopwatch(script.count, Number(rounds));
  // Something that depends on each text, so that it must be made.
  let characters = 0;
  await CLIENTS[name as ClientName](Number(port), PATTERNS, (key, event) => {
    characters += key.length + event.length;
    watch.add(1);
  });
  watch.finished.then(() => {
    if (characters < script.count * Number(rounds) * 10) throw new Error("The texts are not whole");
  });
  return watch;
}

const watched = await watch();
startReplay(Number(port), script, Number(rounds));
await watched.finished;
const { wall, cpu } = watched;
tell({ wall, cpu } satisfies Rounds);
