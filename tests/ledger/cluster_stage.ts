import { hashSlot } from "../../cluster/discovery/mod.ts";
import { sleep, startCluster, type TestCluster, type TestServer, until } from "../servers/mod.ts";
import { Book } from "./book.ts";
import type { SlotRange } from "./ledger.ts";
import { LoopDelay } from "./loop_delay.ts";
import { Random } from "../random.ts";
import { FLAGS, HEARTBEAT, QUEUE, type Stage, type StageOptions, TIMEOUT } from "./stage.ts";
import { Watcher, type Watching } from "./watcher.ts";
import { type Place, type Way, Writer } from "./writer.ts";

/** The slots that half of all writes go to, if no others are chosen. */
export const BUSY: SlotRange = { first: 8_000, last: 8_000 };

/** How often the watcher asks who owns what, in ms. */
export const REFRESH = 500;

const SLOTS = 16_384;

/** How many more keys the first of them has, which nobody watches: so that it takes a while to move. */
const FILLED = 10_000;

const FILL = `for i = 1, ARGV[1] do
  redis.call("SET", KEYS[1] .. i, string.rep("x", 100))
end`;

/** How much has been written when the play begins. */
const WRITES = 1_000;

/** A hash tag for each slot. */
const TAGS: readonly string[] = tagsOfAllSlots();

/** How many servers there may be: six, and those that join. */
export const MOST_SERVERS = 9;

/** A node as another one sees it. */
export interface NodeLine {
  readonly server: TestServer;
  readonly id: string;
  /** The id of its primary; null when it is one. */
  readonly primary: string | null;
  readonly isHealthy: boolean;
  readonly slots: readonly SlotRange[];
}

export interface ClusterStageOptions extends StageOptions {
  readonly seed: number;
  /** The servers, if not of its own; all their keys are deleted. */
  readonly cluster?: TestCluster | undefined;
  /** The slots that half of all writes go to. */
  readonly busy?: SlotRange;
  /** How many more keys the first of them has, which nobody watches. */
  readonly filled?: number;
  /** Whether keys also expire and are renamed. */
  readonly everyKind?: boolean;
}

/**
 * Three primaries with a replica each, under writes to all slots, half of them to a few. The
 * writer goes where the cluster sends it; the watcher is informed of one node only.
 */
export class ClusterStage implements Stage, AsyncDisposable {
  readonly #resources: AsyncDisposableStack;

  private constructor(
    readonly book: Book,
    readonly cluster: TestCluster,
    readonly writer: Writer,
    readonly watcher: Watching,
    readonly delay: Stage["delay"],
    readonly random: Random,
    /** The slots that half of all writes go to. */
    readonly busy: SlotRange,
    resources: AsyncDisposableStack,
  ) {
    this.#resources = resources;
  }

  /** Resolves once the watcher is subscribed; then the writer has begun. */
  static async open(options: ClusterStageOptions): Promise<ClusterStage> {
    const { protocol, rate = 1000, consumer = "loop", seed, watch = Watcher.start } = options;
    const { busy = BUSY, filled = FILLED, everyKind = false } = options;
    const random = new Random(seed);
    const book = new Book();
    await using resources = new AsyncDisposableStack();
    const cluster = options.cluster ?? resources.use(await startLedgerCluster(options));
    for (const { server } of await primariesOf(cluster)) await server.command("FLUSHALL");
    const owner = await cluster.ownerOf(TAGS[busy.first]!);
    await owner.command("EVAL", FILL, 1, `{${TAGS[busy.first]}}`, filled);
    const here = resources.use(new LoopDelay());
    const watcher = resources.use(
      await watch({
        book,
        target: [cluster.urls[0]!],
        channels: ["__keyspace@0__:n:*"],
        consumer,
        connect: {
          protocol,
          queue: { items: QUEUE * 4 },
          timeout: TIMEOUT,
          heartbeat: HEARTBEAT,
          refreshInterval: REFRESH,
          ...options.connect,
        },
      }),
    );
    const routes = resources.use(new Routes(cluster));
    const writer = resources.use(
      new Writer({
        book,
        rate,
        everyKind,
        lanes: Array.from({ length: MOST_SERVERS }, (_, index) => ({
          name: `server ${index}`,
          target: () => cluster.servers[index] ?? null,
        })),
        place: (): Place => {
          const { first, last } = random.chance(0.5) ? busy : { first: 0, last: SLOTS - 1 };
          const slot = random.between(first, last);
          return { slot, tag: TAGS[slot]! };
        },
        route: (slot) => routes.wayTo(slot),
        redirect: (line) => routes.redirect(line),
      }),
    );
    await until("there are keys to move", () => book.writes.length > WRITES);
    const delay = {
      stolen: (from: number, to: number) => here.stolen(from, to) + watcher.stolen(from, to),
    };
    return new ClusterStage(book, cluster, writer, watcher, delay, random, busy, resources.move());
  }

