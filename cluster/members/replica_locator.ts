import type { Connection } from "../../pubsub/connection.ts";
import { ConnectError } from "../../pubsub/errors.ts";
import type { ServerInfo } from "../../pubsub/handshake.ts";
import type { Locator } from "../../pubsub/locator.ts";
import type { TcpAddress } from "../../pubsub/mod.ts";
import type { ReplicaLink } from "./replica_link.ts";
import type { ClusterNode, NodeHealth } from "../discovery/topology.ts";

/** A replica that can be dialled. */
export interface Candidate {
  readonly node: ClusterNode;
  readonly address: TcpAddress;
}

/** Which to try first. What others say of a replica's health is late: it is asked itself. */
const ORDER: readonly NodeHealth[] = ["online", "unknown", "loading", "failed"];

/** Chooses a replica of a shard, and after a failure another one until all were tried. */
export class ReplicaLocator implements Locator {
  readonly name: string;
  /** The id of the replica that was chosen last. */
  chosen: string | null = null;
  readonly #candidates: () => readonly Candidate[];
  readonly #link: ReplicaLink;
  #tried = new Set<string>();

  /**
   * @param name how the shard is called until a replica is chosen
   * @param candidates its replicas
   * @param link looks at the one that was chosen
   */
  constructor(name: string, candidates: () => readonly Candidate[], link: ReplicaLink) {
    this.name = name;
    this.#candidates = candidates;
    this.#link = link;
  }

  locate(): Promise<TcpAddress> {
    const candidates = this.#candidates();
    if (candidates.length === 0) {
      return Promise.reject(
        new ConnectError(
          `Cannot watch a replica of ${this.name}: it has none; add one, or watch the primaries ` +
            "(without the option replicas)",
        ),
      );
    }
    if (candidates.every(({ node }) => this.#tried.has(node.id))) this.#tried.clear();
    const rank = ({ node }: Candidate) => ORDER.indexOf(node.health);
    const { node, address } = candidates
      .filter(({ node }) => !this.#tried.has(node.id))
      // Any of those alike, so that not all who watch burden the same one.
      .sort(() => Math.random() - 0.5)
      .reduce((best, one) => rank(one) < rank(best) ? one : best);
    this.chosen = node.id;
    this.#tried.add(node.id);
    return Promise.resolve(address);
  }

  async inspect({ role }: ServerInfo, connection: Connection): Promise<void> {
    if (role === "master") {
      throw new ConnectError(`Cannot watch ${connection.server} as a replica: it is a primary now`);
    }
    if (!await this.#link.begin(connection)) {
      throw new ConnectError(
        `Cannot watch ${connection.server} as a replica: it does not follow its primary`,
      );
    }
    // When it is lost the others come first.
    this.#tried = new Set([this.chosen!]);
  }

  isPassing(): boolean {
    return true;
  }

  takeMove(): number {
    return Infinity;
  }
}
