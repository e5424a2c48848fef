/**
 * The topology of a cluster: which node owns which hash slot, and which slot a key belongs to.
 *
 * {@linkcode discoverTopology} fetches it from a node through any client, and
 * {@linkcode mostFrequentView} picks the one that most nodes agree on. This entry opens no connection.
 *
 * @example
 * ```ts no-run
 * import { discoverTopology, hashSlot } from "@keywatch/keywatch/discovery";
 *
 * declare const client: { sendCommand(words: string[]): Promise<unknown> }; // node-redis
 *
 * const topology = await discoverTopology((...words) => client.sendCommand(words));
 * console.log(topology.ownerOf(hashSlot("user:1"))?.host);
 * ```
 *
 * @module
 */

export {
  discoverTopology,
  type DiscoverTopologyOptions,
  type SendCommand,
  TopologyError,
  type TopologyErrorCode,
} from "./discover_topology.ts";
export { countSlots, formatSlots, hashSlot, includesSlot, type SlotRange, SLOTS } from "./slot.ts";
export {
  type ClusterNode,
  dialAddress,
  mostFrequentView,
  type NodeAddress,
  type Shard,
  Topology,
} from "./topology.ts";
