/**
 * Clusters: which hash slot a key belongs to, which node owns it, and whose event is one that comes
 * while slots move.
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

export * from "./slot.ts";
export * from "./slot_range.ts";
export * from "./topology.ts";
export * from "./topology_change.ts";
export * from "./topology_error.ts";
export * from "./topology_reply.ts";
