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
import { ConnectError } from "../connection/errors.ts";
import type { ServerInfo } from "../connection/handshake.ts";
import type { Replication } from "../connection/info.ts";
import { type Address, formatAddress } from "../connection/transport.ts";
import type { Connection } from "../connection/connection.ts";
import type { Delivery, Desired, Dispatcher, Refusal } from "../dispatcher.ts";
import type { CheckedChannel } from "../flags.ts";
import type { GapReason } from "../gap.ts";
import type { Settings } from "../options.ts";
import type { Server } from "../server.ts";
import type { ServerOwner } from "../server_owner.ts";
import type { StandbyStatus } from "../status.ts";
import { REPEATED_AS } from "../../events/replication.ts";
import { type Alias, aliasesOf, type FilterTools, isTaken, NOBODY } from "./aliases.ts";
import { StandbyMatcher, type TakeOver } from "./matcher.ts";
import { type Place, readPlace, Side, type SideTaker, type StandbyEvent } from "./side.ts";

/** How often the roles are asked for while the streams could be matched and are not, in ms. */
const MATCHING_MS = 10;

/** How often two servers are asked for their histories while these differ, in ms. */
const VERIFYING_MS = 200;

/** How long a replica that was promoted, or follows another primary, may be ahead of the sentinels, in ms. */
const PROMOTION_MS = 10_000;

/** What a standby needs, and where it reports. */
export interface StandbyOptions {
  readonly settings: Settings;
  readonly dispatcher: Dispatcher;
  readonly tools: FilterTools & { readonly Server: typeof Server };
  /** Lists the replicas of the primary, the best first. */
  replicas(signal: AbortSignal): Promise<readonly Address[]>;
  /** Messages are missing from `from` on, until the primary is ready. */
  onLost(reason: GapReason, from: number): void;
  /** The status has changed. */
  onStatus(): void;
}

/** The events of a replica since it follows another primary, or is one. */
interface Frozen {
  readonly place: Place;
  readonly events: StandbyEvent[];
  bytes: number;
  readonly since: number;
}

