import { formatAddress, MAX_PORT } from "../../pubsub/address.ts";
import type { Address } from "../../pubsub/mod.ts";
import { excerpt } from "../../pubsub/printable.ts";
import { isName } from "../../pubsub/secrets.ts";
import { type Reply, ServerError } from "../../resp/mod.ts";
import { countOf, fieldsOf, listOf, textOf } from "./reply_fields.ts";
import { SLOTS } from "./slot.ts";
import { areDisjoint, byFirst, type SlotRange, union } from "./slot_range.ts";
import {
  choosePrimary,
  type ClusterNode,
  type NodeHealth,
  type NodeRole,
  type Shard,
  Topology,
} from "./topology.ts";
import { TopologyError } from "./topology_error.ts";

/** Makes the error that says what is wrong. */
type Fail = (why: string, cause?: unknown) => TopologyError;

/**
 * The default of the option `maxNodes`. The cluster specification aims at 1,000 nodes, and names that
 * as the size up to which a cluster performs well.
 */
export const DEFAULT_MAX_NODES = 1_000;

/** A primary and its replicas, collected from every place of an answer that names the primary. */
interface CollectedShard {
  readonly id: string | null;
  readonly primary: ClusterNode | null;
  readonly nodes: Map<string, ClusterNode>;
  /** The slots, a list for each place. */
  readonly slots: (readonly SlotRange[])[];
}

/** What both answers say of a node's whereabouts. */
interface Whereabouts {
  /** Absent where the answer has no such field, which is not the same as null. */
  readonly endpoint: Reply | undefined;
  readonly ip: string | null;
  readonly hostname: string | null;
}

/**
 * Reads the answer to `CLUSTER SHARDS` (Redis 7.0 and later, Valkey), in RESP2 or RESP3.
 *
 * Fields it does not know are ignored, missing ones are survived: `port` or `tls-port`, `hostname`,
 * `endpoint`. An endpoint that is null or empty means the address that was asked; so does `?`, a
 * host name that was not announced, where the node's IP address is not given either.
 * A primary that several shards name has the slots of all of them.
 *
 * @param reply the answer
 * @param asked the address it came from
 * @param options `maxNodes`: how many nodes are accepted; default 1,000
 * @returns the topology, as that node sees it
 * @throws {TopologyError} when it is an error, names no node, names too many, is malformed, or lists a
 * slot twice in one shard; there is never half a topology
 *
 * @example
 * ```ts
 * import { parseShards } from "@keywatch/keywatch/cluster";
 *
 * const node = ["id", "07c3…", "port", 7000, "endpoint", "127.0.0.1", "role", "master"];
 * const reply = [["slots", [0, 16383], "nodes", [node]]];
 * const topology = parseShards(reply, { hostname: "127.0.0.1", port: 7000 });
 * console.log(topology.primaries.map(({ host, port }) => `${host}:${port}`)); // ["127.0.0.1:7000"]
 * ```
 */
export function parseShards(
  reply: Reply,
  asked: Address,
  options: { readonly maxNodes?: number } = {},
): Topology {
  const fail = failure("CLUSTER SHARDS", asked);
  const count = nodeCounter(options, fail);
  const shards = readList(reply, fail).map((item): Shard => {
    const fields = fieldsOf(item);
    if (fields === null) throw fail("a shard is not made of fields");
    const listed = listOf(fields.get("nodes"));
    if (listed === null) throw fail("a shard has no list of nodes");
    const nodes = listed.map((node) => count(readNode(node, asked, fail)));
    const id = textOf(fields.get("id"));
    const slots = readSlotPairs(fields.get("slots"), fail);
    return { id, primary: choosePrimary(nodes), nodes, slots };
  });
  // Each part is disjoint by itself; two that name the same primary may repeat each other.
  return toTopology(shards, (parts) => union(parts.flat()), fail);
}

/**
 * Reads the answer to `CLUSTER SLOTS`, which servers before Redis 7.0 have too.
 *
 * It names neither shards without slots nor nodes that are down, nor how a node is. The port in it
 * is one for connections like that which asked: with TLS or without.
 *
 * @param reply the answer
 * @param asked the address it came from
 * @param options `tls`: the connection that asked spoke TLS; `maxNodes`: how many nodes are accepted,
 * default 1,000
 * @returns the topology, as that node sees it
 * @throws {TopologyError} when it is an error, names no node, names too many, is malformed, or lists a
 * slot of one primary twice
 *
 * @example
 * ```ts
 * import { parseSlots } from "@keywatch/keywatch/cluster";
 *
 * const reply = [[0, 16383, ["127.0.0.1", 7000, "07c3…"]]];
 * const topology = parseSlots(reply, { hostname: "127.0.0.1", port: 7000 });
 * console.log(topology.ownerOf(0)?.id); // "07c3…"
 * ```
 */
