import { repeat, SILENT_MS, TIMER_SLACK_MS } from "../../pubsub/connection/timers.ts";
import { ClosedError } from "../../pubsub/connection/errors.ts";
import type { GapReason } from "../../pubsub/gap.ts";
import type { DroppedMessages } from "../../pubsub/held_messages.ts";
import type { Delivery, Dispatcher } from "../../pubsub/dispatcher.ts";
import { formatAddress, type TcpAddress } from "../../pubsub/mod.ts";
import type { Settings } from "../../pubsub/options.ts";
import type { ServerChannel } from "../../pubsub/connection/requests.ts";
import type { SlotRange } from "../discovery/slot.ts";
import { dialAddress, type Topology } from "../discovery/topology.ts";
import { mustWait } from "../migration/event_queues.ts";
import { MigrationFilter } from "../migration/filter.ts";
import type { Classification } from "../migration/node_stream.ts";
import type { MigrationPolicy } from "../options.ts";
import type { StandbyOptions } from "../../pubsub/standby/standby.ts";
import type { ComparedChannels } from "../../pubsub/standby/aliases.ts";
import type { ShardStandby } from "./shard_standby.ts";
import { Member, type MemberContext } from "./member.ts";
import { slotOf } from "./gate.ts";
import { Succession } from "./succession.ts";
import { WatchedSlots } from "./watched_slots.ts";

/** How many topologies in a row have to name a node as no primary before it is left. */
const ABSENCES = [2, 3] as const;

/** The time between two pings of a node, in ms: at least, and for each node of the cluster. */
const SPACING_MS = [2, 0.1] as const;

/** The time between two counts of the nodes that a node knows, in ms: at least, and for each node. */
const COUNTING_MS = [500, 5] as const;

/** The same of nodes that have to say where they hand slots over to, whose answers are longer. */
const POLLING_MS = [500, 10] as const;

/** How long a node is kept after its events are no longer desired, in ms: it may be the source of a migration. */
const SPARE_MS = 5_000;

/** How much longer than the loss of a node takes to notice events wait for it, in ms. */
const HOLD_MARGIN_MS = 1_000;

/** Handed over, because bundlers divide a chunk whose values another one imports. */
export type StandbyTools = StandbyOptions["tools"];

/** What has replicas stand by. */
export interface Standbys {
  readonly module: typeof import("./shard_standby.ts");
  readonly tools: StandbyTools;
  readonly channels: ComparedChannels;
}

/** What members need. */
export interface MembersOptions {
  readonly settings: Settings;
  readonly migrations: MigrationPolicy;
  /** Whether TLS is spoken. */
  readonly tls: boolean;
  readonly dispatcher: Dispatcher;
  /** Something was noticed that a new topology may explain. */
  readonly onHint: () => void;
  /** Aborted when nothing is watched any more. */
  readonly signal: AbortSignal;
  /** The status has changed. */
  readonly onStatus: () => void;
}

/**
 * The primaries that are watched, by id. Topologies decide whom to connect to, and of whom fences
 * are to be asked; the owner of an event is decided in the streams.
 */
export class Members extends Map<string, Member> implements MemberContext {
  readonly settings: Settings;
  readonly dispatcher: Dispatcher;
  readonly slots: WatchedSlots;
  readonly succession: Succession;
  readonly filter: MigrationFilter<Delivery>;
  readonly hasFences: boolean;
  clock = 0;
  /** What has replicas stand by; null without that option. */
  standbys: Standbys | null = null;
  /** The last topology; null before the first. */
  topology: Topology | null = null;
  readonly #options: MembersOptions;
  /** When the known topology was requested, in ms since the epoch. */
  #requestedAt = Date.now();
  /** When the last topology was requested that named every node that some node knows; null for this one. */
  #completeAt: number | null = null;
  /** Since when something is subscribed, in ms since the epoch; null before. */
  #promisedAt: number | null = null;
  /** How many calls of `subscribe` are under way. */
  #subscribing = 0;
  /** Whether some channels may no longer be desired. */
  #isOutdated = false;
  /** When the nodes were checked last, by the clock of {@linkcode performance}. */
  #checkedAt = performance.now();

