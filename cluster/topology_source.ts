import { NO_EVENTS } from "../pubsub/connection.ts";
import { AuthError, ClosedError, ConnectError } from "../pubsub/errors.ts";
import { openConnection } from "../pubsub/handshake.ts";
import { inTurn } from "../pubsub/in_turn.ts";
import { type Address, formatAddress, type TcpAddress } from "../pubsub/mod.ts";
import type { Settings } from "../pubsub/options.ts";
import { quoteEach } from "../pubsub/printable.ts";
import type { Subscriber } from "../pubsub/subscriber.ts";
import { askTopology } from "./ask.ts";
import type { Topology } from "./discovery/topology.ts";

/** How long a node may keep silent before the next one is asked as well, in ms. */
const PATIENCE = 500;

/** A node that is connected, and can be asked. */
export interface KnownNode {
  readonly id: string;
  readonly subscriber: Subscriber;
  readonly address: TcpAddress;
}

/** Whom to ask for the topology. */
export interface TopologySourceOptions {
  /** Where to begin, and begin again when no node that is known answers. */
  readonly seeds: readonly Address[];
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

/** Asks the nodes of a cluster who owns what. */
export class TopologySource {
  readonly #options: TopologySourceOptions;
  #lastAsked: string | null = null;

  constructor(options: TopologySourceOptions) {
    this.#options = options;
  }

  /**
   * Asks the connected nodes in turn, each time another one first, and the next one too while one is
   * silent; when none answers, the seeds in the same way.
   *
   * @param known what was known so far; an answer that names no owner of any slot is none where owners
   * were known: it is that of a node which was reset, or has forgotten the others
   * @throws {AuthError} when the user may not ask
   * @throws {ConnectError} when no node answers
   */
  async ask(known: Topology | null): Promise<Topology> {
    const { seeds, signal } = this.#options;
    const nodes = this.#options.nodes();
    const start = nodes.findIndex(({ id }) => id === this.#lastAsked) + 1;
    const order = [...nodes.slice(start), ...nodes.slice(0, start)];
    const failures: Error[] = [];
    for (
      const questions of [
        order.map((node) => () => this.#askNode(node)),
        seeds.map((seed) => (race: AbortSignal) => this.#askSeed(seed, race)),
      ]
    ) {
      if (questions.length === 0) continue;
      const checked = questions.map((question) => async (race: AbortSignal) => {
        const topology = await question(race);
        if (known === null || known.covered.length === 0 || topology.covered.length > 0) {
          return topology;
        }
        throw new ConnectError("Cannot use an answer that names no owner of any slot");
      });
      try {
        return await inTurn(checked, PATIENCE, signal);
      } catch (error) {
        if (!(error instanceof AggregateError)) throw error;
        failures.push(...error.errors);
      }
    }
    if (failures.length === 1) throw failures[0]!;
    const refused = failures.find((failure) => failure instanceof AuthError);
    const what = `Cannot learn the topology of the cluster: ${quoteEach(failures, "nodes")}`;
    if (refused !== undefined) throw new AuthError(what, { cause: refused });
    throw new ConnectError(what, { cause: failures[0] });
  }

  #askNode({ id, subscriber, address }: KnownNode): Promise<Topology> {
    this.#lastAsked = id;
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
