import { AbstractKeyspaceNotifications } from "../pubsub/mod.ts";
import { backoff } from "../pubsub/backoff.ts";
import { LATE, repeat, SILENT_MS } from "../pubsub/delay.ts";
import { ClosedError } from "../pubsub/errors.ts";
import { type Delivery, Hub } from "../pubsub/hub.ts";
import { resolveOptions, type Settings } from "../pubsub/options.ts";
import type { ServerChannel } from "../pubsub/registry.ts";
import type { SlotCoverage, Status } from "../pubsub/mod.ts";
import { type SlotRange, SLOTS } from "./discovery/slot.ts";
import type { Topology } from "./discovery/topology.ts";
import { Coverage, type Gain, type SlotGap } from "./members/coverage.ts";
import { NodeGate } from "./members/gate.ts";
import { Member } from "./members/member.ts";
import { Members } from "./members/members.ts";
import { NodeAddresses } from "./members/node_addresses.ts";
import { Succession } from "./members/succession.ts";
import { hearRestores, slotsOfChannels } from "./members/fences.ts";
import { Deadline } from "./members/deadline.ts";
import { HOLD_MS, MigrationFilter } from "./migration/filter.ts";
import type { Verdict } from "./migration/node_stream.ts";
import {
  checkForCluster,
  type ClusterOptions,
  type ClusterSettings,
  readSeeds,
  resolveClusterOptions,
  type Seeds,
} from "./options.ts";
import { Refresher } from "./refresher.ts";
import { type KnownNode, refreshDelay, TopologySource } from "./topology_source.ts";

/** After how many answers in a row that know a node as no primary it is left, at least and most. */
const ABSENCES = [2, 3] as const;

/** The time between two pings of a node, in ms: at least, and for each node of the cluster. */
const SPACING_MS = [2, 0.1] as const;

/**
 * Watches a whole cluster: a connection to each primary, and one merged stream.
 * {@linkcode connect} makes one.
 *
 * @example
 * ```ts no-run
 * import { connect } from "@keywatch/keywatch";
 *
 * await using notifications = await connect(["redis://localhost:7000", "redis://localhost:7001"]);
 * await notifications.subscribeKeyspace("user:*");
 * for await (const { node, slot, key, eventType } of notifications) {
 *   console.log(node, slot, eventType, key);
 * }
 * ```
 */
export class ClusterKeyspaceNotifications extends AbstractKeyspaceNotifications {
  /** @internal */
  protected readonly hub: Hub;
  readonly #addresses: NodeAddresses;
  readonly #options: ClusterSettings;
  readonly #settings: Settings;
  /** Whether anybody wants to know how things stand, whenever that changes. */
  readonly #reportsStatus: boolean;
  /** Due when the status is to be reported; null while it is not. */
  #statusTimer: ReturnType<typeof setTimeout> | null = null;
  readonly #members = new Members(() => this.hub.ended !== null);
  readonly #coverage = new Coverage();
  readonly #refresher: Refresher;
  readonly #filter: MigrationFilter<Delivery>;
  readonly #deadline: Deadline;
  readonly #source: TopologySource;
  readonly #succession: Succession;
  readonly #end = new AbortController();
  readonly #stopFollowing: () => void;
  #topology: Topology | null = null;
  /** When the known topology was asked for, in ms since the epoch. */
  #askedAt = Date.now();
  /** When the last topology was asked for that named every node that some node knows; null for this one. */
  #completeAt: number | null = null;
  /** The slots whose events are wanted, or once were; null for all. */
  #wanted: Set<number> | null = new Set();
  /** When the nodes were looked after last, by the clock of {@linkcode performance}. */
  #lookedAt = performance.now();
  /** How many answers in a row differed from what the nodes themselves say. */
  #disagreed = 0;
  /** After how many answers in a row some node was lost. */
  #lacked = 0;

