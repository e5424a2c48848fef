import { AbstractKeyspaceNotifications } from "../pubsub/mod.ts";
import { backoff } from "../pubsub/backoff.ts";
import { ClosedError } from "../pubsub/errors.ts";
import { ReplicaAdvice } from "../pubsub/event_advice.ts";
import { Hub } from "../pubsub/hub.ts";
import { resolveOptions, type Settings } from "../pubsub/options.ts";
import type { AskServer } from "../pubsub/subscriber_options.ts";
import type { SlotCoverage, Status } from "../pubsub/mod.ts";
import { Coverage, type SlotGap } from "./coverage.ts";
import { type Member, type MemberOptions, PrimaryMember } from "./member.ts";
import { Members, watchable } from "./members.ts";
import { MigrationFilter } from "./migration_filter.ts";
import { NodeAddresses } from "./node_addresses.ts";
import {
  checkForCluster,
  type ClusterOptions,
  type ClusterSettings,
  resolveClusterOptions,
} from "./options.ts";
import { Refresher } from "./refresher.ts";
import { ReplicaGate } from "./replica_gate.ts";
import { ReplicaMember } from "./replica_member.ts";
import { readSeeds, type Seeds } from "./seeds.ts";
import { askServed } from "./served.ts";
import type { Topology } from "./discovery/topology.ts";
import { type KnownNode, refreshDelay, TopologySource } from "./topology_source.ts";

/** After how many answers in a row that know a node as no primary it is left, at least and most. */
const ABSENCES = [2, 3] as const;

