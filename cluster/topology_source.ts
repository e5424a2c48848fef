import { type Connection, NO_EVENTS } from "../pubsub/connection.ts";
import { AuthError, ClosedError, ConnectError } from "../pubsub/errors.ts";
import { openConnection } from "../pubsub/handshake.ts";
import { inTurn } from "../pubsub/in_turn.ts";
import { type Address, formatAddress, type TcpAddress } from "../pubsub/mod.ts";
import type { Settings } from "../pubsub/options.ts";
import { quoteEach } from "../pubsub/printable.ts";
import type { Subscriber } from "../pubsub/subscriber.ts";
import { ServerError } from "../resp/mod.ts";
import { discoverTopology, mostFrequentView } from "./discovery/discover_topology.ts";
import type { Topology } from "./discovery/topology.ts";
import { TopologyError } from "./discovery/topology_reply.ts";

/** How many nodes are asked at once. */
const SAMPLE = 5;

/**
 * How long to wait for an answer before more nodes are asked, and for the other answers after the
 * first, in ms.
 */
const STAGGER_MS = 500;

/** How many entries of nodes the replies of one refresh may have before refreshes become rarer. */
const CHEAP_ENTRIES = 1_000;

/** A node that is connected, and can be asked. */
export interface KnownNode {
  readonly id: string;
  readonly subscriber: Subscriber;
  readonly address: TcpAddress;
}

/** Whom to ask for the topology. */
export interface TopologySourceOptions {
  /** Where to begin, and begin again when no node that is known answers. */
  readonly seedNodes: readonly Address[];
  /** What the options say. */
  readonly settings: Settings;
  /** Whether TLS is spoken. */
  readonly tls: boolean;
  /** How many nodes an answer may name. */
  readonly maxNodes: number;
  /** The nodes that are connected. */
  readonly nodes: () => readonly KnownNode[];
  /** Ends every question. */
  readonly signal: AbortSignal;
}

/** A topology, and when it was asked for, in ms since the epoch. */
export interface LearnedTopology {
  readonly topology: Topology;
  readonly askedAt: number;
}

/**
 * How long to wait before the next refresh, so that a large cluster sends no more in a time than one
 * of 1,000 nodes of which one is asked.
 *
 * @param interval how long to wait in a small cluster, in ms
 * @param nodes how many nodes the cluster has
 */
export function refreshDelay(interval: number, nodes: number): number {
  return interval * Math.max(1, nodes * SAMPLE / CHEAP_ENTRIES);
}

/** Asks the nodes of a cluster who owns what. */
export class TopologySource {
  readonly #options: TopologySourceOptions;
  /** The id of the node after which the next sample begins. */
  #lastAsked: string | null = null;

  constructor(options: TopologySourceOptions) {
    this.#options = options;
  }

