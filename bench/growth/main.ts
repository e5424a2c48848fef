/**
 * What becomes of the speed when things get many or large: `deno task bench growth`. With `--quick`
 * for a moment, and nothing is written down.
 */
import { startCluster, type TestServer } from "../../tests/servers/mod.ts";
import { ReplayServer } from "../load/replay_server.ts";
import type { Rounds } from "../load/rounds.ts";
import type { Load } from "../load/writer.ts";
import { goals, inFigures, machine, median, spread, table, writeSection } from "../report.ts";
import { type Runtime, Workshop } from "../workshop.ts";
import type { Job } from "./client.ts";

interface Scale {
  /** Notifications of a round, and bytes of one where they are large. */
  readonly messages: number;
  readonly bytes: number;
  /** Rounds, the first not counted. */
  readonly rounds: number;
  readonly channels: readonly number[];
  readonly handlers: readonly number[];
  readonly nodes: readonly number[];
  readonly sizes: readonly number[];
}

const FULL: Scale = {
  messages: 500_000,
  bytes: 50_000_000,
  rounds: 6,
  channels: [1, 10, 100, 1_000, 10_000, 100_000],
  handlers: [1, 10, 100, 1_000],
  nodes: [1, 4, 16],
  sizes: [100, 256, 1_024, 4_096, 16_384, 65_536],
};
const QUICK: Scale = {
  messages: 5_000,
  bytes: 200_000,
  rounds: 2,
  channels: [1, 100],
  handlers: [1, 10],
  nodes: [1, 3],
  sizes: [100, 4_096],
};

/** Something that grows, and what was measured at each size of it. */
interface Series {
  readonly title: string;
  readonly rows: readonly (readonly [size: number, millions: number, Rounds])[];
  /** Of large messages the bytes count. */
  readonly bytes: boolean;
}

class Growth {
  readonly #workshop: Workshop;
  readonly #client: string;
  readonly #writer: string;
  readonly #runtime: Runtime;
  readonly #port: number;
  readonly #scale: Scale;

  constructor(
    workshop: Workshop,
    programs: { readonly client: string; readonly writer: string },
    runtime: Runtime,
    port: number,
    scale: Scale,
  ) {
    this.#workshop = workshop;
    this.#client = programs.client;
    this.#writer = programs.writer;
    this.#runtime = runtime;
    this.#port = port;
    this.#scale = scale;
  }

  async channels(): Promise<Series> {
    const { messages: count, rounds } = this.#scale;
    return await this.#series("subscriptions", this.#scale.channels, async (channels) => {
      const script = { kind: "channels", count, channels } as const;
      const replay = { script, rounds };
      return [count / 1e6, await this.#run({ port: this.#port, replay, channels })];
    });
  }

  async handlers(): Promise<Series> {
    const { rounds } = this.#scale;
    return await this.#series("handlers of one channel", this.#scale.handlers, async (handlers) => {
      const count = Math.ceil(this.#scale.messages / handlers);
      const script = { kind: "patterns", count } as const;
      const replay = { script, rounds };
      return [count * handlers / 1e6, await this.#run({ port: this.#port, replay, handlers })];
    });
  }

  async sizes(): Promise<Series> {
    const { rounds } = this.#scale;
    const series = await this.#series("bytes a message", this.#scale.sizes, async (bytes) => {
      const count = Math.ceil(this.#scale.bytes / bytes);
      const script = { kind: "sizes", count, bytes } as const;
      return [count / 1e6, await this.#run({ port: this.#port, replay: { script, rounds } })];
    });
    return { ...series, bytes: true };
  }

  async nodes(): Promise<Series> {
    return await this.#series("nodes", this.#scale.nodes, async (primaries) => {
      await using cluster = await startCluster({
        primaries,
        config: { "notify-keyspace-events": "KEA" },
      });
      const servers = await Promise.all(cluster.servers.map(async (server) => ({
        port: server.port,
        tag: await tagOf(server, (key) => cluster.ownerOf(key)),
      })));
      const count = Math.ceil(this.#scale.messages / primaries / 64) * 64;
      const load: Load = { servers, count, rate: null };
      const write = { load, writer: this.#writer };
      return [
        count * primaries / 1e6,
        await this.#run({ port: servers[0]!.port, write }),
      ];
    });
  }

  async #series(
    title: string,
    sizes: readonly number[],
    measure: (size: number) => Promise<[millions: number, Rounds]>,
  ): Promise<Series> {
    const rows: [number, number, Rounds][] = [];
    for (const size of sizes) {
      console.error(`${this.#runtime.name}: ${title}, ${size} …`);
      rows.push([size, ...await measure(size)]);
    }
    return { title, rows, bytes: false };
  }

  #run(job: Job): Promise<Rounds> {
    return this.#workshop.run<Rounds>(this.#runtime, this.#client, JSON.stringify(job));
  }
}

