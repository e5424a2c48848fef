import { SLOTS } from "./slot.ts";
import { addSlot, type SlotRange } from "./slot_range.ts";
import { type ClusterNode, dialAddress, type NodeRole, type Topology } from "./topology.ts";

/**
 * A primary, and the slots that came to it and went from it.
 *
 * @example
 * ```ts
 * import { formatSlots, type PrimaryChange } from "@keywatch/keywatch/cluster";
 *
 * function describe({ node, gained, lost }: PrimaryChange): string {
 *   return `${node.id} gained ${formatSlots(gained)} and lost ${formatSlots(lost)}`;
 * }
 * ```
 */
export interface PrimaryChange {
  /** The node: as it is after the change, or, when it is no primary any more, as it was before. */
  readonly node: ClusterNode;
  /** Slots it owns now and did not before. */
  readonly gained: readonly SlotRange[];
  /** Slots it owned before and does not now. */
  readonly lost: readonly SlotRange[];
}

/**
 * What lies between two views of a cluster.
 *
 * @example
 * ```ts
 * import type { TopologyChange } from "@keywatch/keywatch/cluster";
 *
 * function report({ isEmpty, roles }: TopologyChange): void {
 *   if (isEmpty) console.log("nothing changed");
 *   for (const { node, before } of roles) console.log(`${node.id}: ${before}, now ${node.role}`);
 * }
 * ```
 */
export interface TopologyChange {
  /** Primaries now that were none before: nodes that joined, and replicas that took over. */
  readonly added: readonly PrimaryChange[];
  /** Primaries before that are none now: nodes that left, and those that were demoted. */
  readonly removed: readonly PrimaryChange[];
  /** Primaries before and now whose slots are not the same. */
  readonly moved: readonly PrimaryChange[];
  /** Nodes that are in both views and are something else now; each as it is now. */
  readonly roles: readonly { readonly node: ClusterNode; readonly before: NodeRole }[];
  /** Nodes that are in both views and are dialled elsewhere now; each as it is now. */
  readonly addresses: readonly { readonly node: ClusterNode; readonly before: ClusterNode }[];
  /** Whether none of this changed. Health, offsets and the order of nodes do not count. */
  readonly isEmpty: boolean;
}

/**
 * What changed from one view of a cluster to the next. Nodes are compared by id.
 *
 * @param before the earlier view, or null when there is none
 * @param after the later view
 * @returns the change
 *
 * @example
 * ```ts
 * import { difference, formatSlots, type Topology } from "@keywatch/keywatch/cluster";
 *
 * function report(before: Topology, after: Topology): void {
 *   for (const { node, gained } of difference(before, after).added) {
 *     console.log(`${node.host}:${node.port} is a primary now, with slots ${formatSlots(gained)}`);
 *   }
 * }
 * ```
 */
export function difference(before: Topology | null, after: Topology): TopologyChange {
  const gained = new Map<string, SlotRange[]>();
  const lost = new Map<string, SlotRange[]>();
  for (let slot = 0; slot < SLOTS; slot++) {
    const from = before?.ownerOf(slot)?.id;
    const to = after.ownerOf(slot)?.id;
    if (from === to) continue;
    if (from !== undefined) note(lost, from, slot);
    if (to !== undefined) note(gained, to, slot);
  }
  const changeOf = (node: ClusterNode): PrimaryChange => ({
    node,
    gained: gained.get(node.id) ?? [],
    lost: lost.get(node.id) ?? [],
  });
  const earlier = new Set(before?.primaries.map(({ id }) => id));
  const later = new Set(after.primaries.map(({ id }) => id));
  const stayed = [...after.nodes.values()].flatMap((node) => {
    const known = before?.nodes.get(node.id);
    return known === undefined ? [] : [{ node, before: known }];
  });
  const change = {
    added: after.primaries.filter(({ id }) => !earlier.has(id)).map(changeOf),
    removed: (before?.primaries ?? []).filter(({ id }) => !later.has(id)).map(changeOf),
    moved: after.primaries
      .filter(({ id }) => earlier.has(id) && (gained.has(id) || lost.has(id)))
      .map(changeOf),
    roles: stayed
      .filter(({ node, before }) => node.role !== before.role)
      .map(({ node, before }) => ({ node, before: before.role })),
    addresses: stayed.filter(({ node, before }) => !sameAddress(node, before)),
  };
  return { ...change, isEmpty: Object.values(change).every(({ length }) => length === 0) };
}

function note(slots: Map<string, SlotRange[]>, id: string, slot: number): void {
  const ranges = slots.get(id) ?? [];
  slots.set(id, ranges);
  addSlot(ranges, slot);
}

function sameAddress(a: ClusterNode, b: ClusterNode): boolean {
  return [false, true].every((tls) => {
    const one = dialAddress(a, { tls });
    const other = dialAddress(b, { tls });
    return one?.hostname === other?.hostname && one?.port === other?.port;
  });
}
