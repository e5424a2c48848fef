/**
 * Has each client watch a real server that is written to as fast as it takes it: `deno task bench
 * live`. With `--quick` for a moment, and nothing is written down.
 */
import { TestServer } from "../../tests/servers/mod.ts";
import { type ClientName, PEERS, TITLES } from "../peers.ts";
import { goals, inFigures, machine, median, spread, table, writeSection } from "../report.ts";
import { type Runtime, Workshop } from "../workshop.ts";
import type { Watched } from "./client.ts";

const FULL = { writes: 640_000, turns: 3 };
const QUICK = { writes: 6_400, turns: 1 };

const CONTESTANTS: readonly ClientName[] = [
  ...["handler", "listen"] as const,
  ...["redis", "ioredis", "iovalkey", "glide", "bun"] as const,
];

export async function main(args: string[]): Promise<void> {
  const { writes, turns } = args.includes("--quick") ? QUICK : FULL;
  await using workshop = await Workshop.open(Object.values(PEERS));
  const client = await workshop.bundle("live/client.ts");
  const writer = await workshop.bundle("load/writer.ts");
  await using server = await TestServer.start({
    config: {
      "notify-keyspace-events": "KEA",
      // A client that falls behind is to show it, not to be cut off.
      "client-output-buffer-limit": "pubsub 0 0 0",
    },
  });
  const watch = (runtime: Runtime, name: ClientName): Promise<Watched> =>
    workshop.run(runtime, client, name, String(server.port), String(writes), writer);
  const sections: string[] = [];
  for (const runtime of workshop.chosen(args)) {
    const names = CONTESTANTS.filter((name) => name !== "bun" || runtime.name.startsWith("Bun"));
    const watched = new Map<ClientName, Watched[]>(names.map((name) => [name, []]));
    for (let turn = 0; turn < turns; turn++) {
      for (const name of names) {
        console.error(`${runtime.name}: ${name}, ${turn + 1} of ${turns} …`);
        watched.get(name)!.push(await watch(runtime, name));
      }
    }
    sections.push(report(runtime, watched));
    console.log(sections.at(-1));
  }
  if (args.length === 0) {
    await writeSection("live", [introduction(server.binary.version), ...sections].join("\n\n"));
  }
}

function report(
  runtime: Runtime,
  watched: ReadonlyMap<ClientName, readonly Watched[]>,
): string {
  const of = (name: ClientName, what: (one: Watched) => number): number[] =>
    watched.get(name)!.map(what).sort((a, b) => a - b);
  const cpu = (name: ClientName): number[] => of(name, (one) => one.cpu / one.taken * 1000);
  const share = (name: ClientName): number => median(cpu(name)) / median(cpu("redis"));
  const rows = [...watched.keys()].map((name) => [
    TITLES[name],
    spread(cpu(name), 2),
    share(name).toFixed(2),
    spread(of(name, (one) => one.taken / one.wall / 1000), 2),
    median(of(name, (one) => one.p50)).toFixed(1),
    median(of(name, (one) => one.p99)).toFixed(1),
  ]);
  const head = ["", "CPU", "to `redis`", "million a second", "lag p50, ms", "lag p99, ms"];
  return [
    `### ${runtime.name}`,
    table([head, ...rows]),
    goals([
      ["CPU to `redis`'s, handler", share("handler"), "<=", 0.25],
      ["CPU to `redis`'s, `listen`", share("listen"), "<=", 0.25],
    ]),
  ].join("\n\n");
}

function introduction(version: string): string {
  return `## Live

\`deno task bench live\` has each client watch a Redis ${version} with \`KEA\`, to which another process
writes ${
    inFigures(FULL.writes)
  } keys, 64 commands at a time, as fast as it takes them. Each write is reported
twice, by its key and by its event. Bun's own client has no patterns, and gets the second alone. "CPU" is
what a million notifications cost the client's process, in seconds of a core, and "lag" how long it took from a write of the client's own program, 200 of them a
second, to its notification. Server and writer use the same machine, so the rate is what is left of it;
a client that falls behind has the server keep what it has not read. The median of ${FULL.turns} runs, by
turns, with the quartiles in brackets.

Measured on: ${machine()}.`;
}
