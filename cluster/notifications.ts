import type { Dispatcher } from "../pubsub/dispatcher.ts";
import { AbstractKeyspaceNotifications } from "../pubsub/base.ts";
import type { Status } from "../pubsub/mod.ts";
import type { Topology } from "./discovery/topology.ts";
import { checkForCluster, type ClusterOptions, readSeedNodes } from "./options.ts";
import type { WatchedCluster } from "./watched_cluster.ts";

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
  protected readonly dispatcher: Dispatcher;
  readonly #cluster: WatchedCluster;

  private constructor(cluster: WatchedCluster) {
    super(cluster.settings.database);
    this.dispatcher = cluster.dispatcher;
    this.#cluster = cluster;
  }

  /**
   * Connects to a cluster.
   *
   * @param targets the URLs of some of its nodes; any of them may be dead, or a replica
   * @param options how to connect
   * @returns the cluster's notifications, nothing subscribed yet
   * @throws {TypeError} when a URL or an option is malformed, or the URLs contradict each other
   * @throws {ConnectError} when none of the seed nodes answers, or they are no nodes of a cluster
   * @throws {AuthError} when the user is refused, or may not read the topology
   */
  static async connect(
    targets: readonly (string | URL)[],
    options: ClusterOptions = {},
  ): Promise<ClusterKeyspaceNotifications> {
    const seedNodes = readSeedNodes(targets);
    checkForCluster(options);
    const { WatchedCluster } = await import("./watched_cluster.ts");
    const cluster = new WatchedCluster(seedNodes, options);
    try {
      options.signal?.throwIfAborted();
      await cluster.start();
      options.signal?.throwIfAborted();
      return new ClusterKeyspaceNotifications(cluster);
    } catch (error) {
      cluster.close();
      if (options.signal?.aborted) throw options.signal.reason;
      throw error;
    }
  }

  /** Which node owns which slot, as of the last refresh. */
  get topology(): Topology {
    return this.#cluster.topology;
  }

  /**
   * Refreshes the topology now, and connects to new primaries.
   *
   * @throws {ConnectError} when no node answers
   * @throws {ClosedError} when the notifications are closed, also meanwhile
   */
  async refreshSubscriptions(): Promise<void> {
    await this.#cluster.refreshSubscriptions();
  }

  /** The state of the subscriptions, nodes and slots. */
  status(): Status {
    return this.#cluster.status();
  }

  /** Ends all connections, every loop, every wait and every handler. Safe to call twice. */
  close(): Promise<void> {
    this.#cluster.close();
    return Promise.resolve();
  }
}
