import type { Consumer } from "../pubsub/delivery.ts";
import type { ServerTarget } from "../pubsub/connection/address.ts";
import { type Desired, Dispatcher, type Refusal } from "../pubsub/dispatcher.ts";
import type { CheckedChannel } from "../pubsub/flags.ts";
import type { Status } from "../pubsub/mod.ts";
import { ClosedError, CodedError, TimeoutError } from "../pubsub/connection/errors.ts";
import { ConnectTurns } from "../pubsub/connect_turns.ts";
import { standbyTools } from "../pubsub/standby_tools.ts";
import { resolveOptions, type Settings } from "../pubsub/options.ts";
import { quoteEach } from "../pubsub/connection/printable.ts";
import type { Topology } from "./discovery/topology.ts";
import { oppositesOf } from "./members/watched_slots.ts";
import type { Member } from "./members/member.ts";
import { Members } from "./members/members.ts";
import { type ClusterOptions, resolveClusterOptions } from "./options.ts";
import { checkForCluster, readSeedNodes } from "./seed_nodes.ts";
import { refreshDelay, Refresher, TopologySource } from "./topology_source.ts";

/** How often `subscribe` fetches the topology while the owner of a key is not found. */
const RETRIES = 2;

/** The consumer of events that nobody subscribed to. */
const NOBODY: Consumer = { deliver() {}, counts: { queued: 0, queuedBytes: 0, dropped: 0 } };

/**
 * A cluster that is watched: a connection to each primary that is needed, and where their notifications meet. Loaded by
 * `import()`, once it is known that there is a cluster.
 */
export class WatchedCluster {
  /** The subscriptions, and the way to them. */
  readonly dispatcher: Dispatcher;
  /** The options, and what the URLs say of all nodes. */
  readonly settings: Settings;
  readonly #members: Members;
  readonly #refresher: Refresher;
  readonly #end = new AbortController();
  /** Whether migration artefacts are distinguished from other events. */
  readonly #hasFences: boolean;
  /** Whether something has been subscribed. */
  #hasSubscribed = false;
  /** Reports the status when due; null while there is nothing to report. */
  #statusTimer: ReturnType<typeof setTimeout> | null = null;