/** How long a node may not have heard yet what another one knows of the cluster, in ms. */
const HEARSAY = 500;

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
  readonly #tellsStatus: boolean;
  /** Due when the status is to be reported; null while it is not. */
  #statusTimer: ReturnType<typeof setTimeout> | null = null;
  readonly #members = new Members(() => this.hub.ended !== null);
  readonly #coverage = new Coverage();
  readonly #refresher: Refresher;
  readonly #filter: MigrationFilter;
  readonly #source: TopologySource;
  readonly #end = new AbortController();
  readonly #stopFollowing: () => void;
  #topology: Topology | null = null;
  /** When the topology was asked for that is known, in ms since the epoch. */
  #askedAt = 0;
  /** When who owned what was last known to be as it is known, in ms since the epoch. */
  #knownAt = 0;
  /** How many answers in a row did not know a node that is watched. */
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
    this.#tellsStatus = options.onStatus !== undefined;
    const { migrations, maxNodes, refreshInterval, replicas } = this.#options;
    const advice = replicas ? new ReplicaAdvice(settings.onWarning) : null;
    this.hub = new Hub(() => "*", settings, {
      checkSilence: async (channels) => {
        advice?.consider(channels);
        await this.#members.onEach((member) => member.checkSilence(channels));
      },
      settle: async (channels) =>
        (await this.#members.onEach((member) => member.settle(channels))).flat(),
      reconcile: async () => {
        await this.#members.onEach((member) => member.server.reconcile());
      },
    });
    this.#filter = new MigrationFilter({
      migrations,
      keyPrefix: settings.keyPrefix,
      hand: (delivery) => this.hub.hand(delivery),
      onOutdated: () => this.#refreshSoon(),
      onPromoted: (id, since) => this.#onPromoted(id, since),
    });
    this.#source = new TopologySource({
      seeds: addresses,
      settings,
      tls,
      maxNodes,
      nodes: () => this.#connected(),
      signal: this.#end.signal,
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
      id: member.nodeId ?? member.id,
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
      migrations: this.#filter.status,
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
      this.#filter.close();
      this.#report(this.#coverage.end(Date.now()));
      for (const member of this.#members.values()) member.close(reason);
      this.hub.end(reason);
      if (this.#statusTimer !== null) clearTimeout(this.#statusTimer);
      if (this.#tellsStatus) this.#settings.onStatus(this.status());
    }
    return Promise.resolve();
  }

  async #refresh(): Promise<void> {
    const { topology, askedAt } = await this.#source.ask(this.#topology);
    if (!this.#end.signal.aborted) this.#apply(topology, askedAt);
  }

  #connected(): KnownNode[] {
    return [...this.#members.values()].flatMap(({ id, nodeId, server: { subscriber } }) => {
      const address = nodeId === null ? null : this.#addresses.locate(nodeId);
      const isConnected = subscriber.state === "ready" || subscriber.state === "muted";
      return isConnected && address !== null ? [{ id, subscriber, address }] : [];
    });
  }

  /** Lays what is watched against what the cluster is now. */
  #apply(topology: Topology, askedAt: number): void {
    const before = this.#topology;
    const isFirst = before === null;
    // Where a node denies what the last answer gave to it, that was old when it came.
    if (!this.#filter.isDenied) this.#knownAt = this.#askedAt - HEARSAY;
    this.#askedAt = askedAt;
    this.#topology = topology;
    this.#filter.setTopology(topology);
    const shards = watchable(topology, this.#options.replicas);
    const { contenders } = topology;
    for (const renamed of this.#members.rename(shards, topology)) this.#coverage.rename(...renamed);
    for (const id of shards) {
      const known = this.#members.get(id);
      // Which of them it is, an answer will tell that comes from one who knows.
      const isOpen = contenders.has(id);
      if (known === undefined) {
        if (isFirst || !isOpen) this.#add(id, isFirst ? null : this.#knownAt);
      } else if (!isOpen) known.absences = 0;
    }
    const most = Math.floor(this.#members.size / 2) + 1;
    const enough = Math.max(ABSENCES[0], Math.min(most, ABSENCES[1]));
    for (const [id, member] of this.#members) {
      // A few nodes may have missed what the others know, or be cut off from them.
      if (shards.has(id) || contenders.has(id) || ++member.absences < enough) continue;
      this.#leave(member, Date.now(), `${member.node} is no primary any more`);
    }
    const owner = (slot: number) => {
      const id = topology.ownerOf(slot)?.id ?? null;
      return id === null || !isFirst && contenders.has(id) ? null : id;
    };
    const isHeir = (id: string, of: string) => {
      const shard = before?.shardOf(of) ?? null;
      return shard !== null && before!.shardOf(id) === shard;
    };
    this.#report(this.#coverage.assign(owner, this.#knownAt, Date.now(), isHeir));
    for (const member of this.#members.values()) {
      if (member instanceof ReplicaMember) member.review();
    }
    this.#members.redial((id) => this.#addresses.locate(id));
    const members = [...this.#members.values()];
    const agree = members.every(({ id, absences }) => absences === 0 && !contenders.has(id));
    // Nodes may go on disagreeing for as long as some of them are cut off from the others.
    this.#disagreed = this.#askAgain(agree, this.#disagreed);
    // It takes them some seconds to make another the primary.
    this.#lacked = this.#askAgain(!members.some(({ isLost }) => isLost), this.#lacked);
    this.#tellStatus();
  }

  /** Asks again soon, less so each time, unless all is well; says how many times in a row it was not. */
  #askAgain(isWell: boolean, before: number): number {
    if (isWell) return 0;
    this.#refresher.hasten(backoff(before + 1, Math.random()));
    return before + 1;
  }

  #leave(member: Member, from: number, why: string): void {
    const { id } = member;
    this.#members.delete(id);
    this.#filter.leave(id);
    this.#coverage.lose(id, from, "topology");
    member.close(new ClosedError(why));
  }

  /** It comes back when the topology next names it, and nobody claims its slots any more. */
  #onPromoted(id: string, since: number): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    this.#leave(member, since, `${member.node} was a replica, and is a primary again`);
    this.#refreshSoon();
  }

  /**
   * Watches a primary.
   *
   * @param unheardSince from when on something of it may be missing; null when nothing was before
   */
  #add(id: string, unheardSince: number | null): void {
    const gate = this.#options.replicas
      ? new ReplicaGate({
        node: () => member.node,
        keyPrefix: this.#settings.keyPrefix,
        hand: (delivery) => this.hub.hand(delivery),
      })
      : this.#filter.gate(id, () => member.server);
    const options: MemberOptions = {
      settings: this.#settings,
      hub: this.hub,
      gate,
      events: {
        onLost: (reason, from) => {
          // What it has told since it is a replica was left out, and nobody else was heard.
          const since = this.#filter.replicaSince(member.id) ?? Infinity;
          this.#coverage.lose(member.id, Math.min(from, since), reason);
          this.#refreshSoon();
        },
        onDropped: (dropped) =>
          this.hub.reportDropped(member.node, dropped, this.#topology?.slotsOf(member.id)),
        onSubscribed: (ask) => this.#askServed(member, ask),
        onState: () => {
          gate.follow();
          this.#onState(member);
        },
      },
    };
    const name = this.#addresses.nameOf(id);
    const member: Member = this.#options.replicas
      ? new ReplicaMember(id, name, (primary) => this.#addresses.replicasOf(primary), options)
      : new PrimaryMember(id, name, () => this.#addresses.dialled(id), options);
    this.#members.set(id, member);
    if (unheardSince !== null) this.#coverage.join(id, unheardSince);
    member.launched = this.#launch(member, unheardSince ?? this.#askedAt);
  }

  async #launch(member: Member, from: number): Promise<void> {
    await this.#filter.whenUncontested(member.id);
    if (this.#members.get(member.id) !== member || this.hub.ended !== null) return;
    member.server.subscriber.launch("topology", from);
  }

  #onState(member: Member): void {
    // A member that was left says so when it is closed, and concerns nobody any more.
    if (this.#members.get(member.id) !== member || this.hub.ended !== null) return;
    const { state } = member.server.subscriber;
    const now = Date.now();
    if (state === "ready") {
      this.#report(this.#coverage.cover(member.id, now, member.served));
    } else if (state === "muted") this.#report(this.#coverage.coverInPart(member.id, now));
    // Of one that was connected before, its loss has said so.
    else if (state === "connecting" && member.isLost && this.#lacked === 0) this.#refreshSoon();
    this.#tellStatus();
  }

  /** Something may have happened in slots that came to a node while nothing was heard of it. */
  async #askServed(member: Member, ask: AskServer): Promise<void> {
    member.served = null;
    const address = this.#addresses.locate(member.id);
    if (address === null || !(member instanceof PrimaryMember)) return;
    if (!this.#coverage.isBlind(member.id)) return;
    try {
      member.served = await askServed(ask, address);
    } catch {
      // Lost again, it will be asked again; and where nobody may ask, nobody can know.
    }
  }

  #report(gaps: readonly SlotGap[]): void {
    if (this.hub.registry.size === 0) return;
    for (const { nodeId, reason, slots, from, to } of gaps) {
      const node = this.#nameOf(nodeId);
      this.hub.reportGap({ kind: "gap", reason, node, slots, from, to });
    }
  }

  /** Reports the status, once for all nodes that change at the same time. */
  #tellStatus(): void {
    if (!this.#tellsStatus) return;
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
