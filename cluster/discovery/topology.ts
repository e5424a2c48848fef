import { addSlot, formatSlots, type SlotRange, slotRanges, SLOTS } from "./slot.ts";

/**
 * The address of a node.
 *
 * @example
 * ```ts
 * import { dialAddress, type NodeAddress, type Topology } from "@keywatch/keywatch/discovery";
 *
 * const addresses = ({ primaries }: Topology): NodeAddress[] =>
 *   primaries.flatMap((node) => dialAddress(node) ?? []);
 * ```
 */
export interface NodeAddress {
  /** Host name or IP address; an IPv6 address without brackets. */
  readonly hostname: string;
  /** Port, 1 to 65535. */
  readonly port: number;
}

/**
 * A node of a cluster. Its id stays the same; everything else may differ in the next reply.
 *
 * @example
 * ```ts
 * import type { ClusterNode } from "@keywatch/keywatch/discovery";
 *
 * function describe({ id, host, port, role, health }: ClusterNode): string {
 *   return `${id.slice(0, 8)} at ${host}:${port}: ${role}, ${health}`;
 * }
 * ```
 */
export interface ClusterNode {
  /** Forty hexadecimal digits that stay with the node for life. */
  readonly id: string;
  /** The host to connect to; null if the reply names none. See {@linkcode dialAddress}. */
  readonly host: string | null;
  /** The port without TLS; null if it has none. */
  readonly port: number | null;
  /** The port with TLS; null if it has none. */
  readonly tlsPort: number | null;
  /** Its IP address, as the nodes know it; null if the reply does not say. */
  readonly ip: string | null;
  /** The host name it announces; null if it announces none. */
  readonly hostname: string | null;
  /** Its role in its shard; servers say `master` and `replica`, older ones `slave`. */
  readonly role: "primary" | "replica";
  /**
   * Its health, as the node that replied sees it: `failed` also while the other nodes have not agreed
   * yet (`fail?`), `loading` while a replica loads its data set, `unknown` if the reply does not say.
   */
  readonly health: "online" | "loading" | "failed" | "unknown";
  /** Its offset in the replication stream, in bytes; null if the reply does not say. */
  readonly replicationOffset: number | null;
}

/**
 * A primary, its replicas, and the slots that they serve.
 *
 * @example
 * ```ts
 * import { formatSlots, type Shard } from "@keywatch/keywatch/discovery";
 *
 * function describe({ primary, nodes, slots }: Shard): string {
 *   return `${primary?.host ?? "nobody"} of ${nodes.length} nodes holds ${formatSlots(slots)}`;
 * }
 * ```
 */
export interface Shard {
  /** The shard's own id, which Valkey and later Redis send; null if the reply has none. */
  readonly id: string | null;
  /**
   * The primary; null if the reply names none. After a failover Redis 8 and Valkey name the old one
   * beside the new one: the healthier counts, then the one further in the replication stream.
   */
  readonly primary: ClusterNode | null;
  /** All nodes, including those that are down and earlier primaries. */
  readonly nodes: readonly ClusterNode[];
  /** Its slots, in ascending order; empty in a shard that has just joined. */
  readonly slots: readonly SlotRange[];
}

const NOBODY = -1;

/**
 * Which node owns which slot, as one node sees it. Immutable.
 *
 * {@linkcode discoverTopology} reads one from a server's reply.
 *
 * @example
 * ```ts
 * import { formatSlots, hashSlot, type Topology } from "@keywatch/keywatch/discovery";
 *
 * const describe = (topology: Topology): string =>
 *   `${topology.ownerOf(hashSlot("user:1"))?.id}; nobody owns ${formatSlots(topology.uncovered)}`;
 * ```
 */
export class Topology {
  /** The shards, in the order of their slots; those without slots are last. */
  readonly shards: readonly Shard[];
  /** All nodes, by id. */
  readonly nodes: ReadonlyMap<string, ClusterNode>;
  /**
   * The primary of each shard, also of those without slots. A failed one without slots is left out:
   * either it was replaced, and Redis 7.0 lists it as a shard of its own, or it was not, and Redis 8
   * no longer counts its slots.
   */
  readonly primaries: readonly ClusterNode[];
  /**
   * The ids of nodes that the reply names as primaries of one shard, equally healthy, so that it is
   * not known which of them is the primary. Right after a failover, nodes reply so that have not heard
   * of it from both, and may name no slots of the shard (seen with Redis 8.0).
   */
  readonly contenders: ReadonlySet<string>;
  /** Equal for two topologies exactly if they name the same primaries and owners. */
  readonly fingerprint: string;
  /** The index in `primaries` of each slot's owner. */
  readonly #owners: Int32Array = new Int32Array(SLOTS).fill(NOBODY);
  readonly #shardOf = new Map<string, Shard>();
  /** The slots of each primary, by its id. */
  readonly #slotsOf: ReadonlyMap<string, SlotRange[]>;

