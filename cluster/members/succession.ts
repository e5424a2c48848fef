import type { Connection } from "../../pubsub/connection/connection.ts";
import { ClosedError } from "../../pubsub/connection/errors.ts";
import {
  type Introduced,
  openConnection,
  type ServerInfo,
} from "../../pubsub/connection/handshake.ts";
import { askRole } from "../../pubsub/connection/info.ts";
import { delay } from "../../pubsub/connection/timers.ts";
import type { TcpAddress } from "../../pubsub/mod.ts";
import type { Settings } from "../../pubsub/options.ts";
import type { Replication, ReplicationLog } from "../../pubsub/replication.ts";
import type { Topology } from "../discovery/topology.ts";

/** How often the role of a replica is polled while its primary is not heard, in ms. */
const POLL_MS = 100;
/** The same after so many polls. */
const SLOW_POLL_MS = 1_000;
const MANY_POLLS = 300;

/** What a succession needs. */
export interface SuccessionOptions {
  readonly settings: Settings;
  /** Returns the address of a node; null if no node says. */
  readonly locate: (id: string) => TcpAddress | null;
  /** Whether a node is watched as a primary. */
  readonly isWatched: (id: string) => boolean;
  /** A replica of a primary that is not heard has been promoted. */
  readonly onPromoted: (id: string) => void;
}

/**
 * Knows which node replaces which primary, and since when. It polls the replicas of primaries that
 * are not heard: a replica knows of its promotion before any topology names it.
 */
export class Succession {
  readonly #options: SuccessionOptions;
  /** Ends the polls of the replicas of a primary, by its id. */
  readonly #polls = new Map<string, AbortController>();
  /** The primary that a node followed last as its replica, by both ids. */
  readonly #followed = new Map<string, string>();
  /** The primary that a node said it had replaced, by both ids. */
  readonly #replaced = new Map<string, string>();
  /** When a node was last asked that said that it is a replica, by its id, in ms since the epoch. */
  readonly #replicaAt = new Map<string, number>();
  /** When a topology was last requested that named a node as the owner of slots, by its id. */
  readonly #ownedAt = new Map<string, number>();
  /** How far the replication streams of primaries had come, those that were replaced among them. */
  readonly #logs = new Map<string, ReplicationLog>();
  #topology: Topology | null = null;

  constructor(options: SuccessionOptions) {
    this.#options = options;
  }

  /** Takes note of who follows whom and who owns slots, as of `requestedAt`, in ms since the epoch. */
  note(topology: Topology, requestedAt: number): void {
    this.#topology = topology;
    for (const { primary, nodes } of topology.shards) {
      if (primary === null) continue;
      for (const { id, role } of nodes) if (role === "replica") this.#followed.set(id, primary.id);
    }
    for (const { id } of topology.primaries) {
      if (topology.slotsOf(id).length > 0) this.#ownedAt.set(id, requestedAt);
    }
    // A node that was replaced and forgotten may still matter to the gap of its heir.
    if (this.isUnderWay) return;
    const isGone = (id: string) => !topology.nodes.has(id) && !this.#options.isWatched(id);
    for (
      const known of [this.#followed, this.#replaced, this.#replicaAt, this.#ownedAt, this.#logs]
    ) {
      for (const id of known.keys()) if (isGone(id)) known.delete(id);
    }
  }

  /** Keeps the log of a primary's replication stream, also once the primary is replaced. */
  keepLog(id: string, log: ReplicationLog): void {
    this.#logs.set(id, log);
  }

  /** The primary that a node said it had replaced; null if it said so of none. */
  replacedBy(id: string): string | null {
    return this.#replaced.get(id) ?? null;
  }

  /** Whether a node can have replaced an earlier primary as its replica. */
  isHeir(id: string, earlier: string): boolean {
    return this.#followed.get(id) === earlier || this.#replaced.get(id) === earlier;
  }

  /**
   * A time, in ms since the epoch, at which a node had not replaced an earlier primary yet; Infinity if
   * nothing is known of it. Its own history says how far it had followed that one.
   */
  takenOverAfter(id: string, replication: Replication | null, earlier: string): number {
    const [log] = Array.from(this.#logs.values()).filter((log) =>
      log.id === replication?.previousId
    );
    const after = log?.followedAt(replication!.previousOffset) ?? this.#ownedAt.get(earlier);
    return Math.max(after ?? Infinity, this.#replicaAt.get(id) ?? 0);
  }

  /** The nodes that may replace a primary. */
  heirsOf(id: string): Set<string> {
    // The topology may not have heard yet who follows whom.
    const heirs = new Set(this.#topology?.shardOf(id)?.nodes.map((node) => node.id));
    for (const [replica, primary] of this.#followed) {
      if (primary === id) heirs.add(replica);
      if (replica === id) heirs.add(primary);
    }
    heirs.delete(id);
    return heirs;
  }

  /**
   * Polls the replicas of a primary until one is promoted.
   *
   * @returns whether they were not polled yet
   */
  begin(primary: string, replicas: readonly string[]): boolean {
    if (this.#polls.has(primary) || replicas.length === 0) return false;
    const end = new AbortController();
    this.#polls.set(primary, end);
    for (const id of replicas) this.#poll(primary, id, end.signal);
    return true;
  }

  /** A primary was replaced by a node. */
  replace(primary: string, heir: string): void {
    this.end(primary);
    this.#replaced.set(heir, primary);
    this.#options.onPromoted(heir);
  }

  /** A primary is heard again, or another node owns its slots. */
  end(primary: string): void {
    this.#polls.get(primary)?.abort(new ClosedError(`Node ${primary} was replaced or came back`));
    this.#polls.delete(primary);
  }

  /** Ends the polls of the replicas of primaries, except of those that pass. */
  endUnless(isOpen: (primary: string) => boolean): void {
    for (const primary of this.#polls.keys()) if (!isOpen(primary)) this.end(primary);
  }

  /** Whether the replicas of a primary are polled. */
  polls(primary: string): boolean {
    return this.#polls.has(primary);
  }

  /** Whether nobody is known by now to have replaced some primary. */
  get isUnderWay(): boolean {
    return this.#polls.size > 0;
  }

  /** Ends everything. */
  close(): void {
    for (const primary of this.#polls.keys()) this.end(primary);
  }

  async #poll(primary: string, id: string, signal: AbortSignal): Promise<void> {
    let connection: Connection | null = null;
    for (let polls = 0; !signal.aborted; polls++) {
      try {
        let role: ServerInfo["role"] = null;
        const askedAt = Date.now();
        // The handshake says it, which saves a round trip while nothing is heard.
        if (connection === null) ({ connection, info: { role } } = await this.#open(id, signal));
        role ??= (await askRole(connection)).role;
        if (role === "primary") this.replace(primary, id);
        else if (role === "replica") this.#replicaAt.set(id, askedAt);
      } catch {
        // The replica does not answer now; the topology may name it later all the same.
      }
      if (connection?.closedReason != null) connection = null;
      await delay(polls < MANY_POLLS ? POLL_MS : SLOW_POLL_MS, signal).catch(() => {});
    }
    connection?.close();
  }

  async #open(id: string, signal: AbortSignal): Promise<Introduced> {
    const { settings, locate } = this.#options;
    const address = locate(id);
    if (address === null) throw new ClosedError(`No node says where ${id} is`);
    return await openConnection({ ...settings, address, signal });
  }
}