  constructor(options: MembersOptions) {
    super();
    const { settings, dispatcher, signal } = options;
    this.#options = options;
    this.settings = settings;
    this.dispatcher = dispatcher;
    this.hasFences = options.migrations !== "deliver";
    this.filter = new MigrationFilter<Delivery>({
      decide: (delivery, classification) => this.#deliver(delivery, classification),
      outdated: ({ id, report }) => {
        const member = this.get(id);
        if (member !== undefined) member.known = report!.known!;
        this.#onOutdated();
      },
      demoted: ({ id, report }) => this.#onDemoted(id, report!.primary),
    }, { hold: settings.heartbeat.timeout + HOLD_MARGIN_MS });
    this.succession = new Succession(this);
    this.slots = new WatchedSlots(this);
    repeat(settings.heartbeat.busyInterval, signal, () => Promise.resolve(this.#check()));
  }

  /** Ends everything. */
  close(reason: Error): void {
    this.succession.close();
    for (const { shard } of this.values()) shard?.end();
    this.slots.report(this.slots.coverage.end(Date.now()));
    for (const member of this.values()) member.close(reason);
  }

  /** How long two pings of a node, and two reports, have to be apart, in ms. */
  get spacing(): number {
    return Math.max(SPACING_MS[0], this.size * SPACING_MS[1]);
  }

  addressOf(id: string): TcpAddress | null {
    const { tls, settings: { addressMap } } = this.#options;
    const node = this.topology?.nodes.get(id);
    const address = node === undefined ? null : dialAddress(node, { tls });
    return address === null ? null : addressMap(address);
  }

  /** The same where it is only named, or distinguished from others. */
  locate(id: string): TcpAddress | null {
    try {
      return this.addressOf(id);
    } catch {
      // The attempt to connect reports it.
      return null;
    }
  }

  /** The name of a node: its address, or its id where no node says where it is. */
  nameOf(id: string): string {
    const address = this.locate(id);
    return this.get(id)?.node ?? (address === null ? id : formatAddress(address));
  }

  /**
   * Takes a topology over.
   *
   * @param requestedAt when it was requested, in ms since the epoch
   * @returns whether it is what the nodes themselves say, and none is lost, which others may replace
   */
  apply(topology: Topology, requestedAt: number): boolean {
    const before = this.#completeAt ?? this.#requestedAt;
    const isIncomplete = [...this.values()].some((member) =>
      member.knowsMore(topology.nodes.size, requestedAt)
    );
    if (!isIncomplete) this.#completeAt = null;
    this.#requestedAt = this.topology === null ? before : requestedAt;
    const { topology: last } = this;
    this.topology = topology;
    this.succession.note(topology, requestedAt);
    if (this.#isOutdated && this.#subscribing === 0) {
      this.#isOutdated = false;
      this.slots.wantOnly(this.dispatcher.registry.values());
    }
    if (this.#subscribing === 0) this.slots.expect(topology, before);
    for (const { id } of topology.primaries) {
      const known = this.get(id);
      if (known !== undefined && !topology.contenders.has(id)) known.absences = 0;
    }
    this.#follow(this.slots.isNarrow ? null : { at: before, last });
    this.#leaveAbsent(topology);
    this.#leaveSpare(topology);
    const members = [...this.values()];
    for (const member of members) member.redial(this.locate(member.id));
    // The connection that is over is replaced by one that sets all fences.
    for (const { gate } of members) gate.extend().catch(() => {});
    this.#options.onStatus();
    return !isIncomplete &&
      members.every((member) =>
        !member.isLost && member.absences === 0 && !topology.contenders.has(member.id) &&
        !this.slots.lacksFence(member)
      );
  }

  /**
   * Connects to the nodes that are needed by now, and has the filter know whom to hear.
   *
   * @param before the topology before, if it named all primaries that were connected to, and when it was
   * requested, in ms since the epoch
   */
  #follow(before: { readonly at: number; readonly last: Topology | null } | null): void {
    const { topology, slots, filter } = this;
    if (topology === null) return;
    const needed = slots.needed(topology);
    // Once others are needed, too, it counts as before until all of them are heard.
    const isArriving = slots.isNarrow && this.#promisedAt !== null &&
      topology.primaries.some(({ id }) => !this.get(id)?.isHeard);
    slots.isNarrow = filter.proofs.isNarrow = needed !== null || isArriving;
    for (const { id } of topology.primaries) {
      if (needed !== null && !needed.has(id)) continue;
      const member = this.get(id);
      if (member !== undefined) member.neededAt = performance.now();
      // Of several that may be the primary, a later topology says which of them is.
      else if (this.#promisedAt === null) this.#add(id, null);
      else if (topology.contenders.has(id)) continue;
      else if (before === null) {
        // It may have owned any slot, until an owner proves that it sent no client there.
        this.#add(id, this.#promisedAt, (other) => other.settledAt());
      } else {
        const hasJoined = before.last?.nodes.has(id) === false;
        this.#add(id, before.at, hasJoined ? ({ completeAt }) => completeAt : undefined);
      }
    }
    // A node that has failed takes no slots in.
    const targets = topology.primaries.filter(({ id, health }) =>
      health !== "failed" && !this.succession.of(id).isReplica && (needed === null || this.has(id))
    );
    filter.setTopology(
      new Set(targets.map(({ id }) => id)),
      topology.nodes.size,
      (slot) => topology.ownerOf(slot)?.id ?? null,
    );
  }

  /** Events of channels are desired: connects to the nodes that they can come from. */
  want(channels: readonly ServerChannel[]): void {
    this.#subscribing++;
    this.slots.want(channels);
    this.#follow(null);
  }

  /**
   * A call of `subscribe` has come to an end.
   *
   * @param isPromised whether events of its channels are promised from now on
   */
  wanted(isPromised: boolean): void {
    this.#subscribing--;
    if (!isPromised) return;
    const now = Date.now();
    this.#promisedAt ??= now;
    if (this.topology !== null && this.#subscribing === 0) this.slots.expect(this.topology, now);
  }

  /** Some channels may no longer be desired. Nodes are left with the next topology. */
  unwant(): void {
    this.#isOutdated = true;
  }

  /** Leaves nodes from which desired events can no longer come. */
  #leaveSpare({ primaries }: Topology): void {
    if (!this.slots.isNarrow) return;
    const now = performance.now();
    for (const { id } of primaries) {
      const member = this.get(id);
      if (member === undefined || now - member.neededAt < SPARE_MS) continue;
      this.#leave(member, `${member.node} owns none of the slots that are watched`);
    }
  }

  /** Leaves nodes that are not primaries according to several topologies in a row. */
  #leaveAbsent(topology: Topology): void {
    const primaries = new Set(topology.primaries.map(({ id }) => id));
    const most = Math.floor(this.size / 2) + 1;
    const enough = Math.max(ABSENCES[0], Math.min(most, ABSENCES[1]));
    for (const [id, member] of this) {
      // A few nodes may have missed what the others know, or be cut off from them.
      if (primaries.has(id) || topology.contenders.has(id)) continue;
      // Its own stream says that it owns slots, whatever others have heard by now.
      if (member.gate.stream !== null && member.gate.stream.fenceCount > 0) continue;
      // It said itself that it was promoted, and is being connected to.
      const isArriving = !member.isHeard && member.server.failures === 0;
      if (this.succession.replacedBy(id) !== null && isArriving) continue;
      if (++member.absences < enough) continue;
      const { stream } = member.gate;
      // It says itself what it is: only that makes certain what it emitted last.
      if (member.absences === enough && member.isHeard) member.gate.report();
      if (member.absences === enough || stream !== null && stream.reportAsked !== null) continue;
      if (stream !== null && topology.nodes.get(id)?.role === "replica") stream.isReplica = true;
      this.#leave(member, `${member.node} is no longer a primary`);
    }
  }

  /**
   * Watches a primary.
   *
   * @param unheardFrom a time at which it was not yet a primary, in ms since the epoch; null if nothing was
   * promised before
   * @param unknownAt when another primary last sent no client to it, if it is known, in ms since the epoch
   */
  #add(id: string, unheardFrom: number | null, unknownAt?: (other: Member) => number): void {
    const member = new Member(id, this);
    if (unknownAt !== undefined) {
      member.unknownAt = new Map(Array.from(this.values(), (one) => [one.id, unknownAt(one)]));
    }
    this.set(id, member);
    if (unheardFrom !== null) {
      member.unheardFrom = Math.max(unheardFrom, this.succession.of(id).leftAt ?? unheardFrom);
      // One that said itself that it is a replica has owned nothing since, unless it says otherwise.
      if (!this.succession.of(id).isReplica) this.#lose(member, member.unheardFrom, "topology");
    }
    member.server.launch();
  }

  /** @param isHeirHeard whether the node is certain to have been replaced by one that is heard */
  #leave(member: Member, why: string, isHeirHeard = false): void {
    member.shard?.end();
    this.delete(member.id);
    this.filter.proofs.removePrimary(member.id);
    const from = member.server.connection?.lastAckAt ?? Date.now();
    const { stream } = member.gate;
    // Everything of its own was received if it has ended its fences.
    const isEnded = stream !== null && stream.isReplica && stream.ended !== null;
    this.succession.of(member.id).leftAt = from;
    this.slots.report(
      this.slots.coverage.lose(member.id, from, "topology", isEnded, isEnded && isHeirHeard),
    );
    member.close(new ClosedError(why));
  }