export function parseSlots(
  reply: Reply,
  asked: Address,
  options: { readonly tls?: boolean; readonly maxNodes?: number } = {},
): Topology {
  const fail = failure("CLUSTER SLOTS", asked);
  const count = nodeCounter(options, fail);
  const ranges = readList(reply, fail).map((item): Shard => {
    const [first, last, ...listed] = listOf(item) ?? [];
    const slots = [readRange(first, last, fail)];
    const nodes = listed.map((node, place) => {
      const role = place === 0 ? "primary" : "replica";
      return count(readSlotsNode(node, role, asked, options, fail));
    });
    const [primary] = nodes;
    if (primary === undefined) throw fail("a range of slots has no node");
    return { id: null, primary, nodes, slots };
  });
  return toTopology(ranges, (parts) => inOrder(parts.flat(), fail), fail);
}

/** Counts the nodes of an answer, and refuses it when there are too many. */
function nodeCounter(
  { maxNodes = DEFAULT_MAX_NODES }: { readonly maxNodes?: number },
  fail: Fail,
): (node: ClusterNode) => ClusterNode {
  const seen = new Set<string>();
  return (node) => {
    if (seen.add(node.id).size > maxNodes) {
      throw fail(`it names more than ${maxNodes} nodes, which the option maxNodes does not allow`);
    }
    return node;
  };
}

/**
 * Collects what an answer says of each primary, whose slots may stand in several places, and has each
 * node stand in one shard: its own if it is the primary of one, otherwise the first that names it.
 *
 * @param join the slots of a primary, from those of each place that names it
 */
function toTopology(
  listed: readonly Shard[],
  join: (parts: readonly (readonly SlotRange[])[]) => SlotRange[],
  fail: Fail,
): Topology {
  const collected = new Map<unknown, CollectedShard>();
  for (const { id, primary, nodes, slots } of listed) {
    const key = primary?.id ?? collected.size;
    const shard: CollectedShard = collected.get(key) ??
      { id, primary, nodes: new Map(), slots: [] };
    collected.set(key, shard);
    shard.slots.push(slots);
    for (const node of nodes) {
      if (shard.nodes.has(node.id)) continue;
      shard.nodes.set(node.id, node.id === shard.primary?.id ? shard.primary : node);
    }
  }
  const placed = new Set<string>();
  const shards = Array.from(collected.values(), ({ id, primary, nodes, slots }): Shard => {
    const own = Array.from(nodes.values()).filter((node) => {
      if (node === primary) return true;
      const isElsewhere = collected.has(node.id) || placed.has(node.id);
      placed.add(node.id);
      return !isElsewhere;
    });
    return { id, primary, nodes: own, slots: slots.length === 1 ? slots[0]! : join(slots) };
  }).filter(({ nodes }) => nodes.length > 0);
  if (shards.length === 0) throw fail("it names no node");
  return new Topology(shards);
}

function failure(command: string, asked: Address): Fail {
  return (why, cause) => new TopologyError(command, formatAddress(asked), why, { cause });
}

function readList(reply: Reply, fail: Fail): readonly Reply[] {
  if (reply instanceof ServerError) throw fail(`it is an error, ${excerpt(reply.message)}`, reply);
  const items = listOf(reply);
  if (items === null) throw fail("it is not a list");
  if (items.length > SLOTS) throw fail("it has more entries than there are slots");
  return items;
}

function readNode(reply: Reply, asked: Address, fail: Fail): ClusterNode {
  const fields = fieldsOf(reply);
  if (fields === null) throw fail("a node is not made of fields");
  const id = readName(fields.get("id"), fail);
  if (id === null) throw fail("a node has no id");
  const hostname = readName(fields.get("hostname"), fail);
  const ip = readName(fields.get("ip"), fail);
  return {
    id,
    host: readHost({ endpoint: fields.get("endpoint"), ip, hostname }, asked, fail),
    port: readPort(fields.get("port"), fail),
    tlsPort: readPort(fields.get("tls-port"), fail),
    ip,
    hostname,
    role: readRole(fields.get("role"), fail),
    health: readHealth(textOf(fields.get("health"))),
    replicationOffset: countOf(fields.get("replication-offset")),
  };
}

