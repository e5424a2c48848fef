/**
 * Clusters: which hash slot a key belongs to.
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