  private constructor({ addresses, defaults }: Seeds, options: ClusterOptions) {
    const settings = resolveOptions(defaults, options);
    super(settings.database);
    this.#options = resolveClusterOptions(options);
    const { addressMap } = settings;
    const tls = defaults.tls ?? false;
    this.#addresses = new NodeAddresses({ topology: () => this.#topology, tls, addressMap });
    this.#settings = settings;
    this.#reportsStatus = options.onStatus !== undefined;
    const { maxNodes, refreshInterval } = this.#options;
    this.hub = new Hub(() => "*", settings, {
      checkSilence: async (channels) => {
        await this.#members.onEach((member) => member.checkSilence(channels));
      },
      settle: async (channels) => {
        this.#want(channels);
        return (await this.#members.onEach((member) => member.settle(channels))).flat();
      },
      reconcile: async () => {
        await this.#members.onEach((member) => member.server.reconcile());
      },
    });
    this.#filter = new MigrationFilter<Delivery>({
      decide: (delivery, verdict) => this.#decide(delivery, verdict),
      fence: ({ id }, slot) => this.#members.get(id)?.gate.fence(slot),
      ping: ({ id }) => this.#members.get(id)?.gate.ping(),
      report: ({ id }, whole) => this.#members.get(id)?.gate.report(whole),
      outdated: () => {
        this.#completeAt ??= this.#askedAt;
        this.#refreshSoon();
      },
      demoted: ({ id }) => this.#onDemoted(id),
    });
    this.#deadline = new Deadline(this.#filter, HOLD_MS);
    this.#source = new TopologySource({
      seeds: addresses,
      settings,
      tls,
      maxNodes,
      nodes: () => this.#connected(),
      signal: this.#end.signal,
    });
    this.#succession = new Succession({
      settings,
      locate: (id) => this.#addresses.locate(id),
      onPromoted: (id) => {
        if (!this.#members.has(id)) this.#add(id, this.#askedAt);
        this.#refreshSoon();
      },
    });
    this.#refresher = new Refresher({
      refresh: () => this.#refresh(),
      interval: () => refreshDelay(refreshInterval, this.#topology?.nodes.size ?? 0),
      onFailure: (error) => {
        // The first time it is what `connect` fails with.
        if (this.#topology === null) return;
        settings.onWarning(`the topology could not be refreshed: ${error.message}`);
      },
    });
    repeat(settings.heartbeat.busyInterval, this.#end.signal, () => this.#look());
    const { signal } = options;
    const close = () => void this.close();
    signal?.addEventListener("abort", close);
    this.#stopFollowing = () => signal?.removeEventListener("abort", close);
  }

  /**
   * Connects to a cluster.
   *
   * @param targets the URLs of some of its nodes; any of them may be dead, or a replica
   * @param options how to connect
   * @returns the cluster's notifications, nothing subscribed yet
   * @throws {TypeError} when a URL or an option is malformed, or the URLs contradict each other
   * @throws {ConnectError} when none of the seeds answers, or they are no nodes of a cluster
   * @throws {AuthError} when the user is refused, or may not ask for the topology
   */
  static async connect(
    targets: readonly (string | URL)[],
    options: ClusterOptions = {},
  ): Promise<ClusterKeyspaceNotifications> {
    const seeds = readSeeds(targets);
    checkForCluster(options);
    const notifications = new ClusterKeyspaceNotifications(seeds, options);
    try {
      options.signal?.throwIfAborted();
      await notifications.refreshSubscriptions();
      await notifications.#members.whenReached(notifications.#settings.turns.most);
      options.signal?.throwIfAborted();
      return notifications;
    } catch (error) {
      await notifications.close();
      if (options.signal?.aborted) throw options.signal.reason;
      throw error;
    }
  }

  /** Which node owns which slot, as it was last learned. */
  get topology(): Topology {
    return this.#topology!;
  }

  /**
   * Asks for the topology now, and connects to what is new.
   *
   * @throws {ConnectError} when no node answers
   * @throws {ClosedError} when the object is closed, also meanwhile
   */
  async refreshSubscriptions(): Promise<void> {
    await this.#refresher.request();
    if (this.hub.ended === null) return;
    throw new ClosedError("Cannot refresh the subscriptions: the notifications are closed");
  }

  /** How things stand. */
  status(): Status {
    const members = [...this.#members.values()];
    const nodes = members.map((member) => ({
      ...member.status(),
      id: member.id,
      slots: this.#topology?.slotsOf(member.id) ?? [],
    }));
    const uncovered = this.#coverage.slots(false);
    return {
      state: this.hub.ended !== null
        ? "closed"
        : uncovered.length > 0 || nodes.some(({ state }) => state !== "ready")
        ? "incomplete"
        : members.every(({ server }) => server.subscriber.agrees)
        ? "ready"
        : "subscribing",
      nodes,
      slots: { covered: this.#coverage.slots(true), uncovered, parts: this.#parts() },
      migrations: {
        artefacts: this.#filter.artefacts,
        uncertain: this.#filter.uncertain,
        held: this.#filter.held,
        heldBytes: this.#filter.heldBytes,
      },
      gaps: this.hub.gaps,
      queued: this.hub.queued,
      queuedBytes: this.hub.queuedBytes,
      dropped: this.hub.dropped,
    };
  }

  #parts(): SlotCoverage[] {
    return this.#coverage.parts().map(({ nodeId, ...part }) => ({
      ...part,
      node: nodeId === null ? null : this.#nameOf(nodeId),
    }));
  }

  /** How a node is called: where it is watched, or where others say it is. */
  #nameOf(id: string): string {
    return this.#members.get(id)?.node ?? this.#addresses.nameOf(id);
  }

  /** Ends all connections, every loop, every wait and every handler. Safe to call twice. */
  close(): Promise<void> {
    if (!this.#end.signal.aborted) {
      const reason = new ClosedError("The notifications of the cluster were closed");
      this.#refresher.stop();
      this.#stopFollowing();
      this.#end.abort(reason);
      this.#deadline.stop();
      this.#succession.close();
      this.#report(this.#coverage.end(Date.now()));
      for (const member of this.#members.values()) member.close(reason);
      this.hub.end(reason);
      if (this.#statusTimer !== null) clearTimeout(this.#statusTimer);
      if (this.#reportsStatus) this.#settings.onStatus(this.status());
    }
    return Promise.resolve();
  }

  async #refresh(): Promise<void> {
    const { topology, askedAt } = await this.#source.ask(this.#topology);
    if (!this.#end.signal.aborted) this.#apply(topology, askedAt);
  }

  #connected(): KnownNode[] {
    return [...this.#members.values()].flatMap(({ id, server: { subscriber } }) => {
      const address = this.#addresses.locate(id);
      const isConnected = subscriber.state === "ready" || subscriber.state === "muted";
      return isConnected && address !== null ? [{ id, subscriber, address }] : [];
    });
  }

  /**
   * Takes a topology over. It says whom to connect to, and of whom fences are to be asked; the owner of
   * an event is decided in the streams.
   */
  #apply(topology: Topology, askedAt: number): void {
    const isFirst = this.#topology === null;
    const before = this.#completeAt ?? this.#askedAt;
    if (topology.nodes.size >= this.#filter.mostKnown) this.#completeAt = null;
    this.#askedAt = isFirst ? before : askedAt;
    this.#topology = topology;
    const { contenders } = topology;
    const primaries = new Set(topology.primaries.map(({ id }) => id));
    this.#succession.note(topology, askedAt);
    for (const { id } of topology.primaries) {
      this.#coverage.expect(slotsIn(topology.slotsOf(id)), id, before);
    }
    for (const id of primaries) {
      const known = this.#members.get(id);
      // Which of them it is, an answer will tell that comes from one who knows.
      const isOpen = contenders.has(id);
      if (known === undefined) {
        if (isFirst || !isOpen) this.#add(id, isFirst ? null : before);
      } else if (!isOpen) known.absences = 0;
    }
    const most = Math.floor(this.#members.size / 2) + 1;
    const enough = Math.max(ABSENCES[0], Math.min(most, ABSENCES[1]));
    for (const [id, member] of this.#members) {
      // A few nodes may have missed what the others know, or be cut off from them.
      if (primaries.has(id) || contenders.has(id)) continue;
      // Its own stream says that it owns slots, whatever others have heard by now.
      if (member.gate.stream !== null && member.gate.stream.fenceCount > 0) continue;
      // It said itself that it was promoted, and is being connected to.
      const isArriving = !member.isHeard && member.server.subscriber.failures === 0;
      if (this.#succession.replacedBy(id) !== null && isArriving) continue;
      if (++member.absences < enough) continue;
      if (topology.nodes.get(id)?.role === "replica") member.gate.demoted();
      this.#leave(member, `${member.node} is no primary any more`);
    }
    // A node that has failed takes no slots in.
    const targets = topology.primaries.filter(({ health }) => health !== "failed");
    this.#filter.setTopology(
      new Set(targets.map(({ id }) => id)),
      topology.nodes.size,
      (slot) => topology.ownerOf(slot)?.id ?? null,
    );
    this.#members.redial((id) => this.#addresses.locate(id));
    const members = [...this.#members.values()];
    for (const member of members) this.#extend(member);
    const agree = members.every((member) =>
      member.absences === 0 && !contenders.has(member.id) && !this.#lacksFence(member)
    );
    // Nodes may go on disagreeing for as long as some of them are cut off from the others.
    this.#disagreed = this.#askAgain(agree, this.#disagreed);
    // It takes them some seconds to make another the primary.
    this.#lacked = this.#askAgain(!members.some(({ isLost }) => isLost), this.#lacked);
    this.#reportStatus();
  }

  /** Asks again soon, less so each time, unless all is well; says how many times in a row it was not. */
  #askAgain(isWell: boolean, before: number): number {
    if (isWell) return 0;
    this.#refresher.hasten(backoff(before + 1, Math.random()));
    return before + 1;
  }

  /** Asks a node for the fences of the slots that the topology gives to it. */
  #extend(member: Member): void {
    // The connection that is over is replaced by one that asks for all of them.
    member.gate.extend().catch(() => {});
  }

  #lacksFence({ id, gate: { stream } }: Member): boolean {
    if (stream === null || stream.isFenceless) return false;
    return this.#slotsToFence(id).some((slot) => !stream.holds(slot));
  }

  /** Notes whose slots' events are wanted. */
  #want(channels: Iterable<ServerChannel>): void {
    const slots = slotsOfChannels(channels);
    if (slots === null) this.#wanted = null;
    else if (this.#wanted !== null) { for (const slot of slots) this.#wanted.add(slot); }
    this.#filter.hearsRestores = hearRestores(this.hub.registry.values());
  }

  #slotsToFence(id: string, channels?: Iterable<ServerChannel>): number[] {
    const wanted = channels === undefined ? this.#wanted : slotsOfChannels(channels);
    const owned = [...slotsIn(this.#topology?.slotsOf(id) ?? [])];
    // A replica may have been promoted before any node says so.
    const primary = this.#succession.replacedBy(id);
    if (primary !== null && owned.length === 0) {
      const named = slotsIn(this.#topology?.slotsOf(primary) ?? []);
      // Whichever is newer: an answer may name neither of them as the owner by now.
      owned.push(...new Set([...named, ...this.#coverage.slotsLastOf(primary)]));
    }
    return wanted === null ? owned : owned.filter((slot) => wanted.has(slot));
  }

  /** The slots that a node owns: by its fences, and of slots without fences by the topology. */
  #slotsOf({ id, gate: { stream } }: Member): number[] {
    const owned = [...slotsIn(this.#topology?.slotsOf(id) ?? [])];
    if (stream === null || stream.isFenceless) return owned;
    const slots = this.#wanted === null ? [] : owned.filter((slot) => !this.#wanted!.has(slot));
    for (let slot = 0; slot < SLOTS; slot++) if (stream.holds(slot)) slots.push(slot);
    return slots.sort((a, b) => a - b);
  }

  #leave(member: Member, why: string): void {
    const { id } = member;
    this.#members.delete(id);
    const { connection } = member.server.subscriber;
    const from = connection?.provenAt ?? Date.now();
    const { isReplica = false } = member.gate.stream ?? {};
    const owned = this.#slotsOf(member);
    this.#report(this.#coverage.lose(id, owned, from, "topology", isReplica));
    member.close(new ClosedError(why));
  }

  /** It comes back when the topology names it as a primary again. */
  #onDemoted(id: string): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    member.gate.demoted();
    this.#leave(member, `${member.node} is a replica now`);
    this.#awaitHeir(id);
    this.#refreshSoon();
  }

  /** Looks after what no message tells. */
  #look(): Promise<void> {
    const now = performance.now();
    // While this process was busy, answers may have come that were not read.
    const wasBusy = now - this.#lookedAt > this.#settings.heartbeat.busyInterval + LATE;
    this.#lookedAt = now;
    if (wasBusy) return Promise.resolve();
    for (const member of this.#members.values()) {
      member.askOffset();
      if (member.server.subscriber.silentFor > SILENT_MS) {
        if (this.#awaitHeir(member.id)) this.#refreshSoon();
      } else if (member.isHeard && this.#succession.polls(member.id)) {
        // One that has ended its fences is heard until it says that it was replaced.
        if (!this.#coverage.hasHole(member.id)) this.#succession.end(member.id);
      }
    }
    this.#filter.isUnsettled = this.#succession.isUnderWay;
    return Promise.resolve();
  }

  /**
   * A primary is not heard: the node that replaces it is to be heard soon.
   *
   * @returns whether its replicas were not polled yet
   */
  #awaitHeir(id: string): boolean {
    const heirs = [...this.#succession.heirsOf(id)].filter((heir) => !this.#members.has(heir));
    const isNew = this.#succession.begin(id, heirs);
    this.#filter.isUnsettled = this.#succession.isUnderWay;
    return isNew;
  }

  /**
   * Watches a primary.
   *
   * @param unheardFrom a time at which it was no primary yet, in ms since the epoch; null if nothing was
   * promised before
   */
  #add(id: string, unheardFrom: number | null): void {
    const gate = new NodeGate({
      id,
      filter: this.#filter,
      node: () => member.node,
      keyPrefix: this.#settings.keyPrefix,
      hasFences: this.#options.migrations !== "deliver",
      slots: (channels) => this.#slotsToFence(id, channels),
      spacing: () => Math.max(SPACING_MS[0], this.#members.size * SPACING_MS[1]),
      hand: (delivery) => this.hub.hand(delivery),
      wasUnheard: () => member.unheardFrom !== null,
      onHeld: () => this.#deadline.schedule(),
      onFences: (owned, denied) => {
        this.#gain(member, owned, false);
        for (const slot of denied) this.#release(member, slot, Date.now());
      },
      onDemoted: () => this.#onDemoted(id),
      onReleased: (slot, provenAt) => {
        this.#release(member, slot, provenAt);
        // All of them at once: it was replaced, and not one slot moved.
        if (gate.stream?.fenceCount === 0) this.#awaitHeir(id);
        this.#refreshSoon();
      },
    });
    const member: Member = new Member(id, {
      settings: this.#settings,
      hub: this.hub,
      gate,
      name: this.#addresses.nameOf(id),
      locate: () => this.#addresses.dialled(id),
      events: {
        onLost: (reason, from) => {
          const owned = this.#slotsOf(member);
          member.heardSince = null;
          member.unheardFrom = Math.min(from, member.unheardFrom ?? Infinity);
          if (gate.stream !== null) member.visited = gate.stream.visited;
          if (member.server.subscriber.connection === null) gate.close();
          this.#report(this.#coverage.lose(id, owned, from, reason));
          this.#awaitHeir(id);
          this.#refreshSoon();
        },
        onDropped: (dropped) =>
          this.hub.reportDropped(member.node, dropped, this.#topology?.slotsOf(id)),
        onState: () => this.#onState(member),
        onDemoted: () => this.#onDemoted(id),
      },
    });
    this.#members.set(id, member);
    this.#filter.addPrimary(id);
    member.unheardFrom = unheardFrom;
    member.server.subscriber.launch("topology", unheardFrom ?? this.#askedAt);
  }

  /** A node has stopped owning a slot. */
  #release(member: Member, slot: number, provenAt: number): void {
    let owner: string | null = null;
    for (const { id, isHeard, gate } of this.#members.values()) {
      if (id !== member.id && isHeard && gate.stream?.holds(slot)) owner = id;
    }
    this.#coverage.release(member.id, slot, provenAt, this.#hearsAllBut(member), owner);
  }

  #hearsAllBut(member: Member): boolean {
    for (const other of this.#members.values()) {
      if (other !== member && other.heardSince === null) return false;
    }
    return true;
  }

  /** A node owns slots and is heard. */
  #gain(member: Member, slots: readonly number[], atConnect: boolean): void {
    const { id, heardSince } = member;
    if (heardSince === null) return;
    const gain: Gain = {
      heardSince,
      atConnect,
      isHeir: (earlier) => this.#succession.isHeir(id, earlier),
      takenOverAfter: (earlier) => this.#succession.takenOverAfter(member.replication, earlier),
    };
    this.#report(this.#coverage.gain(id, slots, gain, Date.now()));
  }

  #onState(member: Member): void {
    // A member that was left says so when it is closed, and concerns nobody any more.
    if (this.#members.get(member.id) !== member || this.hub.ended !== null) return;
    const { state } = member.server.subscriber;
    const now = Date.now();
    if (state === "ready") {
      member.heardSince = now;
      const { stream } = member.gate;
      if (stream !== null) this.#filter.heard(stream);
      if (member.unheardFrom !== null) {
        const importing = new Set([...stream?.report?.importing ?? [], ...member.visited]);
        this.#report(this.#coverage.import(member.id, importing, member.unheardFrom, now));
      }
      member.unheardFrom = null;
      this.#succession.end(member.id);
      if (member.log !== null) this.#succession.keepLog(member.id, member.log);
      this.#gain(member, this.#slotsOf(member), true);
    } else if (state === "muted") {
      this.#report(this.#coverage.coverInPart(this.#slotsOf(member), now));
    } else {
      member.gate.follow();
      // Of one that was connected before, its loss has said so.
      if (state === "connecting" && member.isLost && this.#lacked === 0) this.#refreshSoon();
    }
    this.#reportStatus();
  }

  #decide(delivery: Delivery, verdict: Verdict): void {
    if (this.hub.ended !== null) return;
    if (verdict === "maybe") delivery.notification.migration = "maybe";
    else if (verdict === "artefact") {
      if (this.#options.migrations === "hide") return;
      delivery.notification.migration = true;
    }
    this.hub.hand(delivery);
  }

  #report(gaps: readonly SlotGap[]): void {
    if (this.hub.registry.size === 0) return;
    for (const { nodeId, reason, slots, from, to } of gaps) {
      const node = this.#nameOf(nodeId);
      this.hub.reportGap({ kind: "gap", reason, node, slots, from, to });
    }
  }

  /** Reports the status, once for all nodes that change at the same time. */
  #reportStatus(): void {
    if (!this.#reportsStatus) return;
    this.#statusTimer ??= setTimeout(() => {
      this.#statusTimer = null;
      this.#settings.onStatus(this.status());
    }, 0);
  }

  #refreshSoon(): void {
    // What it fails with goes to `onWarning`, and another attempt follows.
    this.#refresher.hint();
  }
}

function* slotsIn(ranges: readonly SlotRange[]): Iterable<number> {
  for (const { first, last } of ranges) for (let slot = first; slot <= last; slot++) yield slot;
}
