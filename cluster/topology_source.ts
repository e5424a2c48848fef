import { backoff, STEADY_MS } from "../pubsub/retries.ts";
import type { Connection } from "../pubsub/connection/connection.ts";
import { AuthError, ConnectError } from "../pubsub/connection/errors.ts";
import { openConnection } from "../pubsub/connection/handshake.ts";
import { raceStaggered } from "../pubsub/connect_turns.ts";
import { type Address, formatAddress, type TcpAddress } from "../pubsub/mod.ts";
import type { Settings } from "../pubsub/options.ts";
import { quoteEach } from "../pubsub/connection/printable.ts";
import type { Server } from "../pubsub/server.ts";
import { ServerError } from "../resp/mod.ts";
import { discoverTopology, TopologyError } from "./discovery/discover_topology.ts";
import { mostFrequentView, type Topology } from "./discovery/topology.ts";

/** How many nodes a refresh sends the command to at once. */
const SAMPLE = 5;

/**
 * How long to wait for a reply before more nodes are sent the command, and for the other replies
 * after the first, in ms.
 */
const STAGGER_MS = 500;

/** How many entries of nodes the replies of one refresh may have before refreshes become rarer. */
const CHEAP_ENTRIES = 1_000;

/** A node that is connected. */
export interface KnownNode {
  readonly id: string;
  readonly server: Server;
  readonly address: TcpAddress;
}

/** Where to fetch the topology. */
export interface TopologySourceOptions {
  /** Addresses to begin with, and to fall back on when no connected node replies. */
  readonly seedNodes: readonly Address[];
  /** The options, resolved. */
  readonly settings: Settings;
  /** Whether the connections use TLS. */
  readonly tls: boolean;
  /** How many nodes a reply may name. */
  readonly maxNodes: number | undefined;
  /** The nodes that are connected. */
  readonly nodes: () => readonly KnownNode[];
  /** Aborts every request. */
  readonly signal: AbortSignal;
}

/** A topology, and when it was requested, in ms since the epoch. */
export interface FetchedTopology {
  readonly topology: Topology;
  readonly requestedAt: number;
}

/**
 * The time from one refresh to the next, in ms. The larger the cluster, the rarer are refreshes: their
 * replies have as many entries in a time as those of one node in a cluster of 1,000.
 *
 * @param interval the time in a small cluster, in ms
 * @param nodes how many nodes the cluster has
 */
export function refreshDelay(interval: number, nodes: number): number {
  return interval * Math.max(1, nodes * SAMPLE / CHEAP_ENTRIES);
}

/** Fetches the topology from one node. */
type Fetch = (signal: AbortSignal) => Promise<Topology>;

/** Fetches the topology from the nodes of a cluster. */
export class TopologySource {
  readonly #options: TopologySourceOptions;
  /** The id of the node after which the next sample begins. */
  #lastSampled: string | null = null;

  constructor(options: TopologySourceOptions) {
    this.#options = options;
  }

