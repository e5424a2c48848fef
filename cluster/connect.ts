import { ClusterNodeError } from "../pubsub/cluster_node_error.ts";
import { type ConnectOptions, KeyspaceNotifications, type SentinelTarget } from "../pubsub/mod.ts";
import { ONLY_ANNOUNCED } from "../pubsub/options.ts";
import { isSentinelTarget } from "../pubsub/sentinel_target.ts";
import { ClusterKeyspaceNotifications } from "./notifications.ts";
import { type ClusterOptions, resolveClusterOptions } from "./options.ts";

/**
 * Connects to a server or a cluster: it looks at what is there, and gives back the class that fits.
 *
 * @param target a server's URL, `redis://[[user]:password@]host[:port][/database]`, or `rediss://…`
 * over TLS, or `redis+unix://…`, or the same with `valkey` in place of `redis`; or several URLs, of some nodes of a cluster, of which any may be
 * dead; or sentinels, and the name by which they know a primary
 * @param options how to connect, and what to do with what comes
 * @returns the notifications; nothing is subscribed yet
 * @throws {TypeError} when a URL or an option is malformed
 * @throws {ConnectError} when there is no server there, or none that understands
 * @throws {AuthError} when it refuses the user or password, or wants some
 * @throws {TimeoutError} when it does not answer in time
 * @throws {SentinelError} when no sentinel can be asked, or none knows the name
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
 * @example A primary that sentinels watch over
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
export async function connect(
  target: string | URL | readonly (string | URL)[] | SentinelTarget,
  options: ClusterOptions = {},
): Promise<KeyspaceNotifications | ClusterKeyspaceNotifications> {
  // Here too, so that what is wrong shows before there is a cluster.
  resolveClusterOptions(options);
  if (isSentinelTarget(target)) return await KeyspaceNotifications.connect(target, options);
  const targets = Array.isArray(target) ? target as readonly (string | URL)[] : [target as string];
  if (targets.length === 1) {
    try {
      // It may be a node of a cluster, for which the others are.
      const own = options.singleNode ? options : withoutClusterOptions(options);
      return await KeyspaceNotifications.connect(targets[0]!, own);
    } catch (error) {
      if (!(error instanceof ClusterNodeError)) throw error;
    }
  }
  return await ClusterKeyspaceNotifications.connect(targets, options);
}

/** The options without those that only matter where a cluster is found. */
function withoutClusterOptions(options: ClusterOptions): ConnectOptions {
  const rest: Record<string, unknown> = { ...options };
  for (const name of ONLY_ANNOUNCED) delete rest[name];
  return rest;
}
