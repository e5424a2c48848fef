import type { Connection } from "../../pubsub/connection/connection.ts";
import { ClosedError, ConnectError, TimeoutError } from "../../pubsub/connection/errors.ts";
import {
  type Introduced,
  openConnection,
  type ServerInfo,
} from "../../pubsub/connection/handshake.ts";
import { askRole, readReplication, type Replication } from "../../pubsub/connection/info.ts";
import { delay, TIMER_SLACK_MS } from "../../pubsub/connection/timers.ts";
import type { TcpAddress } from "../../pubsub/mod.ts";
import type { Settings } from "../../pubsub/options.ts";
import type { ReplicationLog } from "../../pubsub/replication.ts";
import type { Topology } from "../discovery/topology.ts";

/** How often the role of a replica is polled while its primary is not heard, in ms. */
const POLL_MS = 100;
/** The same after so many polls. */
const SLOW_POLL_MS = 1_000;
const MANY_POLLS = 300;

/** What a succession needs. */
export interface SuccessionContext {
  readonly settings: Settings;
  /** Returns the address of a node; null if no node says. */
  locate(id: string): TcpAddress | null;
  /** Whether a node is watched as a primary. */
  has(id: string): boolean;
  /** A replica of a primary that is not heard has been promoted. */
  onPromoted(id: string): void;
}

/** What is known of a node. Times are in ms since the epoch. */
export interface Standing {
  /** The primary that it follows, or followed last; null if it was never seen to follow one. */
  primary: string | null;
  /** Whether it said that it had replaced that primary. */
  isPromoted: boolean;
  /**
   * Whether it was left because it said that it is a replica, and was not heard since. Only the node itself
   * can say that it is a primary again: a topology that names it may be late.
   */
  isReplica: boolean;
  /** Until when everything of it was received before it was left; null if it was not or is heard again. */
  leftAt: number | null;
  /** When it was last asked and said that it is a replica. */
  replicaAt: number;
  /** When a topology was last requested that named it as the owner of slots. */
  ownedAt: number;
  /** Where it stood in the replication stream when it was last found to be a primary. */
  replication: Replication | null;
  /** How far its replication stream had come while it was heard. */
  log: ReplicationLog | null;
  /** The log of the stream before, if it has had another one, and until when it counts. */
  former: { readonly log: ReplicationLog; readonly until: number } | null;
}

/** How long after the loss of a primary it is asked what it is, if it is not heard by then, in ms. */
const DEMOTION_MS = 500;

/** How many round trips it takes at most to connect to a node that answers. */
const CONNECTING = 4;

/** A primary that was lost, and may have been replaced. */
interface LostPrimary {
  /** Ends the questions to it. */
  readonly end: AbortController;
  /** Whether a question is under way. */
  isAsked: boolean;
  /** A time at which it did not answer yet, and the next one of the same kind, in ms since the epoch. */
  silentAt: number;
  checkedAt: number;
}

/** How a node has taken over from an earlier primary. */
export interface Takeover {
  /** Whether it can have done so, as that one's replica. */
  readonly isHeir: boolean;
  /** A time, in ms since the epoch, at which it had not yet; Infinity if nothing is known of it. */
  readonly after: number;
  /** Whether it had before it was connected to. */
  readonly isEarlier: boolean;
  /** This counts for what is missing since before this time, in ms since the epoch. */
  readonly until: number;
}

/**
 * Knows which node replaces which primary, and since when. It polls the replicas of primaries that
 * are not heard: a replica knows of its promotion before any topology names it.
 */
export class Succession {
  readonly #context: SuccessionContext;
  /** Ends the polls of the replicas of a primary, by its id. */
  readonly #polls = new Map<string, AbortController>();
  /** By id. */
  readonly #lost = new Map<string, LostPrimary>();
  /** By id, also of nodes that were replaced. */
  readonly #standings = new Map<string, Standing>();
  #topology: Topology | null = null;

  constructor(context: SuccessionContext) {
    this.#context = context;
  }