  #lose({ id }: Member, from: number, reason: GapReason): void {
    this.slots.report(this.slots.coverage.lose(id, from, reason));
  }

  /**
   * A node is a replica now. It is watched again when the topology names it as a primary again.
   *
   * @param heir the id of the primary that it follows; null if it does not say. A primary whose last slot
   * has migrated becomes a replica too, of the node that has it
   */
  #onDemoted(id: string, heir: string | null): void {
    const member = this.get(id);
    if (member === undefined) return;
    this.succession.of(id).isReplica = true;
    const isHeirHeard = heir !== null && this.get(heir)?.isHeard === true;
    this.#leave(member, `${member.node} is a replica now`, isHeirHeard);
    if (isHeirHeard) this.succession.end(id);
    else if (heir !== null && !this.has(heir)) this.succession.replace(id, heir);
    else this.#awaitHeir(id);
    this.#options.onHint();
  }

  onLost(member: Member, reason: GapReason, from: number): void {
    const { gate } = member;
    member.unheardFrom = member.isHeard ? from : Math.min(from, member.unheardFrom ?? Infinity);
    member.heardSince = null;
    if (gate.stream !== null) member.visited = gate.stream.visited;
    if (member.server.connection === null) this.#awaitDemotion(member);
    const covered = member.shard?.prepare(reason, from) ?? null;
    const { stream } = gate;
    // Before events that wait for what this node would have sent.
    this.slots.report(this.slots.coverage.lose(member.id, from, reason, false, false, covered));
    if (member.server.connection === null) gate.close();
    if (covered !== null) member.shard!.lose(stream === null || stream.queue.length === 0);
    else member.shard?.standby.lose(reason, from);
    this.#awaitHeir(member.id);
    this.#options.onHint();
  }

  /** Of what a primary does that is replaced while it hangs, nothing is heard before it knows that. */
  #awaitDemotion(member: Member): void {
    const { id } = member;
    const { coverage } = this.slots;
    const slots = new Set([...this.slots.ownedBy(member), ...coverage.slotsLastOf(id)]);
    this.succession.awaitDemotion(id, (silentAt) => {
      this.slots.report(coverage.miss(id, slots, () => silentAt, Date.now(), "failover"));
    });
  }

  onPromoted(id: string): void {
    this.filter.proofs.addPrimary(id);
    const member = this.get(id);
    if (member === undefined) this.#add(id, this.#requestedAt);
    else if (!member.isHeard) member.retry();
    this.#options.onHint();
  }

  onLines(member: Member, line: readonly SlotRange[], askedAt: number): void {
    if (!this.slots.isNarrow) return;
    const unsettled = new Set(this.slots.unownedOf(member.id, line));
    for (const [slot, id] of member.sends) {
      if (!this.slots.isWanted(slot) || this.get(id)?.isHeard) continue;
      unsettled.add(slot);
      this.#follow(null);
      const target = this.get(id);
      if (target !== undefined) target.visited = new Set([...target.visited, slot]);
      else this.#options.onHint();
    }
    member.unsettled = new Map([...unsettled].map((slot) => [slot, member.settledAt(slot)]));
    member.askedAt = askedAt;
  }

  onNoLines(): void {
    if (this.slots.needsAll) return;
    this.slots.needsAll = true;
    this.#follow(null);
  }

  onCounted(member: Member, known: number, askedAt: number): void {
    member.known = known;
    const { size } = this.topology!.nodes;
    if (member.knowsMore(size, this.#requestedAt)) this.#onOutdated();
    else if (known <= size) member.completeAt = askedAt;
  }

  /** Some node knows more nodes than the topology names. */
  #onOutdated(): void {
    this.#completeAt ??= this.#requestedAt;
    this.#options.onHint();
  }

  onDropped({ id, node }: Member, dropped: DroppedMessages): void {
    this.#options.dispatcher.reportDropped(node, dropped, this.topology?.slotsOf(id));
  }

  onState(member: Member): void {
    const { dispatcher, onHint, onStatus } = this.#options;
    // A member that was left says so when it is closed, and concerns nobody any more.
    if (this.get(member.id) !== member || dispatcher.ended !== null) return;
    const { state } = member.server;
    member.shard?.onState();
    if (state === "ready") this.#onReady(member);
    else if (state === "degraded") {
      this.slots.report(this.slots.coverage.coverInPart(this.slots.ownedBy(member), Date.now()));
    } else {
      // Of one that was heard, the loss follows, with the gap that comes before what waits for it.
      if (!member.isHeard) member.gate.follow();
      // One that was connected before was reported as lost.
      if (state === "connecting" && member.isLost) onHint();
    }
    onStatus();
  }

  /** Nodes that are heard emit what is desired only from now on. */
  hearAll(): void {
    for (const { isHeard, gate: { stream } } of this.values()) {
      if (isHeard && stream !== null) this.filter.heard(stream);
    }
  }

  #onReady(member: Member): void {
    const { isHeard, gate: { stream } } = member;
    const now = Date.now();
    member.heardSince = now;
    const standing = this.succession.of(member.id);
    standing.leftAt = null;
    if (standing.isReplica) {
      standing.isReplica = false;
      this.filter.proofs.addPrimary(member.id);
      if (member.unheardFrom !== null) this.#lose(member, member.unheardFrom, "topology");
    }
    if (stream !== null) this.filter.heard(stream);
    if (!isHeard && member.unheardFrom !== null) {
      const importing = [...new Set([...stream?.report?.importing ?? [], ...member.visited])]
        .filter((slot) => this.slots.isWanted(slot));
      const since = (owner: string) => member.unheardSince(owner)!;
      this.slots.report(this.slots.coverage.miss(member.id, importing, since, now));
    }
    this.succession.end(member.id);
    this.succession.endLoss(member.id);
    if (member.log !== null) this.succession.keepLog(member.id, member.log);
    this.#gain(member, this.slots.ownedBy(member), true);
    member.gate.extend().catch(() => {});
    if (this.slots.isNarrow) this.#follow(null);
  }

  /** A member owns slots, which no other one may cover by its replica any more. */
  #gain(member: Member, slots: readonly number[], atConnect: boolean): void {
    for (const other of this.values()) if (other !== member) other.shard?.released(slots);
    this.slots.gain(member, slots, atConnect);
  }

  onFences(id: string, owned: readonly number[], denied: readonly number[]): void {
    const member = this.get(id)!;
    this.#gain(member, owned, false);
    for (const slot of denied) this.slots.release(member, slot, Date.now());
  }

  onReleased(id: string, slot: number, provenAt: number): void {
    const member = this.get(id)!;
    member.shard?.released([slot]);
    this.slots.release(member, slot, provenAt);
    // All of them at once: it was replaced, and not one slot moved.
    if (member.gate.stream?.fenceCount === 0) this.#awaitHeir(id);
    this.#options.onHint();
  }

  /** Checks what no message reports. */
  #check(): void {
    const { settings, onHint } = this.#options;
    const now = performance.now();
    this.succession.checkAnswers();
    const passed = now - this.#checkedAt;
    const most = settings.heartbeat.busyInterval + TIMER_SLACK_MS;
    this.#checkedAt = now;
    this.clock += Math.min(passed, most);
    this.filter.queues.tick(this.clock);
    // While this process was busy, answers may have come that were not read.
    if (passed > most) return;
    const nodes = this.topology?.nodes.size ?? 0;
    const pause = this.slots.isNarrow
      ? Math.max(POLLING_MS[0], nodes * POLLING_MS[1])
      : Math.max(COUNTING_MS[0], this.size * COUNTING_MS[1]);
    for (const member of this.values()) {
      member.shard?.check();
      member.inquire(now, pause, this.topology!.nodes.size);
      if (member.server.silentFor > SILENT_MS) {
        if (this.#awaitHeir(member.id)) onHint();
      } else if (member.isHeard && this.succession.polls(member.id)) {
        // One that has ended its fences is heard until it says that it was replaced.
        if (!this.slots.coverage.hasHole(member.id)) this.succession.end(member.id);
      }
    }
    this.slots.look(this.#completeAt ?? this.#requestedAt);
    // All its slots have other owners, whether they replaced it or not.
    this.succession.endUnless((id) => this.has(id) || this.slots.coverage.hasHole(id));
    this.filter.proofs.isUnsettled = this.succession.isUnderWay;
  }

  /**
   * A primary is not heard: the node that replaces it is to be heard soon.
   *
   * @returns whether its replicas were not polled yet
   */
  #awaitHeir(id: string): boolean {
    const heirs = [...this.succession.heirsOf(id)].filter((heir) => !this.get(heir)?.isHeard);
    const isNew = this.succession.begin(id, heirs);
    this.filter.proofs.isUnsettled = this.succession.isUnderWay;
    return isNew;
  }

  #deliver(delivery: Delivery, classification: Classification): void {
    const { dispatcher, migrations } = this.#options;
    if (dispatcher.ended !== null) return;
    let passed = delivery;
    if (classification === "maybe") delivery.notification.migration = "maybe";
    else if (classification === "artefact") {
      // A replica repeats what is hidden, too, so that it has to be compared.
      if (migrations === "hide") passed = { ...delivery, consumers: [] };
      else delivery.notification.migration = true;
    }
    if (this.standbys === null) return dispatcher.hand(passed);
    const { node } = delivery.notification;
    for (const member of this.values()) {
      if (member.node === node) return member.shard!.take(passed);
    }
    dispatcher.hand(passed);
  }

  standbyFor(member: Member): ShardStandby | null {
    const { standbys } = this;
    if (standbys === null) return null;
    return new standbys.module.ShardStandby(member, {
      settings: this.settings,
      dispatcher: this.dispatcher,
      tools: standbys.tools,
      channels: standbys.channels,
      slotOf,
      mayMigrate: mustWait,
      replicasOf: (id) => {
        const { tls, settings: { addressMap } } = this.#options;
        return (this.topology?.replicasOf(id) ?? []).flatMap((node) => {
          const address = node.health === "online" ? dialAddress(node, { tls }) : null;
          return address === null ? [] : [addressMap(address)];
        });
      },
      onLost: ({ id }, slots, reason, from) => {
        this.slots.coverage.uncover(id, slots, from, reason);
        if (member.isHeard) this.slots.gain(member, this.slots.ownedBy(member), true);
      },
      onStatus: () => this.#options.onStatus(),
    });
  }
}