  /** The slots of the last thing that happened. */
  struck: readonly SlotRange[] = [];

  /** The nodes as one that is alive sees them. */
  nodes(): Promise<NodeLine[]> {
    return nodesOf(this.cluster);
  }

  /** Those that are primaries and alive. */
  primaries(): Promise<NodeLine[]> {
    return primariesOf(this.cluster);
  }

  /** The same, first of all the owner of the busy slots. */
  async busyOwnerFirst(): Promise<NodeLine[]> {
    const primaries = await this.primaries();
    return primaries.sort((a, b) => Number(owns(b, this.busy)) - Number(owns(a, this.busy)));
  }

  /** Resolves once all servers say that slots are a node's. */
  async agreesOn({ server: { port } }: NodeLine, slots: SlotRange = this.busy): Promise<void> {
    const { first, last } = slots;
    for (const asked of this.cluster.servers) {
      await until(`${asked.port} says that the slots are ${port}'s`, async () => {
        return await ownerOf(first, asked) === port && await ownerOf(last, asked) === port;
      });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }
}

/** Starts the servers of a stage. */
export function startLedgerCluster({ binary }: Pick<StageOptions, "binary">): Promise<TestCluster> {
  return startCluster({
    ...(binary ? { binary } : {}),
    // A busy machine must not make nodes find each other dead.
    config: { ...FLAGS, "cluster-node-timeout": 3000 },
    replicas: 1,
  });
}

/** Whether a node owns these slots. */
export function owns({ slots }: NodeLine, { first, last }: SlotRange): boolean {
  return slots.some((range) => range.first <= first && last <= range.last);
}

/** Which server owns which slot, asked all the time, and corrected by what servers answer to writes. */
class Routes implements AsyncDisposable {
  readonly #cluster: TestCluster;
  readonly #owners: number[] = new Array(SLOTS).fill(0);
  #stopped = false;
  readonly #asking: Promise<void>;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#asking = this.#ask();
  }

  wayTo(slot: number): Way {
    return this.#way(this.#owners[slot]!);
  }

  redirect(line: string): Way | null {
    const [, kind, slot, port] = /^-(MOVED|ASK) (\d+) .*:(\d+)$/.exec(line) ?? [];
    const index = this.#cluster.servers.findIndex((server) => server.port === Number(port));
    if (index < 0) return null;
    if (kind === "MOVED") this.#owners[Number(slot)] = index;
    return { ...this.#way(index), asking: kind === "ASK" };
  }

  #way(lane: number): Way {
    const { host, port } = this.#cluster.servers[lane]!;
    return { lane, node: `${host}:${port}` };
  }

  async #ask(): Promise<void> {
    while (!this.#stopped) {
      for (const { server, slots } of await nodesOf(this.#cluster).catch(() => [])) {
        const index = this.#cluster.servers.indexOf(server);
        for (const { first, last } of slots) this.#owners.fill(index, first, last + 1);
      }
      await sleep(100);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#asking;
  }
}

async function primariesOf(cluster: TestCluster): Promise<NodeLine[]> {
  const nodes = await nodesOf(cluster);
  return nodes.filter(({ primary, isHealthy }) => primary === null && isHealthy);
}

/** The nodes as the first one sees them that answers. */
async function nodesOf(cluster: TestCluster): Promise<NodeLine[]> {
  let text = "";
  for (const server of cluster.servers) {
    text = await server.command("CLUSTER", "NODES").catch(() => "") as string;
    if (text !== "" && !/myself,\S*(fail|noaddr)/.test(text)) break;
  }
  return text.trimEnd().split("\n").flatMap((line) => {
    const [id, address, flags, primary, , , , link, ...words] = line.split(" ");
    const port = Number(/:(\d+)@/.exec(address!)?.[1]);
    const server = cluster.servers.find((server) => server.port === port);
    if (server === undefined) return [];
    return [{
      server,
      id: id!,
      primary: primary === "-" ? null : primary!,
      isHealthy: link === "connected" && !/fail|handshake/.test(flags!),
      slots: words.filter((word) => !word.startsWith("[")).map((word) => {
        const [first, last = first] = word.split("-").map(Number);
        return { first: first!, last: last! };
      }),
    }];
  });
}

function tagsOfAllSlots(): string[] {
  const tags: string[] = new Array(SLOTS).fill("");
  for (let i = 0, left = SLOTS; left > 0; i++) {
    const slot = hashSlot(`${i}`);
    if (tags[slot] !== "") continue;
    tags[slot] = `${i}`;
    left--;
  }
  return tags;
}

/** The port of the server that owns a slot, as the asked one sees it; null if nobody does. */
export async function ownerOf(slot: number, asked: TestServer): Promise<number | null> {
  const ranges = await asked.command("CLUSTER", "SLOTS") as [number, number, [string, number]][];
  return ranges.find(([first, last]) => first <= slot && slot <= last)?.[2][1] ?? null;
}