  /**
   * Requests the topology of up to five connected nodes, and returns the view that most of them agree
   * on, because one node may be cut off from the others. While none of them replies, the next five are
   * tried as well, then the seed nodes one after the other. Each time another node is the first.
   *
   * @param known the topology so far; once slots had owners, a reply that names none is not used: its
   * node was reset, or has forgotten the others
   * @throws {AuthError} when the user may not run the commands
   * @throws {ConnectError} when no node replies
   */
  async fetch(known: Topology | null): Promise<FetchedTopology> {
    const { seedNodes, signal } = this.#options;
    const seeds = seedNodes.map((seed): Fetch[] => [(race) => this.#fetchFromSeed(seed, race)]);
    const attempts = [...this.#samples(), ...seeds].map((group) => (race: AbortSignal) =>
      mostAgreed(group, known, race)
    );
    try {
      return await raceStaggered(attempts, STAGGER_MS, signal);
    } catch (error) {
      if (!(error instanceof AggregateError)) throw error;
      const failures = error.errors.flatMap((one) =>
        one instanceof AggregateError ? one.errors as Error[] : one as Error
      );
      if (failures.length === 1) throw failures[0]!;
      const refused = failures.find((failure) => failure instanceof AuthError);
      const what = `Cannot fetch the topology of the cluster: ${quoteEach(failures, "nodes")}`;
      if (refused instanceof AuthError) throw new AuthError(refused.code, what, { cause: refused });
      throw new ConnectError("TOPOLOGY_UNAVAILABLE", what, { cause: failures[0] });
    }
  }

  /** The connected nodes, in groups of those that are sent the command at once. */
  #samples(): Fetch[][] {
    const nodes = this.#options.nodes();
    const start = nodes.findIndex(({ id }) => id === this.#lastSampled) + 1;
    const order = [...nodes.slice(start), ...nodes.slice(0, start)];
    // Also where all are in one group another one is the first: of equally frequent views its own counts.
    this.#lastSampled = order[order.length > SAMPLE ? SAMPLE - 1 : 0]?.id ?? null;
    // Not again if the connection breaks: other nodes may reply sooner than it is back.
    const fetches = order.map(({ server, address }): Fetch => () =>
      server.withConnection((connection) => fetchTopology(connection, address, this.#options))
    );
    return Array.from(
      { length: Math.ceil(order.length / SAMPLE) },
      (_, n) => fetches.slice(n * SAMPLE, (n + 1) * SAMPLE),
    );
  }

  async #fetchFromSeed(address: Address, signal: AbortSignal): Promise<Topology> {
    const { settings } = this.#options;
    const { connection, info: { mode } } = await openConnection({ ...settings, address, signal });
    try {
      if (mode !== null && mode !== "cluster") {
        const server = formatAddress(address);
        throw new ConnectError(
          "WRONG_MODE",
          `Cannot watch ${server} as a cluster: it is a ${mode} server; give connect its URL alone`,
          { server },
        );
      }
      return await fetchTopology(connection, address, this.#options);
    } finally {
      connection.close();
    }
  }
}

/**
 * Waits until all nodes have replied, more than half of them agree, or the first reply has waited for
 * long enough.
 *
 * @param known as for {@linkcode TopologySource.fetch}
 * @throws {AggregateError} with what each failed with, when all did
 */
function mostAgreed(
  group: readonly Fetch[],
  known: Topology | null,
  signal: AbortSignal,
): Promise<FetchedTopology> {
  const requestedAt = Date.now();
  return new Promise((resolve, reject) => {
    // Sparse: a view stands at the place of its node.
    const views: Topology[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const decide = () => {
      clearTimeout(timer);
      resolve({ topology: mostFrequentView(Object.values(views)), requestedAt });
    };
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
    const replies = group.map(async (fetch, place) => {
      const view = await fetch(signal);
      if (view.covered.length === 0 && known !== null && known.covered.length > 0) {
        throw new ConnectError(
          "TOPOLOGY_UNAVAILABLE",
          "Cannot use a topology in which no slot has an owner",
        );
      }
      views[place] = view;
      timer ??= setTimeout(decide, STAGGER_MS);
      const agreeing = views.filter(({ fingerprint }) => fingerprint === view.fingerprint);
      if (2 * agreeing.length > group.length) decide();
    });
    Promise.allSettled(replies).then((outcomes) => {
      const failures = outcomes.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
      if (failures.length < group.length) decide();
      else reject(new AggregateError(failures));
    });
  });
}

/** What a refresher does, and when. */
export interface RefresherOptions {
  /** Refreshes once, and resolves with whether that is enough for now. It must end by itself. */
  readonly refresh: () => Promise<boolean>;
  /** The time from one refresh to the next, in ms, give or take a tenth. */
  readonly interval: () => number;
  /** Called when a refresh fails; another follows. */
  readonly onFailure: (error: Error) => void;
}

/**
 * Refreshes on a timer, on request, on hints, and with backoff after a refresh that failed or was not
 * enough. One refresh is under way at a time.
 */
export class Refresher {
  readonly #options: RefresherOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer is due, by the clock of {@linkcode performance}. */
  #due = Infinity;
  #running: Promise<boolean> | null = null;
  #next: Promise<void> | null = null;
  #stopped = false;
  /** How soon another refresh has to follow the one under way, in ms. */
  #haste = Infinity;
  /** How many refreshes in a row failed or were not enough. */
  #lacking = 0;
  /** When the last hint came, and how many refreshes there were since hints were rare. */
  #hint = { at: -Infinity, runs: 0 };

  constructor(options: RefresherOptions) {
    this.#options = options;
    this.#hasten(this.#interval());
  }

  /**
   * Refreshes now. The replies to a refresh under way may be older than the reason for this one, so
   * another follows it, one for all calls meanwhile.
   *
   * @throws what the refresh failed with
   */
  request(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    if (this.#running === null) return this.#run();
    this.#next ??= this.#running.catch(() => {}).then(() => {
      this.#next = null;
      return this.#stopped ? undefined : this.#run();
    });
    return this.#next;
  }

  /** Refreshes at once if hints are rare, and with backoff if each refresh is followed by one. */
  hint(): void {
    const at = performance.now();
    const runs = at - this.#hint.at < STEADY_MS ? this.#hint.runs : 0;
    this.#hint = { at, runs };
    this.#hasten(backoff(runs));
  }

  /** Ends the timer. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Refreshes within so many ms, or so many ms after a refresh under way. */
  #hasten(ms: number): void {
    if (this.#running !== null) {
      this.#haste = Math.min(this.#haste, ms);
      return;
    }
    const due = performance.now() + ms;
    // Thousands of hints may come at once, and a timer costs more than a hint.
    if (this.#stopped || due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    // `onFailure` reports a failure.
    this.#timer = setTimeout(() => this.request().catch(() => {}), ms);
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#due = Infinity;
    this.#hint.runs++;
    this.#running = this.#options.refresh();
    let isEnough = false;
    try {
      isEnough = await this.#running;
    } catch (error) {
      if (!this.#stopped) this.#options.onFailure(error as Error);
      throw error;
    } finally {
      this.#running = null;
      this.#lacking = isEnough ? 0 : this.#lacking + 1;
      const again = isEnough ? Infinity : backoff(this.#lacking);
      const soon = Math.min(this.#haste, again);
      this.#haste = Infinity;
      this.#hasten(Math.min(this.#interval(), soon));
    }
  }

  /** Varies, so that clients that began at the same time do not refresh at the same time. */
  #interval(): number {
    return this.#options.interval() * (0.9 + 0.2 * Math.random());
  }
}

/**
 * Fetches the topology from a node.
 *
 * @param address the address of the node
 * @throws {AuthError} when the user may not run the commands
 * @throws {TopologyError} when the reply cannot be used
 * @throws {ConnectError} when the server refuses for another reason
 * @throws the reason for which the connection is over
 */
async function fetchTopology(
  connection: Connection,
  address: Address,
  { tls, maxNodes }: TopologySourceOptions,
): Promise<Topology> {
  const { secrets, server } = connection;
  const sendCommand = (...words: [string, ...string[]]) => connection.request(...words);
  let topology: Topology;
  try {
    topology = await discoverTopology(sendCommand, {
      address,
      tls,
      ...(maxNodes === undefined ? {} : { maxNodes }),
    });
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    const { code, command, message, cause } = error;
    if (code === "TOPOLOGY_DENIED") {
      throw new AuthError("PERMISSION_DENIED", message, { server, cause });
    }
    if (cause instanceof ServerError) {
      throw new ConnectError("TOPOLOGY_UNAVAILABLE", message, { server, cause });
    }
    if (cause instanceof Error) throw cause;
    if (!secrets.repeats(message)) throw error;
    throw new TopologyError(command, error.server, "it may repeat the password", { code });
  }
  // Names are looked up by DNS and appear in messages and in the status as they are.
  const own = "hostname" in address ? address.hostname : null;
  for (const { id, host, hostname, ip } of topology.nodes.values()) {
    for (const name of [id, host, hostname, ip]) {
      if (name === null || name === own || secrets.allowsName(name)) continue;
      throw new ConnectError(
        "TOPOLOGY_UNAVAILABLE",
        `Cannot use the topology of ${server}: the name of a node in it repeats the password`,
        { server },
      );
    }
  }
  return topology;
}