  /**
   * Asks up to five connected nodes, and takes the view that most of them agree on. While none of them
   * answers, the next five are asked as well. If no connected node answers, the seed nodes are asked, the
   * next one while the one before is silent. Each time another node is the first.
   *
   * @param known what was known so far; an answer that names no owner of any slot is none where owners
   * were known: it is that of a node which was reset, or has forgotten the others
   * @throws {AuthError} when the user may not ask
   * @throws {ConnectError} when no node answers
   */
  async ask(known: Topology | null): Promise<LearnedTopology> {
    const { seedNodes, signal } = this.#options;
    const check = (topology: Topology): Topology => {
      if (known === null || known.covered.length === 0 || topology.covered.length > 0) {
        return topology;
      }
      throw new ConnectError("Cannot use an answer that names no owner of any slot");
    };
    const failures: Error[] = [];
    for (
      const questions of [
        this.#samples().map((nodes) => (race: AbortSignal) => this.#askNodes(nodes, check, race)),
        seedNodes.map((seed) => async (race: AbortSignal) => {
          const askedAt = Date.now();
          return { topology: check(await this.#askSeed(seed, race)), askedAt };
        }),
      ]
    ) {
      if (questions.length === 0) continue;
      try {
        return await inTurn(questions, STAGGER_MS, signal);
      } catch (error) {
        if (!(error instanceof AggregateError)) throw error;
        failures.push(
          ...error.errors.flatMap((one) => one instanceof AggregateError ? one.errors : one),
        );
      }
    }
    if (failures.length === 1) throw failures[0]!;
    const refused = failures.find((failure) => failure instanceof AuthError);
    const what = `Cannot learn the topology of the cluster: ${quoteEach(failures, "nodes")}`;
    if (refused !== undefined) throw new AuthError(what, { cause: refused });
    throw new ConnectError(what, { cause: failures[0] });
  }

  /** The connected nodes, as many at a time as are asked at once. */
  #samples(): KnownNode[][] {
    const nodes = this.#options.nodes();
    const start = nodes.findIndex(({ id }) => id === this.#lastAsked) + 1;
    const order = [...nodes.slice(start), ...nodes.slice(0, start)];
    // Where all are asked, too, another one is the first: of views that are equally frequent it counts.
    this.#lastAsked = order[order.length > SAMPLE ? SAMPLE - 1 : 0]?.id ?? null;
    return Array.from(
      { length: Math.ceil(order.length / SAMPLE) },
      (_, n) => order.slice(n * SAMPLE, (n + 1) * SAMPLE),
    );
  }

  /**
   * Asks nodes until all have answered, more than half of them agree, or the first answer has waited
   * for long enough.
   *
   * @throws {AggregateError} with what each failed with, when all did
   */
  #askNodes(
    nodes: readonly KnownNode[],
    check: (topology: Topology) => Topology,
    signal: AbortSignal,
  ): Promise<LearnedTopology> {
    const askedAt = Date.now();
    return new Promise((resolve, reject) => {
      // Sparse: a view stands at the place of its node.
      const views: Topology[] = [];
      const failures: unknown[] = [];
      let pending = nodes.length;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const decide = () => {
        clearTimeout(timer);
        resolve({ topology: mostFrequentView(Object.values(views)), askedAt });
      };
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(signal.reason);
      });
      for (const [place, node] of nodes.entries()) {
        this.#askNode(node).then(check).then((view) => {
          views[place] = view;
          timer ??= setTimeout(decide, STAGGER_MS);
          const agreeing = views.filter(({ fingerprint }) => fingerprint === view.fingerprint);
          if (--pending === 0 || 2 * agreeing.length > nodes.length) decide();
        }, (error) => {
          failures.push(error);
          if (--pending > 0) return;
          if (failures.length < nodes.length) decide();
          else reject(new AggregateError(failures));
        }).catch(reject);
      }
    });
  }

  #askNode({ subscriber, address }: KnownNode): Promise<Topology> {
    // Not on another connection, should this one break: others may answer sooner than it is back.
    return subscriber.askAtOnce((connection) => askTopology(connection, address, this.#options));
  }

  async #askSeed(address: Address, signal: AbortSignal): Promise<Topology> {
    const { settings } = this.#options;
    const { dial, timeout, limits, secrets } = settings;
    const { connection, info: { mode } } = await openConnection(
      { address, dial, timeout, limits, secrets, signal, events: NO_EVENTS },
      settings,
    );
    try {
      if (mode !== null && mode !== "cluster") {
        throw new ConnectError(
          `Cannot watch ${formatAddress(address)} as a cluster: it is a ${mode} server; give ` +
            "connect its URL alone",
        );
      }
      return await askTopology(connection, address, this.#options);
    } finally {
      connection.close(new ClosedError("The connection served its purpose"));
    }
  }
}

/**
 * Asks a node for the topology.
 *
 * @param connection to the node
 * @param asked where it is
 * @throws {AuthError} when the user may not ask
 * @throws {TopologyError} when the answer cannot be understood, or says nothing
 * @throws {ConnectError} when the server refuses for another reason
 * @throws the reason for which the connection is over
 */
async function askTopology(
  connection: Connection,
  asked: Address,
  { tls, maxNodes }: TopologySourceOptions,
): Promise<Topology> {
  const { secrets, server } = connection;
  const sendCommand = (...words: [string, ...string[]]) => connection.request(...words);
  let topology: Topology;
  try {
    topology = await discoverTopology(sendCommand, { address: asked, tls, maxNodes });
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    const { code, command, message, cause } = error;
    if (code === "TOPOLOGY_DENIED") throw new AuthError(message, { cause });
    if (cause instanceof ServerError) throw new ConnectError(message, { cause });
    if (cause instanceof Error) throw cause;
    if (!secrets.repeats(message)) throw error;
    throw new TopologyError(command, error.server, "it may repeat the password", { code });
  }
  // Names are looked up by DNS and stand in messages and in the status, as they are.
  const own = "hostname" in asked ? asked.hostname : null;
  for (const { id, host, hostname, ip } of topology.nodes.values()) {
    for (const name of [id, host, hostname, ip]) {
      if (name === null || name === own || secrets.allowsName(name)) continue;
      throw new ConnectError(
        `Cannot use the topology of ${server}: the name of a node in it repeats the password`,
      );
    }
  }
  return topology;
}
