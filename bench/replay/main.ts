/**
 * Has each client read a million messages from a socket as fast as it can: `deno task bench replay`.
 * With `--quick` few of them, once, and nothing is written down.
 */
import { type ClientName, PEERS, TITLES } from "../peers.ts";
import { goals, inFigures, machine, median, spread, table, writeSection } from "../report.ts";
import { type Runtime, Workshop } from "../workshop.ts";
import { frames } from "../load/frames.ts";
import { ReplayServer } from "../load/replay_server.ts";
import type { Rounds } from "../load/rounds.ts";

interface Scale {
  readonly messages: number;
  /** Processes of each client. */
  readonly turns: number;
  /** Rounds of each process, and of those how many first ones do not count. */
  readonly rounds: number;
  readonly warmUp: number;
}

const FULL: Scale = { messages: 1_000_000, turns: 3, rounds: 4, warmUp: 1 };
const QUICK: Scale = { messages: 20_000, turns: 1, rounds: 2, warmUp: 1 };

/** `floor` does what cannot be left out, and `raw` is the socket, read and not looked at. */
type Contestant = ClientName | "floor" | "raw";

const CONTESTANTS: readonly Contestant[] = [
  "handler",
  "listen",
  "batches",
  "redis",
  "ioredis",
  "iovalkey",
  "floor",
  "raw",
];

/** What one client took in one runtime, sorted: milliseconds a million messages. */
interface Result {
  /** The first million of each process. */
  readonly cold: number[];
  readonly wall: number[];
  readonly cpu: number[];
}

type Results = Readonly<Record<Contestant, Result>>;

export async function main(args: string[]): Promise<void> {
  const scale = args.includes("--quick") ? QUICK : FULL;
  await using workshop = await Workshop.open(Object.values(PEERS));
  const client = await workshop.bundle("replay/client.ts");
  await using server = await ReplayServer.start(workshop);
  const sections: string[] = [];
  for (const runtime of workshop.chosen(args)) {
    const results = await contest(workshop, runtime, client, server.port, scale);
    sections.push(report(runtime, results));
    console.log(sections.at(-1));
  }
  if (args.length === 0) {
    await writeSection("replay", [introduction(), ...sections].join("\n\n"));
  }
}

async function contest(
  workshop: Workshop,
  runtime: Runtime,
  client: string,
  port: number,
  { messages, turns, rounds, warmUp }: Scale,
): Promise<Results> {
  const results = Object.fromEntries(
    CONTESTANTS.map((name) => [name, { cold: [], wall: [], cpu: [] }]),
  ) as unknown as Results;
  // By turns, so that what else the machine does falls on all.
  for (let turn = 0; turn < turns; turn++) {
    for (const name of CONTESTANTS) {
      console.error(`${runtime.name}: ${name}, ${turn + 1} of ${turns} …`);
      const words = [name, port, messages, rounds].map(String);
      const { wall, cpu } = await workshop.run<Rounds>(runtime, client, ...words);
      const perMillion = (ms: number): number => ms * 1e6 / messages;
      const result = results[name];
      result.cold.push(perMillion(wall[0]!));
      result.wall.push(...wall.slice(warmUp).map(perMillion));
      result.cpu.push(...cpu.slice(warmUp).map(perMillion));
    }
  }
  for (const result of Object.values(results)) {
    for (const times of Object.values(result) as number[][]) times.sort((a, b) => a - b);
  }
  return results;
}

function introduction(): string {
  const { messages, turns, rounds, warmUp } = FULL;
  const bytes = Math.round(frames({ kind: "patterns", count: messages }, 3).length / messages);
  return `## Replay

\`deno task bench replay\` has a server in a process of its own send ${inFigures(messages)} prepared
\`pmessage\` frames of ${bytes} bytes on average over loopback, round after round and as fast as the socket takes
them, half of them keyspace and half keyevent messages, each of another key. Each client, in a
process of its own, gives the key and the event of each; \`redis\` (\`${PEERS.redis}\`), \`ioredis\`
(\`${PEERS.ioredis}\`) and \`iovalkey\` (\`${PEERS.iovalkey}\`) give channel and payload, out of which the
program takes them as their users do. "The floor" finds the parts of each message, makes the texts of
its key and event and one object, and calls a function with it, by this library's code for parts and
texts and nothing else of it. "The socket" is read as fast as the runtime can, and what comes is not
looked at.

Each client runs ${turns} times, by turns with the others, for ${rounds} rounds, of which the first ${warmUp} does
not count but is shown: "cold", in which the runtime compiles. Figures are millions of messages a
second, the median of ${
    turns * (rounds - warmUp)
  } rounds with the quartiles in brackets. "CPU" is what a million costs the
client's process in milliseconds of a core, with all of its threads and what the system does for it; where others use the
machine it is the steadier figure, and the last two columns compare it.

Measured on: ${machine()}.`;
}

function report(runtime: Runtime, results: Results): string {
  const { redis, floor } = results;
  const perSecond = (ms: number): number => 1000 / ms;
  const rate = ({ wall }: Result): number => perSecond(median(wall));
  const cpu = (result: Result): number => median(result.cpu);
  const rows = CONTESTANTS.map((name) => {
    const result = results[name];
    return [
      name === "raw" ? "the socket" : name === "floor" ? "the floor" : TITLES[name],
      spread(result.wall.map(perSecond).reverse(), 2),
      perSecond(median(result.cold)).toFixed(2),
      (rate(result) / rate(redis)).toFixed(1),
      spread(result.cpu, 0),
      (cpu(redis) / cpu(result)).toFixed(1),
      (cpu(result) / cpu(floor)).toFixed(2),
    ];
  });
  const head = ["", "million a second", "cold", "times `redis`", "CPU", "times `redis` by CPU"]
    .concat("CPU to the floor's");
  const [handler, listen] = [cpu(results.handler), cpu(results.listen)];
  const isBun = runtime.name.startsWith("Bun");
  return [
    `### ${runtime.name}`,
    table([head, ...rows]),
    goals([
      ["handler, times `redis` by CPU", cpu(redis) / handler, ">=", isBun ? 2.8 : 5],
      ["`listen`, times `redis` by CPU", cpu(redis) / listen, ">=", isBun ? 2.4 : 4],
      ["handler, CPU to the floor's", handler / cpu(floor), "<=", 1.4],
    ]),
  ].join("\n\n");
}
