// Clients load it when they connect, which is to take no time.
import "../../cluster/watched_cluster.ts";
import "../../pubsub/on_demand.ts";
import {
  ClusterKeyspaceNotifications,
  type ClusterOptions,
  type Gap,
  KeyspaceChannel,
} from "../../mod.ts";
import { Random } from "../random.ts";
import { VirtualClock } from "./model/clock.ts";
import { ModelCluster } from "./model/cluster.ts";
import { Operations } from "./model/operations.ts";
import type { Profile } from "./model/profiles.ts";
import { type Item, Report } from "./model/report.ts";

/** What a run is made of. */
export interface ModelOptions {
  readonly seed: number;
  readonly profile: Profile;
  readonly protocol: 2 | 3;
  /** On which channels the client listens. */
  readonly kind?: "keyspace" | "keyevent";
  readonly emitsNew?: boolean;
  /** As {@linkcode ModelClusterOptions.latencies}; a tenth of a ms if left out. */
  readonly latencies?: readonly number[];
  /** As {@linkcode Span.slack}; 500 if left out. */
  readonly slack?: number;
  /** How many shards the cluster has; 3 if left out. */
  readonly shards?: number;
  /** Of how many slots the client watches the keys by their names; of all, and by a pattern, if left out. */
  readonly watched?: number;
  /** What the client is given besides. */
  readonly options?: ClusterOptions;
}

/** How many keys of each slot a client watches that watches them by their names: more than are made. */
const MOST_KEYS = 300;

function channelOf(key: string): KeyspaceChannel {
  return new KeyspaceChannel(key, { db: 0 });
}

/** How long everything may take to arrive at the end, in ms: more than any deadline of the client. */
const SETTLING = 30_000;

/**
 * A cluster in one thread, and the library's client of it: what happens on the servers, on the network
 * and in the client's process is in one order that depends on a seed alone.
 */
export class Model implements AsyncDisposable {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly cluster: ModelCluster;
  readonly operations: Operations;
  readonly items: Item[] = [];
  readonly #options: ModelOptions;
  #client: ClusterKeyspaceNotifications | null = null;
  /** The slots of the keys that the client watches; null for all. */
  readonly #watched: ReadonlySet<number> | null;
  #connectedAt = 0;
  #subscribedAt = 0;
  #end: Promise<void> = Promise.resolve();
  #isClosing = false;

  constructor(options: ModelOptions) {
    const { seed, profile, emitsNew = false, latencies = [0.1], shards } = options;
    this.#options = options;
    this.clock = new VirtualClock(seed);
    this.random = new Random(seed);
    this.cluster = new ModelCluster(this.clock, this.random, {
      profile,
      emitsNew,
      latencies,
      ...(shards === undefined ? {} : { shards }),
    });
    this.operations = new Operations(this.cluster);
    this.cluster.isWhollyHeard = options.watched === undefined;
    this.#watched = options.watched === undefined
      ? null
      : new Set<number>(this.random.shuffle([...this.cluster.slots]).slice(0, options.watched));
  }

  /** What the client reports of itself. */
  get client(): ClusterKeyspaceNotifications {
    return this.#client!;
  }

  /** Connects the client, and subscribes. */
  async watch(): Promise<void> {
    const { protocol, kind = "keyspace", options } = this.#options;
    this.#connectedAt = this.clock.epoch;
    const connecting = ClusterKeyspaceNotifications.connect(
      this.cluster.nodes.slice(0, 3).map(({ port }) => `redis://127.0.0.1:${port}`),
      {
        protocol,
        dial: this.cluster.dial,
        onWarning: (message) => this.cluster.note(message),
        onError: (error) => this.cluster.note(String(error)),
        // No loop takes those that are open until the client is closed.
        onGap: (gap) => this.#isClosing && this.#add(gap),
        ...options,
      },
    );
    this.#client = await this.#within(connecting);
    this.#end = this.#read(this.#client);
    await this.#within(
      this.#watched !== null
        ? this.#client.subscribe(...this.cluster.keysOf(this.#watched, MOST_KEYS).map(channelOf))
        : kind === "keyspace"
        ? this.#client.subscribeKeyspace("*")
        : this.#client.subscribeKeyevent("*"),
    );
    // What happens in the same millisecond may be earlier.
    this.#subscribedAt = this.clock.epoch + 1;
  }

  /** Stops the client's process for so many ms. */
  pause(ms: number): void {
    const from = this.clock.epoch;
    this.cluster.history.pauses.push({ from, to: from + ms });
    this.clock.pauseClient(ms);
  }

  /** Lets time pass. */
  async run(ms: number, isDone?: () => boolean): Promise<void> {
    await this.clock.run(ms, isDone);
  }

  /** Lets everything arrive, closes the client, and compares. */
  async finish(): Promise<Report> {
    await this.run(SETTLING);
    for (const slot of this.cluster.history.firstOwners.keys()) {
      const isOwned = this.cluster.nodes.some((node) => node.isAlive && node.owns(slot));
      if (!isOwned) this.cluster.history.orphans.add(slot);
    }
    const closedAt = this.clock.epoch;
    this.#isClosing = true;
    await this.#within(this.client.close());
    await this.#within(this.#end);
    const { seed, profile, protocol, kind, slack = 500 } = this.#options;
    const context = `seed ${seed}, ${profile.name}, RESP${protocol}, ${kind ?? "keyspace"}`;
    const { nodes, links } = this.cluster;
    const span = {
      connectedAt: this.#connectedAt,
      subscribedAt: this.#subscribedAt,
      watched: this.#watched,
      closedAt,
      slack,
      roundTrips: new Map(nodes.map((node) => [node.port, 2.5 * links.get(node)!.latency])),
    };
    return new Report(this.cluster.history, this.items, span, context);
  }

  async #read(client: ClusterKeyspaceNotifications): Promise<void> {
    try {
      for await (const item of client.listen({ gaps: true })) {
        if (item.kind === "gap") {
          this.#add(item);
          continue;
        }
        if (item.kind !== "keyspace" && item.kind !== "keyevent") throw new Error(item.kind);
        this.items.push({
          kind: item.kind,
          port: Number(item.node!.split(":").at(-1)),
          key: item.key,
          type: item.eventType,
          receivedAt: item.timestamp,
          migration: item.migration ?? false,
        });
      }
    } catch (error) {
      if ((error as Error).name !== "ClosedError") throw error;
    }
  }

  #add({ reason, node, slots, from, to }: Gap): void {
    this.items.push({ kind: "gap", reason, node, slots: slots ?? null, from, to });
  }

  async #within<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    promise.then(() => isDone = true, () => isDone = true);
    await this.run(60_000, () => isDone);
    if (!isDone) throw new Error("The client takes too long");
    return await promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.close();
    this.clock[Symbol.dispose]();
  }
}
