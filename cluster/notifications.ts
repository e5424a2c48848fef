import type { Dispatcher } from "../pubsub/dispatcher.ts";
import { AbstractKeyspaceNotifications } from "../pubsub/base.ts";
import type { ServerTarget } from "../pubsub/connection/address.ts";
import { checkKnown, checkSignal } from "../pubsub/connection/option_checks.ts";
import { fromCaller } from "../pubsub/connection/caller.ts";
import { abortable } from "../pubsub/connection/timers.ts";
import { ConnectError } from "../pubsub/connection/errors.ts";
import { checkUnused } from "../pubsub/connection/option_checks.ts";
import {
  KeyspaceNotifications,
  type SentinelTarget,
  type Status,
  type WaitOptions,
} from "../pubsub/mod.ts";
import { checkNames, ONLY_ANNOUNCED } from "../pubsub/options.ts";
import { isSentinelTarget } from "../pubsub/sentinel_target.ts";
import type { Topology } from "./discovery/topology.ts";
import { type ClusterOptions, resolveClusterOptions } from "./options.ts";
import type { WatchedCluster } from "./watched_cluster.ts";

/**
 * Watches a whole cluster: a connection to each primary, or for exact keys only to the owners of their
 * slots, and one merged stream.
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
   * Finds a cluster. It is connected to once something is subscribed.
   *
   * @param targets the URLs of some of its nodes; any of them may be dead, or a replica
   * @param options how to connect
   * @returns the cluster's notifications, nothing subscribed yet
   * @throws {TypeError} when a URL or an option is malformed, or the URLs contradict each other
   * @throws {ConnectError} if none of the seed nodes answers, or they are not nodes of a cluster
   * @throws {AuthError} when the user is refused, or may not read the topology
   */
  static connect(
    targets: readonly ServerTarget[],
    options: ClusterOptions = {},
  ): Promise<ClusterKeyspaceNotifications> {
    const { connect } = ClusterKeyspaceNotifications;
    return fromCaller(connect, () => ClusterKeyspaceNotifications.#connect(targets, options));
  }

  static async #connect(
    targets: readonly ServerTarget[],
    options: ClusterOptions,
  ): Promise<ClusterKeyspaceNotifications> {
    await checkNames(options);
    if (options.waitOnFirstConnect) {
      const { keepTrying } = await import("../pubsub/on_demand.ts");
      return await keepTrying(
        options,
        (once) => ClusterKeyspaceNotifications.#connect(targets, once),
      );
    }
    const { WatchedCluster } = await import("./watched_cluster.ts");
    const cluster = new WatchedCluster(targets, options);
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
   * @param options a signal that ends the wait
   * @throws {ConnectError} when no node answers
   * @throws the reason of the option `signal`
   * @throws {ClosedError} when the notifications are closed, also meanwhile
   */
  refreshSubscriptions(options: WaitOptions = {}): Promise<void> {
    return fromCaller(this.refreshSubscriptions, async () => {
      checkKnown(options, ["signal"]);
      checkSignal(options.signal);
      await abortable(this.#cluster.refreshSubscriptions(), options.signal);
    });
  }

  /** The state of the subscriptions, nodes and slots. */
  status(): Status {
    return this.#cluster.status();
  }

  /** @internal */
  protected override end(): void {
    this.#cluster.close();
  }
}

/**
 * Connects to a server or a cluster, whichever it finds, and returns the class for it.
 *
 * @param target a server: its URL, `redis://[[user]:password@]host[:port][/database]`, `rediss://…` over
 * TLS, `unix:///path`, or the same with `valkey` in place of `redis`, or `{ host, port, … }`; or a list of
 * seed nodes of a cluster, of which any may be down; or sentinels, and the name that they monitor a
 * primary by. Default: the server on `localhost`
 * @param options how to connect, and how to deliver notifications
 * @returns the notifications; nothing is subscribed yet
 * @throws {TypeError} if a URL or an option is malformed
 * @throws {ConnectError} if there is no server, or it does not understand
 * @throws {AuthError} if it rejects the user or password, or requires them
 * @throws {TimeoutError} if it does not reply in time
 * @throws {SentinelError} if no sentinel can be reached, or none knows the name
 *
 * @example
 * ```ts no-run
 * import { connect } from "@keywatch/keywatch";
 *
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyevent("expired", {
 *   handler: ({ key }) => console.log(`${key} has expired`),
 * });
 * ```
 *
 * @example A primary that sentinels monitor
 * ```ts no-run
 * import { connect } from "@keywatch/keywatch";
 *
 * await using notifications = await connect({
 *   sentinels: ["redis://10.0.0.1", "redis://10.0.0.2", "redis://10.0.0.3"],
 *   name: "mymaster",
 * }, { password: "the servers' password" });
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export function connect(
  target: ServerTarget | readonly ServerTarget[] | SentinelTarget = {},
  options: ClusterOptions = {},
): Promise<KeyspaceNotifications | ClusterKeyspaceNotifications> {
  return fromCaller(connect, () => connectToWhatIsThere(target, options));
}

async function connectToWhatIsThere(
  target: ServerTarget | readonly ServerTarget[] | SentinelTarget,
  options: ClusterOptions,
): Promise<KeyspaceNotifications | ClusterKeyspaceNotifications> {
  // Here too, so that an invalid option is reported before a cluster is found.
  resolveClusterOptions(options);
  if (isSentinelTarget(target)) return await KeyspaceNotifications.connect(target, options);
  const targets: readonly ServerTarget[] = Array.isArray(target) ? target : [target];
  if (targets.length === 1) {
    try {
      const own = Object.entries(options).filter(([name]) =>
        // The other options are for the case that it is a node of a cluster.
        options.singleNode || !ONLY_ANNOUNCED.includes(name)
      );
      const found = await KeyspaceNotifications.connect(targets[0]!, Object.fromEntries(own));
      if (options.standby) {
        await found.close();
        checkUnused(options, ["standby"], "a single server", "nobody names its replicas");
      }
      return found;
    } catch (error) {
      if (!(error instanceof ConnectError && error.code === "CLUSTER_NODE")) throw error;
    }
  }
  return await ClusterKeyspaceNotifications.connect(targets, options);
}
