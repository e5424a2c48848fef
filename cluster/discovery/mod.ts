/**
 * The topology of a cluster: which node owns which hash slot, and which slot a key belongs to.
 *
 * {@linkcode discoverTopology} fetches it from a node through any client. {@linkcode parseShards} and
 * {@linkcode parseSlots} read replies. {@linkcode mostFrequentView} picks the
 * topology that most nodes agree on. This entry opens no connection.
 *
 * @example
 * ```ts
 * import { hashSlot, parseShards } from "@keywatch/keywatch/discovery";
 *
 * const node = ["id", "07c3…", "port", 7000, "endpoint", "127.0.0.1", "role", "master"];
 * const reply = [["slots", [0, 16383], "nodes", [node]]];
 * const topology = parseShards(reply, { hostname: "127.0.0.1", port: 7000 });
 * console.log(topology.ownerOf(hashSlot("user:1"))?.id); // "07c3…"
 * ```
 *
 * @module
 */

export * from "./discover_topology.ts";
export { countSlots, formatSlots, hashSlot, includesSlot, type SlotRange, SLOTS } from "./slot.ts";
export {
  type ClusterNode,
  dialAddress,
  type NodeAddress,
  type Shard,
  Topology,
} from "./topology.ts";
export {
  parseShards,
  parseSlots,
  TopologyError,
  type TopologyErrorCode,
} from "./topology_reply.ts";