  /** What is known of a node. */
  of(id: string): Standing {
    const known = this.#standings.get(id) ?? {
      primary: null,
      isPromoted: false,
      isReplica: false,
      leftAt: null,
      replicaAt: 0,
      ownedAt: Infinity,
      replication: null,
      log: null,
      former: null,
    };
    this.#standings.set(id, known);
    return known;
  }

  /** Takes note of who follows whom and who owns slots, as of `requestedAt`, in ms since the epoch. */
  note(topology: Topology, requestedAt: number): void {
    this.#topology = topology;
    for (const { primary, nodes } of topology.shards) {
      if (primary === null) continue;
      for (const { id, role } of nodes) {
        if (role === "replica") this.of(id).primary = primary.id;
      }
    }
    for (const { id } of topology.primaries) {
      if (topology.slotsOf(id).length > 0) this.of(id).ownedAt = requestedAt;
    }
    // A node that was replaced and forgotten may still matter to the gap of its heir.
    if (this.isUnderWay) return;
    for (const id of this.#standings.keys()) {
      if (!topology.nodes.has(id) && !this.#context.has(id)) this.#standings.delete(id);
    }
  }

  /** Keeps the log of a primary's replication stream, also once the primary is replaced. */
  keepLog(id: string, log: ReplicationLog): void {
    const standing = this.of(id);
    const { log: before } = standing;
    if (before !== null && before.id !== log.id) {
      standing.former = { log: before, until: Date.now() };
    }
    standing.log = log;
  }

  /** The primary that a node said it had replaced; null if it said so of none. */
  replacedBy(id: string): string | null {
    const known = this.#standings.get(id);
    return known?.isPromoted ? known.primary : null;
  }

  /**
   * How a node has taken over from an earlier primary; of itself, how another one has that it has replaced
   * since. Their own histories say how far the one had followed the other.
   */
  takeover(id: string, earlier: string): Takeover {
    const { primary, replication, replicaAt, former } = this.of(id);
    const { log, ownedAt } = this.of(earlier);
    if (id !== earlier) {
      const followed = this.#followedAt(log, replication);
      const hasHistory = log !== null && replication !== null;
      // Without the histories of those in between, it was the primary until its own last change.
      const after = followed ?? (hasHistory ? log.followedAt(log.offset) : ownedAt);
      // Others may have replaced it before.
      const isNext = !hasHistory || replication.previousId === log.id;
      return {
        isHeir: primary === earlier || followed !== null,
        after: isNext ? Math.max(after, replicaAt) : after,
        isEarlier: followed !== null,
        until: Infinity,
      };
    }
    const { log: own, until } = former ?? { log: null, until: 0 };
    // A node that was restarted either continues its stream or has never followed another one.
    const isAnew = own === null || replication === null || replication.previousId === own.id ||
      /^0*$/.test(replication.previousId);
    const after = isAnew
      ? Infinity
      : this.#followedAt(own, replication) ?? own.followedAt(own.offset);
    return { isHeir: false, after, isEarlier: false, until };
  }

  /**
   * A time at which a node still followed a stream, itself or by way of the primaries before it; null if it
   * is not known to have.
   */
  #followedAt(log: ReplicationLog | null, replication: Replication | null): number | null {
    const histories = Array.from(this.#standings.values(), (standing) => standing.replication);
    for (let left = histories.length, now = replication; now !== null && left >= 0; left--) {
      const { previousId, previousOffset } = now;
      if (previousId === log?.id) return log.followedAt(previousOffset);
      now = histories.find((one) => one?.id === previousId) ?? null;
    }
    return null;
  }

  /** The nodes that may replace a primary. */
  heirsOf(id: string): Set<string> {
    // The topology may not have heard yet who follows whom.
    const heirs = new Set(this.#topology?.shardOf(id)?.nodes.map((node) => node.id));
    for (const [replica, { primary }] of this.#standings) {
      if (primary === id) heirs.add(replica);
      if (replica === id && primary !== null) heirs.add(primary);
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
    this.#promote(primary, heir);
  }

  #promote(primary: string, heir: string): void {
    Object.assign(this.of(heir), { primary, isPromoted: true });
    this.#context.onPromoted(heir);
  }

  /** A primary is heard again, or another node owns its slots. */
  end(primary: string): void {
    this.#polls.get(primary)?.abort(
      new ClosedError(`Node ${primary} was replaced or is heard again`),
    );
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
    for (const id of this.#lost.keys()) this.endLoss(id);
  }

  /**
   * Asks a primary that was lost what it is, until it answers or is heard again. If it is replaced while
   * it hangs, it executes commands before it knows.
   *
   * @param onDemoted called if it is a replica, with a time at which it did not answer yet, in ms since the
   * epoch
   */
  async awaitDemotion(id: string, onDemoted: (silentAt: number) => void): Promise<void> {
    if (this.#lost.has(id)) return;
    const end = new AbortController();
    const { signal } = end;
    const lostAt = Date.now();
    const lost: LostPrimary = { end, isAsked: false, silentAt: lostAt, checkedAt: lostAt };
    this.#lost.set(id, lost);
    let connection: Connection | null = null;
    let from: number | null = null;
    let pause = DEMOTION_MS;
    while (!signal.aborted) {
      try {
        await delay(pause, signal);
        pause = POLL_MS;
        const begunAt = Date.now();
        lost.isAsked = true;
        connection ??= (await this.#open(id, signal)).connection;
        const { silentAt } = lost;
        const askedAt = Date.now();
        const { role } = await askRole(connection);
        // When it was given up, or did not answer in time, its first answer may have been on its way.
        const roundTrip = Date.now() - askedAt;
        const isLate = askedAt - begunAt > CONNECTING * roundTrip + TIMER_SLACK_MS;
        from ??= (isLate ? silentAt : lostAt) - roundTrip;
        if (role === "replica" && !signal.aborted) onDemoted(from);
        if (role !== "primary") break;
      } catch (error) {
        // Its process has ended, or nobody knows the node any more.
        if (!isPassing(error)) break;
        connection = null;
      }
      lost.isAsked = false;
    }
    connection?.close();
    if (this.#lost.get(id) === lost) this.#lost.delete(id);
  }

  /** A primary that was lost is heard again. */
  endLoss(id: string): void {
    this.#lost.get(id)?.end.abort(new ClosedError(`Node ${id} is heard again`));
    this.#lost.delete(id);
  }

  /** Takes note that what had arrived at the last call has been read by now. */
  checkAnswers(): void {
    for (const lost of this.#lost.values()) {
      if (!lost.isAsked) continue;
      lost.silentAt = lost.checkedAt;
      lost.checkedAt = Date.now();
    }
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
        if (role === "primary") {
          this.#promote(primary, id);
          // It may be a replica again before it is heard. The end of the polls closes this connection.
          try {
            this.of(id).replication = await readReplication(connection);
          } finally {
            if (!signal.aborted) this.end(primary);
          }
        } else if (role === "replica") this.of(id).replicaAt = askedAt;
      } catch {
        // The replica does not answer now; the topology may name it later all the same.
      }
      if (connection?.closedReason != null) connection = null;
      await delay(polls < MANY_POLLS ? POLL_MS : SLOW_POLL_MS, signal).catch(() => {});
    }
    connection?.close();
  }

  async #open(id: string, signal: AbortSignal): Promise<Introduced> {
    const { settings } = this.#context;
    const address = this.#context.locate(id);
    if (address === null) throw new ClosedError(`No node says where ${id} is`);
    return await openConnection({ ...settings, address, signal });
  }
}

/** Whether a server may still be there though an attempt to ask it something failed. */
function isPassing(error: unknown): boolean {
  return error instanceof TimeoutError ||
    error instanceof ConnectError && error.code === "CONNECTION_LOST";
}