  /** @throws {TypeError} when a URL or an option is malformed, or they contradict each other */
  constructor(targets: readonly ServerTarget[], options: ClusterOptions) {
    const { addresses, defaults } = readSeedNodes(targets);
    checkForCluster(options);
    const given = resolveOptions(defaults, options);
    const settings = { ...given, turns: new ConnectTurns(given.maxConnecting) };
    const { maxNodes, refreshInterval, migrations } = resolveClusterOptions(options);
    const tls = defaults.tls ?? false;
    const { signal } = this.#end;
    this.settings = settings;
    this.#hasFences = migrations !== "deliver";
    this.dispatcher = new Dispatcher(() => "*", settings, {
      subscribe: async (channels, checked, admit) => {
        this.#members.want(channels);
        let isPromised = false;
        try {
          const refused = await this.#subscribe(channels, checked, admit);
          isPromised = true;
          return refused;
        } finally {
          this.#members.wanted(isPromised);
        }
      },
      reconcile: async () => {
        this.#registerOpposites();
        this.#members.unwant();
        this.#members.standbys?.channels.set();
        await this.#onEach(({ server, shard }) => (shard?.standby ?? server).reconcile());
      },
    });
    this.#members = new Members({
      settings,
      migrations,
      tls,
      dispatcher: this.dispatcher,
      onHint: () => this.#refresher.hint(),
      signal,
      onStatus: () => this.#reportStatus(),
    });
    const source = new TopologySource({
      seedNodes: addresses,
      settings,
      tls,
      maxNodes,
      nodes: () =>
        [...this.#members.values()].flatMap(({ id, server }) => {
          const address = this.#members.locate(id);
          return server.connection !== null && address !== null ? [{ id, server, address }] : [];
        }),
      signal,
    });
    this.#refresher = new Refresher({
      refresh: async () => {
        const { topology, requestedAt } = await source.fetch(this.#members.topology);
        return signal.aborted || this.#members.apply(topology, requestedAt);
      },
      interval: () => refreshDelay(refreshInterval, this.#members.topology?.nodes.size ?? 0),
      onFailure: (error) => {
        // The first time it is what `connect` fails with.
        if (this.#members.topology === null) return;
        settings.onWarning(`the topology could not be refreshed: ${error.message}`);
      },
    });
    options.signal?.addEventListener("abort", () => this.close(), { signal });
  }

  /**
   * Fetches the topology. What is subscribed decides whom to connect to.
   *
   * @throws {ConnectError} if none of the seed nodes answers, or they are not nodes of a cluster
   * @throws {AuthError} when the user is refused, or may not read the topology
   */
  async start(): Promise<void> {
    if (this.settings.standby) {
      const module = await import("./members/shard_standby.ts");
      const tools = standbyTools();
      const channels = new module.SharedChannels(this.dispatcher.registry, tools);
      this.#members.standbys = { module, tools, channels };
    }
    await this.refreshSubscriptions();
  }

  /** Which node owns which slot, as of the last refresh. */
  get topology(): Topology {
    return this.#members.topology!;
  }

  /**
   * Refreshes the topology now, and connects to new primaries.
   *
   * @throws {ConnectError} when no node answers
   * @throws {ClosedError} when the notifications are closed, also meanwhile
   */
  async refreshSubscriptions(): Promise<void> {
    await this.#refresher.request();
    if (this.dispatcher.ended === null) return;
    throw new ClosedError("Cannot refresh the subscriptions: the notifications are closed");
  }

  async #subscribe(
    channels: readonly Desired[],
    checked: readonly CheckedChannel[],
    admit: () => void,
  ): Promise<Refusal[]> {
    const members = this.#members;
    await this.#whenReached();
    // Before the fences are set, which may be thousands.
    await this.#onEach(({ server }) => server.checkDelivery(checked));
    admit();
    const compared = members.standbys?.channels.set(checked) ?? [];
    const all = [...channels, ...compared, ...this.#registerOpposites()];
    const settle = async () => (await this.#onEach((member) => member.settle(all))).flat();
    let refused = await settle();
    // The topology may be older than the last migration.
    for (let left = RETRIES; left > 0 && !members.slots.covers(channels); left--) {
      await this.#refresher.request().catch(() => {});
      refused = await settle();
    }
    if (!this.#hasSubscribed) members.hearAll();
    this.#hasSubscribed = true;
    await Promise.all(Array.from(members.values(), ({ gate }) => gate.settled()));
    const isAsked = ({ channel }: Refusal) => channels.some(({ id }) => id === channel.id);
    if (!refused.every(isAsked)) members.filter.proofs.hearsOpposites = false;
    return refused.filter(isAsked);
  }

  /** The state of the subscriptions, nodes and slots. */
  status(): Status {
    const { topology, filter, slots: watched } = this.#members;
    const { artefacts, uncertain, held, heldBytes } = filter.queues;
    const each = [...this.#members.values()];
    const nodes = each.map(({ id, server, shard }) => ({
      ...(shard === null ? {} : { standby: shard.standby.status() }),
      ...server.status(),
      id,
      slots: topology?.slotsOf(id) ?? [],
    }));
    const slots = watched.status();
    return {
      state: this.dispatcher.ended !== null
        ? "closed"
        : slots.uncovered.length > 0 || nodes.some(({ state }) => state !== "ready")
        ? "incomplete"
        : each.every(({ server }) => server.agrees)
        ? "ready"
        : "subscribing",
      nodes,
      slots,
      migrations: { artefacts, uncertain, held, heldBytes },
      ...this.dispatcher.counts,
    };
  }

  /** Ends all connections, every loop, every wait and every handler. Safe to call twice. */
  close(): void {
    if (this.#end.signal.aborted) return this.dispatcher.end(this.#end.signal.reason);
    const reason = new ClosedError("The notifications of the cluster were closed");
    this.#refresher.stop();
    this.#end.abort(reason);
    this.#members.close(reason);
    this.dispatcher.end(reason);
    if (this.#statusTimer !== null) clearTimeout(this.#statusTimer);
    if (this.settings.reports.hears("status")) this.settings.onStatus(this.status());
  }

  /**
   * Registers channels of the opposites of desired events, for the filter alone, and takes back
   * those that are not needed any more.
   *
   * @returns those that are registered
   */
  #registerOpposites(): Desired[] {
    const { registry } = this.dispatcher;
    if (!this.#hasFences) return [];
    const all = [...registry.values()];
    const wanted = all.filter(({ users }) => users.some((user) => user !== NOBODY));
    const before = all.filter(({ users }) => users.includes(NOBODY));
    const opposites = oppositesOf(wanted).map((channel) => registry.add(channel, NOBODY));
    for (const channel of before) registry.remove(channel, NOBODY);
    return opposites;
  }

  /**
   * Does something on each member at once, on those too that join meanwhile.
   *
   * @throws what it failed with, once all have come to an end: {@linkcode inOneError}
   */
  async #onEach<T>(work: (member: Member) => Promise<T>): Promise<T[]> {
    const results: T[] = [];
    const called = new Set<Member>();
    for (;;) {
      const members = [...this.#members.values()].filter((member) => !called.has(member));
      if (members.length === 0) return results;
      const failures: Error[] = [];
      const outcomes = await Promise.allSettled(members.map((member) => work(member)));
      for (const [place, outcome] of outcomes.entries()) {
        const member = members[place]!;
        called.add(member);
        if (outcome.status === "fulfilled") results.push(outcome.value);
        // The failure of a node that was left meanwhile does not count.
        else if (this.dispatcher.ended !== null || this.#members.get(member.id) === member) {
          failures.push(outcome.reason as Error);
        }
      }
      if (failures.length > 0) throw inOneError(failures);
    }
  }

  /**
   * Waits until every primary that can be reached has been, and one at least.
   *
   * @throws when none can: {@linkcode inOneError}
   */
  async #whenReached(): Promise<void> {
    // Those behind the ones that are connected to at once are given as much time again.
    const atOnce = this.settings.maxConnecting;
    for (let left = this.#members.size - atOnce;; left -= atOnce) {
      const outcomes = await Promise.allSettled(
        Array.from(this.#members.values(), (member) => member.settle([])),
      );
      const failures = outcomes.flatMap((outcome) =>
        outcome.status === "rejected" ? [outcome.reason as Error] : []
      );
      if (failures.length === 0 || failures.length < outcomes.length) return;
      if (left <= 0 || this.dispatcher.ended !== null) throw inOneError(failures);
    }
  }

  /** Reports the status, once for all nodes that change at the same time. */
  #reportStatus(): void {
    // The status of a large cluster takes long to put together.
    if (!this.settings.reports.hears("status")) return;
    this.#statusTimer ??= setTimeout(() => {
      this.#statusTimer = null;
      this.settings.onStatus(this.status());
    }, 0);
  }
}

/**
 * What some nodes failed with, as one error: its message has what each of them said, its cause their
 * errors. It is of the first one's kind; one that kept silent says least.
 *
 * @param errors one a node, at least one
 */
export function inOneError(errors: readonly Error[]): Error {
  const silent = errors.filter((error) => error instanceof TimeoutError);
  const each = [...errors.filter((error) => !(error instanceof TimeoutError)), ...silent];
  const [first] = each as [Error];
  const message = quoteEach(each, "nodes");
  if (message === first.message) return first;
  if (!(first instanceof CodedError)) return first;
  const error = new Error(message, { cause: new AggregateError(each, "Several nodes failed") });
  // Its class, code and fields.
  return Object.assign(Object.setPrototypeOf(error, Object.getPrototypeOf(first)), first);
}
