/**
 * A replica that stands by for a primary: its events replace those of the primary while that one is not
 * heard, and nothing is missing and nothing comes twice.
 *
 * Invariants:
 *
 * 1. One of the two streams leads, and only its events are delivered. The lead changes hands only where
 *    both streams are matched; otherwise there is a gap.
 * 2. Streams are compared only while both servers have confirmed the same channels, emit the same events,
 *    and are known to have one history: the same replication id.
 * 3. Once the replica follows another primary, or is one, its events wait until it is certain that it has
 *    the history of the primary that is watched. What the old primary emitted and the replica did not
 *    repeat until then was undone.
 *
 * @module
 */
// Imports few values: those that other chunks share would divide these in every bundle.
import type { Address } from "../connection/transport.ts";
import type { Delivery, Desired, Dispatcher, Refusal } from "../dispatcher.ts";
import type { CheckedChannel } from "../flags.ts";
import type { GapReason } from "../gap.ts";
import type { Settings } from "../options.ts";
import type { Server } from "../server.ts";
import type { StandbyStatus } from "../status.ts";
import { ComparedChannels, type FilterTools } from "./aliases.ts";
import { Replica } from "./replica.ts";
import { type Place, Side, type SideTaker } from "./side.ts";
import { type Output, Streams } from "./streams.ts";
import { continuationOf, type Cut } from "./succession.ts";
import { type Verification, verify } from "./verification.ts";

/** How often the roles are asked for while the streams could be matched and are not, in ms. */
const MATCHING_MS = 10;

/** How often two servers are asked for their histories while these differ, in ms. */
const VERIFYING_MS = 200;

/** How long a replica that was promoted, or follows another primary, may be ahead of the sentinels, in ms. */
const PROMOTION_MS = 10_000;

export { ComparedChannels };

/** What is different for a shard of a cluster, whose failovers are not followed. */
export interface ShardHooks {
  /** Whether everything that was received of the primary has been delivered. */
  readonly isSettled: boolean;
  /** Notes what a message of the replica belongs to, before anybody has read its key. */
  locate(delivery: Delivery): void;
  /** Whether nothing of the replica waits to be confirmed. */
  readonly isConfirmed: boolean;
  /**
   * At this place of its stream the replica still followed the primary.
   *
   * @returns whether the primary may take the lead again
   */
  confirm(): boolean;
}

/** What a standby needs, and where it reports. */
export interface StandbyOptions {
  readonly settings: Settings;
  readonly dispatcher: Dispatcher;
  /** What takes the events and reports; left out, the dispatcher. */
  readonly output?: Output;
  /** The channels that are compared, if several standbys share them. */
  readonly channels?: ComparedChannels;
  readonly shard?: ShardHooks;
  readonly tools: FilterTools & { readonly Server: typeof Server };
  /** Lists the replicas of the primary, the best first. */
  replicas(signal: AbortSignal): Promise<readonly Address[]>;
  /** Messages are missing from `from` on, until the primary is ready. */
  onLost(reason: GapReason, from: number): void;
  /** The status has changed. */
  onStatus(): void;
}