/** A hash tag of that server's, so that all keys with it are its. */
async function tagOf(
  server: TestServer,
  ownerOf: (key: string) => Promise<TestServer>,
): Promise<string> {
  for (let number = 0;; number++) {
    const tag = `{${number}}`;
    if (await ownerOf(tag) === server) return tag;
  }
}

export async function main(args: string[]): Promise<void> {
  const scale = args.includes("--quick") ? QUICK : FULL;
  await using workshop = await Workshop.open([]);
  const programs = {
    client: await workshop.bundle("growth/client.ts"),
    writer: await workshop.bundle("load/writer.ts"),
  };
  await using server = await ReplayServer.start(workshop);
  const sections: string[] = [];
  for (const runtime of workshop.chosen(args)) {
    const growth = new Growth(workshop, programs, runtime, server.port, scale);
    const all = [
      await growth.channels(),
      await growth.handlers(),
      await growth.sizes(),
      await growth.nodes(),
    ];
    sections.push(report(runtime, all));
    console.log(sections.at(-1));
  }
  if (args.length === 0) await writeSection("growth", [introduction(), ...sections].join("\n\n"));
}

/** What counts of the rounds: without the first, unless it is the only one. */
function counted(times: readonly number[]): number[] {
  return times.slice(times.length > 1 ? 1 : 0).sort((a, b) => a - b);
}

function report({ name }: Runtime, all: readonly Series[]): string {
  const tables = all.map(({ title, rows, bytes }) => {
    const what = rows.map(([size, millions, { wall, cpu }]) => {
      const unit = bytes ? millions * size : millions;
      const rates = counted(wall).map((ms) => unit * 1000 / ms).reverse();
      const costs = counted(cpu).map((ms) => ms / unit);
      return [inFigures(size), spread(rates, 2), spread(costs, bytes ? 2 : 0)];
    });
    const head = bytes
      ? [title, "MB a second", "CPU, ms a MB"]
      : [title, "million a second", "CPU, ms a million"];
    return table([head, ...what]);
  });
  // By the processor's time, which what else the machine does disturbs less.
  const rate = ([, millions, { cpu }]: Series["rows"][number]): number =>
    millions / median(counted(cpu));
  const { rows } = all[0]!;
  const [first, last] = [rows[0]!, rows.at(-1)!];
  const left = rate(last) / rate(first);
  const goal = goals([
    [`speed left with ${inFigures(last[0])} subscriptions, by CPU`, left, ">=", 0.8],
  ]);
  return [`### ${name}`, ...tables, goal].join("\n\n");
}

function introduction(): string {
  const { messages, rounds } = FULL;
  return `## Growth

\`deno task bench growth\` has one process watch more and more, each notification with its key and event
read by a handler: exact channels, whose messages come in scattered order; handlers of the same two
patterns, where each call counts; nodes of a real cluster, each a process that is written to as fast as
it takes it; and keys that make messages larger. All but the nodes are replayed, ${
    inFigures(messages)
  } notifications a
round or 50 MB; the median of ${
    rounds - 1
  } rounds after the first, with the quartiles in brackets, and of the nodes
one run. "CPU" is what the process that watches takes of a core, in milliseconds.

Measured on: ${machine()}.`;
}
