import type { ClusterNode, Shard, SlotRange } from "../../cluster/mod.ts";

/** A healthy primary at a host named like it, but for what the fields say. */
export function node(id: string, fields: Partial<ClusterNode> = {}): ClusterNode {
  return {
    id,
    host: id,
    port: 1,
    tlsPort: null,
    ip: null,
    hostname: null,
    role: "primary",
    health: "online",
    replicationOffset: 0,
    ...fields,
  };
}

/** The shard of a primary: its slots as `[[first, last], …]`, and who else is in it. */
export function shard(
  primary: ClusterNode,
  slots: readonly (readonly [first: number, last: number])[],
  ...others: ClusterNode[]
): Shard {
  const ranges = slots.map(([first, last]): SlotRange => ({ first, last }));
  return { id: null, primary, nodes: [primary, ...others], slots: ranges };
}