/** A primary, and the replica that stands by for it. */
export class Standby implements SideTaker {
  /** The stream of the primary. */
  readonly primary: Side = new Side(this);
  /** Grows whenever what was asked before says nothing of the streams any more. */
  epoch = 0;
  readonly #replica: Replica;
  readonly #options: StandbyOptions;
  readonly #streams: Streams;
  /** Whether both servers have one history, and emit the same events. */
  #isVerified = false;
  #isVerifying = false;
  #verifiedAt = -Infinity;
  /** The id of the history of both servers; null before it was known. */
  #history: string | null = null;
  /** When the replica last answered, and the primary was reconnected, by the clock of `performance`, in ms. */
  #answeredAt = 0;
  #readyAt = 0;
  /** How many messages the primary had sent by then. */
  #receivedBefore = 0;
  /** How many changes of subscriptions are under way. */
  #changes = 0;
  readonly #channels: ComparedChannels;
  /** Why the replica cannot stand by; null if it can, as far as is known. */
  #problem: string | null = null;
  readonly #warned = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: StandbyOptions) {
    this.#options = options;
    this.#replica = new Replica(this, {
      ...options,
      Server: options.tools.Server,
      primary: () => this.primary.server.node,
      onLost: () => this.#loseReplica(),
      onState: () => this.#onReplica(),
      onBroken: () => this.#endReplica(),
      onWarning: (message) => this.#blame(message),
    });
    this.#channels = options.channels ??
      new ComparedChannels(options.dispatcher.registry, options.tools);
    this.#streams = new Streams(this.primary, this.#replica, {
      settings: options.settings,
      dispatcher: options.output ?? options.dispatcher,
    });
  }

  /** Begins, once the primary is ready. */
  start(): void {
    this.#replica.server.launch();
    this.#tick();
  }

  /** Ends everything. */
  close(reason: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#streams.tellDoubts();
    this.#replica.server.close(reason);
  }

  /** Whether the replica replaces the primary, and has confirmed all channels. */
  get isCovering(): boolean {
    return this.#streams.isReplicaLeading && this.#replica.server.agrees;
  }

  /** Whether the replica can replace the primary, and nothing that is desired is missing of it. */
  get canCover(): boolean {
    const { matcher, isReplicaLeading } = this.#streams;
    return this.#replica.stream !== null && this.#replica.frozen === null && !this.#lacksMisses &&
      (isReplicaLeading || matcher.isMatched);
  }

  /** Whether the replica leads. */
  get isLeading(): boolean {
    return this.#streams.isReplicaLeading;
  }

  /** Gives the replica up; while it leads, the gap begins that its primary has left. */
  abandon(why: string): void {
    this.#unmatch();
    this.#leaveReplica(why);
  }

  /** How it stands. */
  status(): StandbyStatus {
    const { node, state } = this.#replica.server;
    const { error } = this.#replica.server.status();
    return {
      node,
      state,
      error: error ?? this.#problem,
      isMatched: this.#streams.matcher.isMatched,
      isLeading: this.#streams.isReplicaLeading,
      lacks: this.#lacksMisses ? ["keymiss"] : [],
    };
  }

  /**
   * Changes what is subscribed. Meanwhile, the streams are not compared.
   *
   * @param channels desired channels to be subscribed
   * @param settle subscribes channels at the primary
   */
  async subscribe(
    channels: readonly Desired[],
    checked: readonly CheckedChannel[],
    settle: (channels: readonly Desired[]) => Promise<Refusal[]>,
  ): Promise<Refusal[]> {
    const added = this.#channels.set(checked);
    const refused = await this.settle([...channels, ...added], settle);
    const isAsked = ({ channel }: Refusal) => channels.includes(channel);
    for (const { error } of refused.filter((one) => !isAsked(one))) this.#blame(error.message);
    return refused.filter(isAsked);
  }

  /** The same, of channels that are registered. */
  async settle(
    all: readonly Desired[],
    settle: (channels: readonly Desired[]) => Promise<Refusal[]>,
  ): Promise<Refusal[]> {
    return await this.#change(async () => {
      const atReplica = this.#replica.server.connection === null
        ? Promise.resolve([])
        : this.#replica.server.settle(all).catch(() => []);
      const refused = await settle(all);
      // What leads has to have confirmed them too.
      const alsoRefused = this.#streams.isReplicaLeading ? await atReplica : [];
      for (const { error } of alsoRefused) this.#blame(error.message);
      return refused;
    });
  }

  /** Has both servers unsubscribe what is not desired. */
  async reconcile(): Promise<void> {
    await this.#change(async () => {
      if (this.#options.channels === undefined) this.#channels.set();
      await Promise.all([this.primary.server.reconcile(), this.#replica.server.reconcile()]);
    });
  }

  async #change<T>(work: () => Promise<T>): Promise<T> {
    this.#changes++;
    this.#unmatch();
    try {
      return await work();
    } finally {
      this.#changes--;
      this.epoch++;
    }
  }

  /** Whether reads of missing keys are subscribed, which no replica learns of. */
  get #lacksMisses(): boolean {
    const { flags } = this.primary.server.status();
    return flags !== null && flags.includes("m") &&
      this.#channels.take("keymiss");
  }

  /** The state of the primary has changed. What comes from a new connection follows. */
  onState(): void {
    const { state } = this.primary.server;
    if (state === "ready" && this.primary.stream === null) {
      this.#readyAt = performance.now();
      this.#receivedBefore = this.primary.received;
      if (!this.#streams.isReplicaLeading) this.#restart();
      else {
        this.primary.stream = this.#streams.matcher.begin();
        this.#doubt();
      }
    } else if (state === "degraded") this.#losePrimary();
  }

  /**
   * The connection to the primary is lost, or it delivers not everything any more.
   *
   * @returns whether the replica goes on without a gap
   */
  lose(reason: GapReason, from: number): boolean {
    if (this.primary.server.connection !== null || this.#isClosed) {
      this.#losePrimary();
      return false;
    }
    if (this.#streams.isReplicaLeading) {
      this.#losePrimary();
      return true;
    }
    const isCovered = this.#replica.stream !== null &&
      this.#streams.change(false, { reason, from });
    this.primary.stream = null;
    if (!isCovered) {
      this.#restart();
      return false;
    }
    this.#options.onStatus();
    return !this.#lacksMisses;
  }

  /** The primary was found at another address, where events may have happened since `after`. */
  move(after: number): void {
    if (this.#streams.loss === null || after === Infinity) return;
    this.#streams.loss = { reason: "failover", from: Math.min(this.#streams.loss.from, after) };
  }

  #losePrimary(): void {
    this.primary.stream = null;
    if (this.#streams.isReplicaLeading) this.#streams.matcher.endStandby();
    else this.#restart();
  }

  take(side: Side, delivery: Delivery): void {
    if (side === this.#replica) this.#options.shard?.locate(delivery);
    const event = this.#streams.take(side, delivery);
    if (event === null) return;
    if (side === this.primary || this.#replica.frozen === null) {
      return this.#streams.decide(side, event);
    }
    if (!this.#replica.hold(event)) this.#leaveReplica("nobody names its primary");
  }

  flushed(side: Side, report: () => void): void {
    const { settings } = this.#options;
    if (side === this.#streams.leading && settings.flushes !== null) report();
    if (side === this.primary) return;
    // It may have received everything again, and have left out events.
    if (side === this.#streams.leading || this.#replica.frozen !== null) {
      return this.#leaveReplica("its keys were discarded");
    }
    this.#beginReplica();
  }

  placed(side: Side, place: Place, epoch: number): void {
    if (side === this.#replica) {
      this.#answeredAt = performance.now();
      if (this.#replica.frozen !== null) return this.#placeCut(place);
      if (place.source !== this.#replica.source) {
        if (this.#options.shard) return this.#leaveReplica("it follows another primary");
        return this.#freeze(place, null);
      }
      this.#replica.lastPlace = { offset: place.offset, received: side.received };
      if (place.isLinked) this.#replica.recent.clear();
      else this.#isVerified = false;
    } else if (place.source !== null) return;
    // Where the replica was cut off, the positions of the primary show what it has executed alone.
    const isAlone = this.#replica.frozen !== null && side === this.primary &&
      side === this.#streams.leading &&
      this.#changes === 0 && side.stream !== null;
    if (epoch !== this.epoch || !place.isLinked || !isAlone && !this.#isComparable) return;
    const { shard } = this.#options;
    if (side === this.primary && shard?.isSettled === false) return;
    this.#streams.matcher.mark(side.stream!, place.offset);
    if (side === this.#replica && shard?.confirm() === false) return;
    if (side === this.primary && shard !== undefined) return;
    if (this.#streams.matcher.isMatched && this.#streams.isReplicaLeading) {
      if (this.#streams.change(true)) this.#options.onStatus();
    }
  }

  refused(_side: Side, error: Error): void {
    this.#blame(error.message);
  }

  /** Whether the positions of both streams mean the same. */
  get #isComparable(): boolean {
    return this.#isVerified && this.#changes === 0 && this.#replica.frozen === null &&
      [this.primary, this.#replica].every(({ server, stream }) => stream !== null && server.agrees);
  }

  /** Everything starts again: the primary leads, and nothing is known of the other stream. */
  #restart(): void {
    const { primary } = this;
    this.#streams.restart();
    const isReady = primary.server?.state === "ready" && primary.server.connection !== null;
    primary.stream = isReady ? this.#streams.matcher.begin() : null;
    this.#beginReplica();
  }

  /** Begins with the stream of the replica, unless that one leads. */
  #beginReplica(): void {
    const replica = this.#replica;
    if (replica.stream !== null) this.#streams.matcher.endStandby();
    replica.forget();
    this.#doubt();
    if (this.primary.stream !== null && replica.isReady) {
      replica.stream = this.#streams.matcher.begin();
    }
  }

  /** Nothing that was asked before says anything any more. */
  #doubt(): void {
    this.#isVerified = false;
    this.#verifiedAt = -Infinity;
    this.epoch++;
  }

  #unmatch(): void {
    this.#streams.matcher.unmatch();
    this.epoch++;
  }

  /** Its events wait until it is known whose history they are. */
  #freeze(place: Place | null, cut: Cut | null): void {
    this.#replica.freeze(place, cut);
    this.#doubt();
  }

  /** A new connection to the replica says where it begins. */
  #placeCut(place: Place): void {
    const frozen = this.#replica.frozen!;
    if (frozen.place !== null) return;
    // Otherwise it began somewhere before.
    if (this.#replica.received !== frozen.cut!.received) return this.#leaveReplica("it goes on");
    frozen.place = place;
  }

  /** The replica has the history of the primary that is watched. */
  #thaw({ ours, theirs }: NonNullable<Verification["histories"]>): void {
    const replica = this.#replica;
    const frozen = replica.frozen!;
    const { source } = frozen.place!;
    const next = continuationOf(frozen, this.#history, ours, theirs);
    if (this.#options.shard && !next?.isSame) return this.#leaveReplica("it goes on elsewhere");
    if (!this.#streams.isReplicaLeading && !(next?.isSame && next.isWhole)) {
      replica.source = source;
      return this.#beginReplica();
    }
    if (!next?.isWhole) return this.#leaveReplica("it goes on elsewhere");
    replica.frozen = null;
    replica.source = source;
    if (this.#streams.goOn(frozen, next)) return;
    this.#leaveReplica("its primary was lost too early");
  }

  #onReplica(): void {
    const replica = this.#replica;
    if (replica.isReady && replica.stream === null) {
      this.#answeredAt = performance.now();
      if (!this.#streams.isReplicaLeading) this.#beginReplica();
    }
    // At once, so that little can have happened in between.
    if (replica.isReady && replica.frozen !== null) replica.ask();
    if (replica.server.state !== "closed") this.#options.onStatus();
  }

  /** The connection to the replica is lost. The next one may go on where it ended. */
  #loseReplica(): void {
    const { stream, frozen } = this.#replica;
    const cut = this.#replica.cut();
    // Of what the primary delivers nothing is missing.
    const isKnown = !this.#streams.isReplicaLeading
      ? this.#streams.matcher.isMatched
      : cut.offset !== null;
    if (this.#isClosed || stream === null || frozen !== null || !isKnown) return this.#endReplica();
    this.#freeze(null, cut);
    // At once, so that little lies between the end of the one stream and a place of the other.
    this.primary.ask();
    this.#options.onStatus();
  }

  /** The stream of the replica is over. */
  #endReplica(): void {
    const { primary } = this;
    this.#replica.forget();
    this.#doubt();
    if (this.#isClosed) return;
    if (!this.#streams.isReplicaLeading) return this.#streams.matcher.endStandby();
    const { reason, from } = this.#streams.loss!;
    const isConfirmed = this.#options.shard?.isConfirmed ?? true;
    if (primary.stream !== null && isConfirmed && this.#streams.change(false)) {
      return this.#options.onStatus();
    }
    this.#restart();
    this.#options.onLost(reason, from);
    this.#streams.tellDoubts();
  }

  /** Looks for another replica. */
  #leaveReplica(why: string): void {
    this.#endReplica();
    this.#replica.leave(why);
  }

  /** Does what is due, and schedules itself again. */
  #tick(): void {
    if (this.#isClosed) return;
    this.#streams.tellDoubts();
    this.#checkReplica();
    const now = performance.now();
    const { heartbeat } = this.#options.settings;
    const areReady = this.primary.stream !== null && this.#replica.stream !== null;
    const pause = this.#isVerified ? heartbeat.interval : VERIFYING_MS;
    const isPlaced = this.#replica.frozen === null || this.#replica.frozen.place !== null;
    if (areReady && isPlaced && now - this.#verifiedAt >= pause) this.#verify();
    if (this.primary.stream !== null && areReady) this.primary.ask();
    if (this.#replica.stream !== null) this.#replica.ask();
    const isMatching = areReady && this.#isVerified && !this.#streams.matcher.isMatched;
    const next = Math.min(isMatching ? MATCHING_MS : Infinity, heartbeat.busyInterval);
    this.#timer = setTimeout(() => this.#tick(), next);
  }

  /** Leaves a replica that does not go on. */
  #checkReplica(): void {
    const { primary } = this;
    const { server } = this.#replica;
    if (this.#replica.stream === null) return;
    const now = performance.now();
    const { heartbeat, queue } = this.#options.settings;
    if (server.node === primary.server.node && !this.#streams.isReplicaLeading) {
      return this.#leaveReplica("it is the primary now");
    }
    if (this.#replica.frozen !== null && now - this.#replica.frozen.since > PROMOTION_MS) {
      return this.#leaveReplica("it does not follow the primary");
    }
    if (!this.#streams.isReplicaLeading) return;
    // Silence is noticed sooner.
    server.expect();
    if (primary.stream === null) return;
    const isFollowing = this.#isVerified && now - this.#answeredAt < heartbeat.timeout;
    const isLate = now - this.#readyAt > 2 * heartbeat.timeout;
    const isBehind = primary.received - this.#receivedBefore > queue.items;
    if (isBehind || isLate && !isFollowing) this.#leaveReplica("it is too far behind");
  }

  /** Finds out whether both servers have one history, and emit the same events. */
  async #verify(): Promise<void> {
    if (this.#isVerifying) return;
    this.#isVerifying = true;
    const { epoch } = this;
    try {
      const { problem, histories } = await verify(this.primary, this.#replica);
      if (epoch !== this.epoch || this.#isClosed) return;
      this.#verifiedAt = performance.now();
      if (problem !== null) this.#blame(problem);
      if (problem !== null || histories === null) {
        if (this.#isVerified) this.#unmatch();
        this.#isVerified = false;
        return;
      }
      this.#problem = null;
      this.#isVerified = true;
      if (this.#replica.frozen !== null) this.#thaw(histories);
      this.#history = histories.theirs.id;
    } catch {
      // A connection is over.
    } finally {
      this.#isVerifying = false;
    }
  }

  /** Something keeps the replica from standing by. */
  #blame(message: string): void {
    this.#problem = message;
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#options.settings.onWarning(
      `${this.#replica.server.node} cannot stand by for ${this.primary.server.node}: ${message}`,
    );
  }
}
