/**
 * Clusters: the notifications of all primaries as one stream, which hash slot a key belongs to, and
 * which node owns it.
 *
 * {@linkcode connect} takes the URLs of some nodes, or of one, and returns
 * {@linkcode ClusterKeyspaceNotifications}, which watches the whole cluster; {@linkcode ClusterOptions}
 * are its options. {@linkcode discoverTopology} fetches the {@linkcode Topology} through any client.
 *
 * @example
 * ```ts no-run
 * import { connect, hashSlot } from "@keywatch/keywatch/cluster";
 *
 * await using notifications = await connect(["redis://node-1:6379", "redis://node-2:6379"]);
 * await notifications.subscribeKeyspace("user:*");
 * console.log(`user:1 is in slot ${hashSlot("user:1")}`);
 * for await (const item of notifications.listen({ gaps: true })) {
 *   if (item.kind === "gap") console.log(`events of ${item.node} may be missing`, item.slots);
 *   else console.log(item.node, item.slot, item.eventType, item.key);
 * }
 * ```
 *
 * @module
 */

export * from "./discovery/mod.ts";
export { ClusterKeyspaceNotifications, connect } from "./notifications.ts";
export type { ClusterOptions, MigrationPolicy } from "./options.ts";
