import { ConnectError } from "../pubsub/connection/errors.ts";
import { KeyspaceNotifications, type SentinelTarget } from "../pubsub/mod.ts";
import { ONLY_ANNOUNCED } from "../pubsub/options.ts";
import { isSentinelTarget } from "../pubsub/sentinel_target.ts";
import { ClusterKeyspaceNotifications } from "./notifications.ts";
import { type ClusterOptions, resolveClusterOptions } from "./options.ts";

/**
 * Connects to a server or a cluster, whichever it finds, and returns the class for it.
 *
 * @param target a server's URL, `redis://[[user]:password@]host[:port][/database]`, or `rediss://…`
 * over TLS, or `redis+unix://…`, or the same with `valkey` in place of `redis`; or several URLs, of the
 * seed nodes of a cluster, of which any may be down; or sentinels, and the name that they monitor a
 * primary by
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
export async function connect(
  target: string | URL | readonly (string | URL)[] | SentinelTarget,
  options: ClusterOptions = {},
): Promise<KeyspaceNotifications | ClusterKeyspaceNotifications> {
  // Here too, so that an invalid option is reported before a cluster is found.
  resolveClusterOptions(options);
  if (isSentinelTarget(target)) return await KeyspaceNotifications.connect(target, options);
  const targets = Array.isArray(target) ? target as readonly (string | URL)[] : [target as string];
  if (targets.length === 1) {
    try {
      const own = Object.entries(options).filter(([name]) =>
        // The other options are for the case that it is a node of a cluster.
        options.singleNode || !ONLY_ANNOUNCED.includes(name)
      );
      return await KeyspaceNotifications.connect(targets[0]!, Object.fromEntries(own));
    } catch (error) {
      if (!(error instanceof ConnectError && error.code === "CLUSTER_NODE")) throw error;
    }
  }
  return await ClusterKeyspaceNotifications.connect(targets, options);
}
