/**
 * Clusters: their notifications as one stream, which hash slot a key belongs to, and which node owns
 * it.
 *
 * @example
 * ```ts
 * import { hashSlot } from "@keywatch/keywatch/cluster";
 *
 * console.log(hashSlot("user:1"));
 * ```
 *
 * @module
 */

export * from "./connect.ts";
export * from "./notifications.ts";
export type { ClusterOptions, MigrationPolicy } from "./options.ts";
export type { ClusterEvent, NodeStream } from "./node_stream.ts";
export * from "./node_view.ts";
export * from "./ownership.ts";
export type {
  KeysQuestion,
  MovesQuestion,
  NodeQuestion,
  PingQuestion,
  Question,
  TopologyQuestion,
  ViewQuestion,
} from "./question.ts";
export * from "./server_info.ts";
export { hashSlot, SLOTS } from "./slot.ts";
export * from "./slot_range.ts";
export * from "./topology.ts";
export * from "./topology_change.ts";
export * from "./topology_error.ts";
export * from "./topology_reply.ts";