  /**
   * Combines shards. A node is in one shard only. If two shards claim a slot, it belongs to the one
   * whose primary is healthier, then to the first.
   *
   * @param shards the shards
   */
  constructor(shards: readonly Shard[]) {
    this.shards = shards.toSorted((a, b) => firstSlot(a) - firstSlot(b));
    const nodes = new Map<string, ClusterNode>();
    const primaries: ClusterNode[] = [];
    const contenders = new Set<string>();
    const claims: { rank: number; index: number; slots: readonly SlotRange[] }[] = [];
    for (const shard of this.shards) {
      const { primary, slots } = shard;
      for (const node of shard.nodes) {
        nodes.set(node.id, node);
        this.#shardOf.set(node.id, shard);
      }
      if (primary === null || primary.health === "failed" && slots.length === 0) continue;
      const equals = shard.nodes.filter(({ role, health }) =>
        role === "primary" && health === primary.health
      );
      if (equals.length > 1) { for (const { id } of equals) contenders.add(id); }
      claims.push({ rank: healthRank(primary), index: primaries.push(primary) - 1, slots });
    }
    // The last to claim a slot gets it.
    claims.sort((a, b) => a.rank - b.rank || b.index - a.index);
    for (const { index, slots } of claims) {
      for (const { first, last } of slots) this.#owners.fill(index, first, last + 1);
    }
    const ranges: SlotRange[][] = primaries.map(() => []);
    for (let slot = 0; slot < SLOTS; slot++) {
      const index = this.#owners[slot]!;
      if (index !== NOBODY) addSlot(ranges[index]!, slot);
    }
    this.#slotsOf = new Map(primaries.map(({ id }, index) => [id, ranges[index]!]));
    this.nodes = nodes;
    this.primaries = primaries;
    this.contenders = contenders;
    this.fingerprint = primaries.map(({ id }) => `${id} ${formatSlots(this.slotsOf(id))}`)
      .sort().join("\n");
  }

  /**
   * The primary that owns a slot.
   *
   * @param slot the slot, 0 to 16,383
   * @returns the node; null if no node owns the slot
   */
  ownerOf(slot: number): ClusterNode | null {
    return this.primaries[this.#owners[slot]!] ?? null;
  }

  /**
   * The slots a node owns.
   *
   * @param id the node's id
   * @returns its slots; none unless it is the primary of its shard
   */
  slotsOf(id: string): SlotRange[] {
    return [...this.#slotsOf.get(id) ?? []];
  }

  /**
   * The shard of a node.
   *
   * @param id the node's id
   * @returns the shard; null if the node is not known
   */
  shardOf(id: string): Shard | null {
    return this.#shardOf.get(id) ?? null;
  }

  /**
   * The replicas of a primary, whatever their health.
   *
   * @param id the primary's id
   * @returns its replicas; none if it is not the primary of its shard
   */
  replicasOf(id: string): ClusterNode[] {
    const shard = this.shardOf(id);
    if (shard?.primary?.id !== id) return [];
    return shard.nodes.filter(({ role }) => role === "replica");
  }

  /** The slots that a node owns. */
  get covered(): SlotRange[] {
    return slotRanges((slot) => this.#owners[slot] !== NOBODY);
  }

  /** The slots that no node owns. */
  get uncovered(): SlotRange[] {
    return slotRanges((slot) => this.#owners[slot] === NOBODY);
  }
}

function firstSlot({ slots }: Shard): number {
  return slots[0]?.first ?? SLOTS;
}

const BY_HEALTH: readonly ClusterNode["health"][] = ["failed", "loading", "unknown", "online"];

/** How healthy a node is; more is healthier. */
export function healthRank({ health }: ClusterNode): number {
  return BY_HEALTH.indexOf(health);
}

/**
 * Returns the address to connect to a node at.
 *
 * @param node the node
 * @param options `tls`: the connection uses TLS, so the port for TLS is preferred
 * @returns the address; null if the reply named no host, or no port that fits
 *
 * @example
 * ```ts
 * import { dialAddress, type Topology } from "@keywatch/keywatch/discovery";
 *
 * const where = (topology: Topology) =>
 *   topology.primaries.map((node) => dialAddress(node, { tls: true }));
 * ```
 */
export function dialAddress(
  node: Pick<ClusterNode, "host" | "port" | "tlsPort">,
  options: { readonly tls?: boolean } = {},
): NodeAddress | null {
  // CLUSTER SLOTS names one port only: the one for connections like that of the request.
  const port = options.tls ? node.tlsPort ?? node.port : node.port;
  return node.host === null || port === null ? null : { hostname: node.host, port };
}

/**
 * Picks the view that most nodes agree on: the same primaries, with the same slots. Of several that
 * are equally frequent, the one in which the fewest primaries have failed counts, then the first.
 *
 * @param views what each node replied; at least one
 * @returns one of them
 * @throws {TypeError} if there is no view
 *
 * @example
 * ```ts
 * import { mostFrequentView, type Topology } from "@keywatch/keywatch/discovery";
 *
 * async function agreed(asked: Promise<Topology>[]): Promise<Topology> {
 *   const answers = await Promise.allSettled(asked);
 *   return mostFrequentView(answers.flatMap((one) => one.status === "fulfilled" ? one.value : []));
 * }
 * ```
 */
export function mostFrequentView(views: readonly Topology[]): Topology {
  const votes = new Map<string, number>();
  for (const { fingerprint } of views) votes.set(fingerprint, (votes.get(fingerprint) ?? 0) + 1);
  const votesFor = ({ fingerprint }: Topology) => votes.get(fingerprint)!;
  const failed = ({ primaries }: Topology) =>
    primaries.filter(({ health }) => health === "failed").length;
  const [best] = views.toSorted((a, b) => votesFor(b) - votesFor(a) || failed(a) - failed(b));
  if (best === undefined) throw new TypeError("Cannot pick a view: there is none");
  return best;
}