/** A primary, and the replica that stands by for it. */
export class Standby implements SideTaker {
  /** The stream of the primary. */
  readonly primary: Side = new Side(this);
  /** Grows whenever what was asked before says nothing of the streams any more. */
  epoch = 0;
  readonly #replica = new Side(this);
  readonly #options: StandbyOptions;
  #matcher!: StandbyMatcher<StandbyEvent>;
  #leading: Side = this.primary;
  /** The gap that began, had the replica not taken the lead; null while the primary leads. */
  #loss: { readonly reason: GapReason; readonly from: number } | null = null;
  /** What an event lacks that was received in part when its connection was lost. */
  #partial: StandbyEvent | null = null;
  /** Whether both servers have one history, and emit the same events. */
  #isVerified = false;
  #isVerifying = false;
  #verifiedAt = -Infinity;
  /** Whom the replica follows, as far as its stream is known; null if it is a primary. */
  #source: string | null = null;
  /** The ids of its events since it was last known to follow that one. */
  readonly #recent = new Set<string>();
  #frozen: Frozen | null = null;
  /** When the replica last answered, and the primary came back, by the clock of `performance`, in ms. */
  #answeredAt = 0;
  #readyAt = 0;
  /** How many messages the primary had sent by then. */
  #receivedBefore = 0;
  /** The keys of which events may be missing, or may have come twice, and since when. */
  readonly #doubts = new Map<string, number>();
  /** How many changes of subscriptions are under way. */
  #changes = 0;
  #aliases: readonly Alias[] = [];
  /** Why the replica cannot stand by; null if it can, as far as is known. */
  #problem: string | null = null;
  readonly #warned = new Set<string>();
  readonly #tried = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: StandbyOptions) {
    this.#options = options;
    const { settings, dispatcher } = options;
    const flushes = { hasWarned: false };
    const replica: ServerOwner = {
      inspect: (info, connection) => this.#inspect(info, connection),
      onLost: () => this.#loseReplica(),
      onState: () => this.#onReplica(flushes),
      onDropped: () => this.#leaveReplica("its messages were dropped"),
    };
    this.#replica.server = new options.tools.Server({
      locator: {
        name: "a replica",
        locate: (signal) => {
          flushes.hasWarned = false;
          return this.#locate(signal);
        },
      },
      settings: {
        ...settings,
        maxAttempts: Infinity,
        // They are compared with those of the primary.
        flags: "ignore",
        // A resynchronization is reported as a flush.
        flushes,
        onWarning: (message) => this.#blame(message),
      },
      dispatcher,
      gate: this.#replica,
      owner: replica,
    });
    this.#restart();
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
    this.#tellDoubts();
    this.#replica.server.close(reason);
  }

  /** Whether the replica replaces the primary, and has confirmed all channels. */
  get isCovering(): boolean {
    return this.#leading === this.#replica && this.#replica.server.agrees;
  }

  /** How it stands. */
  status(): StandbyStatus {
    const { node, state } = this.#replica.server;
    const { error } = this.#replica.server.status();
    return {
      node,
      state,
      error: error ?? this.#problem,
      isMatched: this.#matcher.isMatched,
      isLeading: this.#leading === this.#replica,
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
    return await this.#change(async () => {
      const { registry } = this.#options.dispatcher;
      const added = this.#setAliases([...registry.values(), ...checked]);
      const all = [...channels, ...added];
      const atReplica = this.#replica.server.connection === null
        ? Promise.resolve([])
        : this.#replica.server.settle(all).catch(() => []);
      const refused = await settle(all);
      // What leads has to have confirmed them too.
      const alsoRefused = this.#leading === this.#replica ? await atReplica : [];
      const isAsked = ({ channel }: Refusal) => channels.includes(channel);
      for (const { channel, error } of [...refused, ...alsoRefused]) {
        if (!channels.includes(channel)) this.#blame(error.message);
      }
      return refused.filter(isAsked);
    });
  }

  /** Has both servers unsubscribe what is not desired. */
  async reconcile(): Promise<void> {
    await this.#change(async () => {
      this.#setAliases([...this.#options.dispatcher.registry.values()]);
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

  /** Registers the channels that are needed for the comparison, in place of those before. */
  #setAliases(channels: readonly CheckedChannel[]): Desired[] {
    const { registry } = this.#options.dispatcher;
    const before = this.#aliases;
    this.#aliases = aliasesOf(channels, this.#options.tools);
    const added = this.#aliases.map(({ channel, user }) => registry.add(channel, user));
    for (const { channel, user } of before) registry.remove(channel, user);
    return added;
  }

  /** Whether reads of missing keys are subscribed, which no replica learns of. */
  get #lacksMisses(): boolean {
    const { flags } = this.primary.server.status();
    return flags !== null && flags.includes("m") &&
      isTaken("keymiss", this.#options.dispatcher.registry.values(), this.#options.tools);
  }

  /** The state of the primary has changed. What comes from a new connection follows. */
  onState(): void {
    const { state } = this.primary.server;
    if (state === "ready" && this.primary.stream === null) {
      this.#readyAt = performance.now();
      this.#receivedBefore = this.primary.received;
      if (this.#leading === this.primary) this.#restart();
      else {
        this.primary.stream = this.#matcher.begin();
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
    if (this.#leading === this.#replica) {
      this.#losePrimary();
      return true;
    }
    this.#cutLast();
    const isAlive = this.#replica.server.connection !== null && this.#replica.stream !== null;
    const result = isAlive && this.#matcher.isMatched ? this.#matcher.takeOver(false) : null;
    this.primary.stream = null;
    if (result === null) {
      this.#restart();
      return false;
    }
    this.#loss = { reason, from };
    const isComplete = !this.#lacksMisses;
    this.#lead(this.#replica, result);
    return isComplete;
  }

  /** The primary was found at another address, where events may have happened since `after`. */
  move(after: number): void {
    if (this.#loss === null || after === Infinity) return;
    this.#loss = { reason: "failover", from: Math.min(this.#loss.from, after) };
  }

  #losePrimary(): void {
    this.primary.stream = null;
    if (this.#leading === this.#replica) this.#matcher.endStandby();
    else this.#restart();
  }

  take(side: Side, delivery: Delivery): void {
    const { last } = side;
    if (!delivery.begins && last !== null) {
      last.deliveries.push(delivery);
      if (last.isDelivered) this.#hand(side, last, delivery);
      else delivery.notification.detach();
      return;
    }
    if (side.stream === null) {
      side.last = null;
      if (side === this.#leading) this.#options.dispatcher.hand(delivery);
      return;
    }
    const { notification, bytes } = delivery;
    const event: StandbyEvent = {
      id: `${notification.kind}${notification.database}:${notification.key}`,
      event: notification.eventType,
      bytes,
      deliveries: [delivery],
      isDelivered: false,
      served: null,
    };
    side.last = event;
    if (side === this.primary || this.#frozen === null) return this.#decide(side, event);
    this.#frozen.events.push(event);
    this.#frozen.bytes += bytes;
    const { items, bytes: most } = this.#options.settings.queue;
    if (this.#frozen.events.length <= items && this.#frozen.bytes <= most) return;
    this.#leaveReplica("nobody names its primary");
  }

  #decide(side: Side, event: StandbyEvent): void {
    if (side === this.#replica) this.#recent.add(event.id);
    const outcome = this.#matcher.event(side.stream!, event);
    const isMiss = REPEATED_AS[event.event] === null;
    if (outcome === "keep" && !(isMiss && side === this.primary)) return;
    this.#deliver(side, event);
    if (outcome === "unknown") this.#doubtOf(event.id, event.deliveries[0]!.sentAfter);
  }

  #deliver(side: Side, event: StandbyEvent): void {
    if (side === this.#replica && this.#partial?.id === event.id) {
      event.served = this.#partial.served;
      this.#partial = null;
    }
    event.isDelivered = true;
    for (const delivery of event.deliveries) this.#hand(side, event, delivery);
  }

  #hand(side: Side, { id, served }: StandbyEvent, delivery: Delivery): void {
    const { consumers, sentAfter } = delivery;
    // It may be an event that its primary emits under a name that is desired.
    if (side === this.#replica && consumers.includes(NOBODY)) this.#doubtOf(id, sentAfter);
    const rest = served === null ? consumers : consumers.filter((one) => !served.has(one));
    this.#options.dispatcher.hand(rest === consumers ? delivery : { ...delivery, consumers: rest });
  }

  /**
   * The connection of the primary may have ended between the messages of one event: then it is left to the
   * replica to complete it.
   */
  #cutLast(): void {
    const { last, stream } = this.primary;
    const { hasOverlaps } = this.#options.dispatcher.registry;
    if (!hasOverlaps || last === null || stream?.events.at(-1) !== last) return;
    stream.events.pop();
    this.#partial = {
      ...last,
      served: new Set(last.deliveries.flatMap(({ consumers }) => consumers)),
    };
  }

  flushed(side: Side, report: () => void): void {
    const { settings } = this.#options;
    if (side === this.#leading && settings.flushes !== null) report();
    if (side === this.primary) return;
    // It may have been given everything anew, and have left out events.
    if (side === this.#leading || this.#frozen !== null) {
      return this.#leaveReplica("its keys were discarded");
    }
    this.#beginReplica();
  }

  placed(side: Side, place: Place, epoch: number): void {
    if (side === this.#replica) {
      this.#answeredAt = performance.now();
      if (this.#frozen !== null) return;
      if (place.source !== this.#source) return this.#freeze(place);
      if (place.isLinked) this.#recent.clear();
      else this.#isVerified = false;
    } else if (place.source !== null) return;
    if (epoch !== this.epoch || !place.isLinked || !this.#isComparable) return;
    this.#matcher.mark(side.stream!, place.offset);
    if (this.#matcher.isMatched && this.#leading === this.#replica) {
      this.#lead(this.primary, this.#matcher.takeOver(true)!);
    }
  }

  refused(_side: Side, error: Error): void {
    this.#blame(error.message);
  }

  /** Whether the positions of both streams mean the same. */
  get #isComparable(): boolean {
    return this.#isVerified && this.#changes === 0 && this.#frozen === null &&
      [this.primary, this.#replica].every(({ server, stream }) => stream !== null && server.agrees);
  }

  /** Gives one side the lead. */
  #lead(side: Side, { events, unknown }: TakeOver<StandbyEvent>): void {
    const from = this.#loss!.from;
    this.#leading = side;
    if (side === this.primary) this.#loss = null;
    for (const id of unknown) this.#doubtOf(id, from);
    for (const event of events) this.#deliver(side, event);
    this.#tellDoubts();
    this.#options.onStatus();
  }

  /** Everything begins anew: the primary leads, and nothing is known of the other stream. */
  #restart(): void {
    const { primary } = this;
    this.#matcher = new StandbyMatcher(this.#options.settings.queue);
    this.#leading = primary;
    this.#loss = null;
    this.#partial = null;
    const isReady = primary.server?.state === "ready" && primary.server.connection !== null;
    primary.stream = isReady ? this.#matcher.begin() : null;
    this.#beginReplica();
  }

  /** Begins with the stream of the replica, unless that one leads. */
  #beginReplica(): void {
    const { server, stream } = this.#replica;
    if (stream !== null) this.#matcher.endStandby();
    this.#replica.stream = null;
    this.#frozen = null;
    this.#recent.clear();
    this.#doubt();
    if (this.primary.stream === null || server?.state !== "ready") return;
    this.#replica.stream = this.#matcher.begin();
  }

  /** Nothing that was asked before says anything any more. */
  #doubt(): void {
    this.#isVerified = false;
    this.#verifiedAt = -Infinity;
    this.epoch++;
  }

  #unmatch(): void {
    this.#matcher.unmatch();
    this.epoch++;
  }

  /** Its events wait until it is known whose history they are. */
  #freeze(place: Place): void {
    this.#frozen = { place, events: [], bytes: 0, since: performance.now() };
    this.#doubt();
  }

  /**
   * The replica has the history of the primary that is watched.
   *
   * @param replication where that history left the one before
   */
  #thaw({ previousOffset }: Replication): void {
    const { events, place } = this.#frozen!;
    this.#source = place.source;
    if (this.#leading === this.primary) return this.#beginReplica();
    this.#frozen = null;
    // Otherwise events of the new history are among those that were taken for repeated ones.
    const isExact = place.offset === previousOffset;
    if (!isExact) { for (const id of this.#recent) this.#doubtOf(id, this.#loss!.from); }
    this.#recent.clear();
    const owed = this.#matcher.takeOwed();
    if (this.#partial !== null) owed.push(this.#partial);
    this.#partial = null;
    const notifications = owed.flatMap(({ deliveries }) => deliveries[0]!.notification);
    if (notifications.length > 0) {
      this.#options.dispatcher.reportRolledBack({
        kind: "rolled-back",
        node: this.primary.server.node,
        notifications,
        at: Date.now(),
      });
    }
    for (const event of events) this.#decide(this.#replica, event);
    this.#tellDoubts();
  }

  #onReplica(flushes: { readonly hasWarned: boolean }): void {
    const { server, stream } = this.#replica;
    if (server.state === "ready" && stream === null && !flushes.hasWarned) {
      this.#tried.clear();
      this.#answeredAt = performance.now();
      if (this.#leading === this.primary) this.#beginReplica();
    }
    if (server.state !== "closed") this.#options.onStatus();
  }

  #loseReplica(): void {
    const { primary } = this;
    this.#replica.stream = null;
    this.#frozen = null;
    this.#doubt();
    if (this.#isClosed) return;
    if (this.#leading === primary) return this.#matcher.endStandby();
    const { reason, from } = this.#loss!;
    const isMatched = primary.stream !== null && this.#matcher.isMatched;
    const result = isMatched ? this.#matcher.takeOver(false) : null;
    if (result !== null) return this.#lead(primary, result);
    this.#restart();
    this.#options.onLost(reason, from);
    this.#tellDoubts();
  }

  /** Looks for another replica. */
  #leaveReplica(why: string): void {
    const { server } = this.#replica;
    const reason = new ConnectError("SERVER_REPLACED", `${server.node} was left: ${why}`, {
      server: server.node,
    });
    server.reconnect(reason, "disconnected");
  }

  async #locate(signal: AbortSignal): Promise<Address> {
    const all = await this.#options.replicas(signal);
    const primary = this.primary.server.node;
    const others = all.filter((address) => formatAddress(address) !== primary);
    let address = others.find((address) => !this.#tried.has(formatAddress(address)));
    if (address === undefined) {
      this.#tried.clear();
      [address] = others;
    }
    if (address === undefined) {
      throw new ConnectError("NOT_CONNECTED", `No replica of ${primary} can be connected to`, {
        server: primary,
      });
    }
    this.#tried.add(formatAddress(address));
    return address;
  }

  async #inspect({ role }: ServerInfo, connection: Connection): Promise<void> {
    const place = readPlace(await connection.request("ROLE"));
    if (role === "replica" && place?.source) {
      this.#source = place.source;
      return;
    }
    const { server } = connection;
    throw new ConnectError("WRONG_ROLE", `Cannot have ${server} stand by: it is not a replica`, {
      server,
    });
  }

  /** Does what is due, and comes back. */
  #tick(): void {
    if (this.#isClosed) return;
    this.#tellDoubts();
    this.#checkReplica();
    const now = performance.now();
    const { heartbeat } = this.#options.settings;
    const areReady = this.primary.stream !== null && this.#replica.stream !== null;
    const pause = this.#isVerified ? heartbeat.interval : VERIFYING_MS;
    if (areReady && now - this.#verifiedAt >= pause) this.#verify();
    if (this.primary.stream !== null && areReady) this.primary.ask();
    if (this.#replica.stream !== null) this.#replica.ask();
    const isMatching = areReady && this.#isVerified && !this.#matcher.isMatched;
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
    if (server.node === primary.server.node && this.#leading === primary) {
      return this.#leaveReplica("it is the primary now");
    }
    if (this.#frozen !== null && now - this.#frozen.since > PROMOTION_MS) {
      return this.#leaveReplica("it does not follow the primary");
    }
    if (this.#leading === primary) return;
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
      const { compareFlags, flagsIn, readReplication } = await import("../on_demand.ts");
      const read = ({ server }: Side) =>
        server.withConnection(async (connection) => {
          const [replication, flags] = await Promise.all([
            readReplication(connection),
            connection.request("CONFIG", "GET", "notify-keyspace-events").then(
              (reply) => flagsIn(connection, reply),
              () => null,
            ),
          ]);
          return { replication, flags };
        });
      const [ours, theirs] = await Promise.all([read(this.primary), read(this.#replica)]);
      if (epoch !== this.epoch || this.#isClosed) return;
      this.#verifiedAt = performance.now();
      const problem = compareFlags(ours.flags, theirs.flags);
      const isOne = ours.replication !== null && theirs.replication !== null &&
        ours.replication.id === theirs.replication.id;
      if (problem !== null) this.#blame(problem);
      if (problem !== null || !isOne) {
        if (this.#isVerified) this.#unmatch();
        this.#isVerified = false;
        return;
      }
      this.#problem = null;
      this.#isVerified = true;
      if (this.#frozen !== null) this.#thaw(theirs.replication!);
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

  /** Events of a key may be missing, or may have come twice, since a time. */
  #doubtOf(id: string, from: number): void {
    const key = id.slice(id.indexOf(":") + 1);
    this.#doubts.set(key, Math.min(from, this.#doubts.get(key) ?? Infinity));
  }

  /** Reports the gap of these keys. */
  #tellDoubts(): void {
    if (this.#doubts.size === 0) return;
    const keys = [...this.#doubts.keys()];
    const from = Math.min(...this.#doubts.values());
    this.#doubts.clear();
    this.#options.dispatcher.reportGap({
      kind: "gap",
      reason: this.#loss?.reason ?? "disconnected",
      node: this.primary.server.node,
      keys,
      from,
      to: Math.max(from, Date.now()),
    });
  }
}