function readSlotsNode(
  reply: Reply,
  role: NodeRole,
  asked: Address,
  { tls = false }: { readonly tls?: boolean },
  fail: Fail,
): ClusterNode {
  const [endpoint, port, idReply, metadata] = listOf(reply) ?? [];
  const id = readName(idReply, fail);
  if (id === null) throw fail("a node has no id, as of a server before Redis 4.0");
  // A list of names and values; earlier servers have none.
  const fields = fieldsOf(metadata);
  const hostname = readName(fields?.get("hostname"), fail);
  const named = readName(endpoint, fail);
  const isAddress = named !== null && named !== "?" && named !== hostname;
  const ip = readName(fields?.get("ip"), fail) ?? (isAddress ? named : null);
  const number = readPort(port, fail);
  return {
    id,
    host: readHost({ endpoint: endpoint ?? null, ip, hostname }, asked, fail),
    port: tls ? null : number,
    tlsPort: tls ? number : null,
    ip,
    hostname,
    role,
    health: "unknown",
    replicationOffset: null,
  };
}

/** A host or an id; they stand in messages as they are. */
function readName(reply: Reply | undefined, fail: Fail): string | null {
  const name = textOf(reply) || null;
  if (name === null || isName(name)) return name;
  throw fail(`"${excerpt(name, 40)}" is neither a host nor the id of a node`);
}

function readHost(
  { endpoint, ip, hostname }: Whereabouts,
  asked: Address,
  fail: Fail,
): string | null {
  if (endpoint === undefined) return ip ?? hostname;
  const named = readName(endpoint, fail);
  if (named !== null && named !== "?") return named;
  // Nodes that are to be named by host name, and have none, say `?`. All of them would be at the
  // address that was asked; their own is better, where it is told.
  if (named === "?" && ip !== null) return ip;
  return "hostname" in asked ? asked.hostname : ip ?? hostname;
}

/** A port of 0 is none: a node that speaks TLS only, or one that has not been heard of yet. */
function readPort(reply: Reply | undefined, fail: Fail): number | null {
  if (reply === undefined || reply === null) return null;
  const port = countOf(reply);
  if (port === null || port > MAX_PORT) throw fail(`a node's port is ${shown(reply)}`);
  return port === 0 ? null : port;
}

function readRole(reply: Reply | undefined, fail: Fail): NodeRole {
  const role = textOf(reply);
  if (role === "master" || role === "primary") return "primary";
  if (role === "replica" || role === "slave") return "replica";
  throw fail(`a node's role is ${shown(reply)}`);
}

function readHealth(text: string | null): NodeHealth {
  if (text === "online" || text === "loading") return text;
  return text === "failed" || text === "fail" || text === "fail?" ? "failed" : "unknown";
}

/** `[start, end, start, end …]`; a shard without slots may lack them. */
function readSlotPairs(reply: Reply | undefined, fail: Fail): SlotRange[] {
  const items = reply === undefined || reply === null ? [] : listOf(reply);
  if (items === null || items.length % 2 !== 0) throw fail("a shard's slots are not pairs");
  if (items.length > 2 * SLOTS) throw fail(REPEATED);
  const ranges: SlotRange[] = [];
  for (let i = 0; i < items.length; i += 2) ranges.push(readRange(items[i], items[i + 1], fail));
  return inOrder(ranges, fail);
}

function readRange(from: Reply | undefined, to: Reply | undefined, fail: Fail): SlotRange {
  const first = countOf(from);
  const last = countOf(to);
  if (first === null || last === null || first > last || last >= SLOTS) {
    throw fail(`${shown(from)} to ${shown(to)} is not a range of slots`);
  }
  return { first, last };
}

const REPEATED = "it lists a slot of a shard twice";

function inOrder(ranges: readonly SlotRange[], fail: Fail): SlotRange[] {
  const sorted = ranges.toSorted(byFirst);
  if (!areDisjoint(sorted)) throw fail(REPEATED);
  return sorted;
}

/** A part of an answer, fit for a message. */
function shown(reply: Reply | undefined): string {
  if (reply === undefined) return "missing";
  const text = textOf(reply);
  if (text !== null) return `"${excerpt(text, 40)}"`;
  return typeof reply === "object" && reply !== null ? "an aggregate" : String(reply);
}
