/**
 * `client JOB`, a {@linkcode Job} as JSON: watches as it says and prints how long that took, as a
 * line of JSON.
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { connect, type KeyNotification } from "../../mod.ts";
import { startReplay } from "../load/command.ts";
import { channelOf, PATTERNS, type Script } from "../load/frames.ts";
import { type Rounds, Stopwatch } from "../load/rounds.ts";
import type { Load } from "../load/writer.ts";
import { tell } from "../tell.ts";

export interface Job {
  /** The server's, or one of a cluster's. */
  readonly port: number;
  /** What is replayed, how often; or what is written. */
  readonly replay?: { readonly script: Script; readonly rounds: number };
  readonly write?: { readonly load: Load; readonly writer: string };
  /** How many exact channels to subscribe to, in place of the patterns. */
  readonly channels?: number;
  /** How many handlers each channel has. Default 1. */
  readonly handlers?: number;
}

const job: Job = JSON.parse(process.argv[2]!);
const { port, replay, write, channels, handlers = 1 } = job;
const fail = (reason: unknown) => {
  console.error(reason);
  process.exit(1);
};
const notifications = await connect(`redis://127.0.0.1:${port}`, {
  onGap: fail,
  onError: fail,
  timeout: 60_000,
});
const messages = replay !== undefined
  ? replay.script.count
  : write!.load.count * write!.load.servers.length;
const watch = new Stopwatch(messages * handlers, replay?.rounds ?? 1);
let characters = 0;
const wanted = channels !== undefined
  ? Array.from({ length: channels }, (_, index) => channelOf(index))
  : write !== undefined
  ? [PATTERNS[0]]
  : [...PATTERNS];
for (let count = 0; count < handlers; count++) {
  const handler = ({ key, eventType }: KeyNotification) => {
    characters += key.length + eventType.length;
    watch.add(1);
  };
  await notifications.subscribe(...wanted, { handler });
}
if (replay !== undefined) startReplay(port, replay.script, replay.rounds);
else {
  const words = [write!.writer, JSON.stringify(write!.load)];
  spawn("node", words, { stdio: ["ignore", "inherit", "inherit"] });
}
await watch.finished;
if (characters === 0) throw new Error("There were no texts");
const { wall, cpu } = watch;
tell({ wall, cpu } satisfies Rounds);
