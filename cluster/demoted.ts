import type { Topology } from "./topology.ts";

/**
 * The nodes that owned a node's slots before, and are no primaries now.
 *
 * @param id the node's id
 */
export function demotedFor(id: string, before: Topology | null, after: Topology): Set<string> {
  const demoted = new Set<string>();
  if (before === null) return demoted;
  for (const { first, last } of after.slotsOf(id)) {
    for (let slot = first; slot <= last; slot++) {
      const owner = before.ownerOf(slot)?.id;
      if (owner !== undefined && after.nodes.get(owner)?.role !== "primary") demoted.add(owner);
    }
  }
  return demoted;
}
