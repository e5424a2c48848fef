import { type Address, formatAddress } from "../pubsub/mod.ts";
import { excerpt } from "../pubsub/printable.ts";
import { isName } from "../pubsub/secrets.ts";
import { type Reply, ServerError } from "../resp/mod.ts";
import { countOf, fieldsOf, listOf, textOf } from "./reply_fields.ts";
import { SLOTS } from "./slot.ts";
import type { SlotRange } from "./slot_range.ts";
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

/** What `CLUSTER SLOTS` says of one primary and its replicas, gathered from all its ranges. */
interface SlotsShard {
  readonly nodes: Map<string, ClusterNode>;
  readonly slots: SlotRange[];
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
 *
 * @param reply the answer
 * @param asked the address it came from
 * @returns the topology, as that node sees it
 * @throws {TopologyError} when it is an error, names no node, or is malformed; there is never half a
 * topology
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
export function parseShards(reply: Reply, asked: Address): Topology {
  const fail = failure("CLUSTER SHARDS", asked);
  const items = readList(reply, fail);
  const seen = new Set<string>();
  const shards = items.map((item): Shard => {
    const fields = fieldsOf(item);
    if (fields === null) throw fail("a shard is not made of fields");
    const listed = listOf(fields.get("nodes"));
    if (listed === null) throw fail("a shard has no list of nodes");
    const nodes = listed.map((node) => readNode(node, asked, fail)).filter(({ id }) => {
      const isNew = !seen.has(id);
      seen.add(id);
      return isNew;
    });
    const id = textOf(fields.get("id"));
    const slots = readSlotPairs(fields.get("slots"), fail);
    return { id, primary: choosePrimary(nodes), nodes, slots };
  });
  if (seen.size === 0) throw fail("it names no node");
  return new Topology(shards);
}

/**
 * Reads the answer to `CLUSTER SLOTS`, which servers before Redis 7.0 have too.
 *
 * It names neither shards without slots nor nodes that are down, nor how a node is. The port in it
 * is one for connections like that which asked: with TLS or without.
 *
 * @param reply the answer
 * @param asked the address it came from
 * @param options `tls`: the connection that asked spoke TLS
 * @returns the topology, as that node sees it
 * @throws {TopologyError} when it is an error, names no node, or is malformed
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
  options: { readonly tls?: boolean } = {},
): Topology {
  const fail = failure("CLUSTER SLOTS", asked);
  const items = readList(reply, fail);
  // The slots of a primary may come in several ranges, each with its nodes again.
  const shards = new Map<string, SlotsShard>();
  for (const item of items) {
    const [first, last, ...listed] = listOf(item) ?? [];
    const range = readRange(first, last, fail);
    const nodes = listed.map((node, place) => {
      return readSlotsNode(node, place === 0 ? "primary" : "replica", asked, options, fail);
    });
    const primary = nodes[0];
    if (primary === undefined) throw fail("a range of slots has no node");
    const shard: SlotsShard = shards.get(primary.id) ?? { nodes: new Map(), slots: [] };
    shards.set(primary.id, shard);
    shard.slots.push(range);
    for (const node of nodes) if (!shard.nodes.has(node.id)) shard.nodes.set(node.id, node);
  }
  if (shards.size === 0) throw fail("it names no node");
  return new Topology(
    Array.from(shards.values(), ({ nodes, slots }) => {
      const all = [...nodes.values()];
      return { id: null, primary: choosePrimary(all), nodes: all, slots: inOrder(slots) };
    }),
  );
}

function failure(command: string, asked: Address): Fail {
  return (why, cause) => new TopologyError(command, formatAddress(asked), why, { cause });
}

function readList(reply: Reply, fail: Fail): readonly Reply[] {
  if (reply instanceof ServerError) throw fail(`it is an error, ${excerpt(reply.message)}`, reply);
  const items = listOf(reply);
  if (items === null) throw fail("it is not a list");
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
  if (port === null || port > 65535) throw fail(`a node's port is ${shown(reply)}`);
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
  const ranges: SlotRange[] = [];
  for (let i = 0; i < items.length; i += 2) ranges.push(readRange(items[i], items[i + 1], fail));
  return inOrder(ranges);
}

function readRange(from: Reply | undefined, to: Reply | undefined, fail: Fail): SlotRange {
  const first = countOf(from);
  const last = countOf(to);
  if (first === null || last === null || first > last || last >= SLOTS) {
    throw fail(`${shown(from)} to ${shown(to)} is not a range of slots`);
  }
  return { first, last };
}

function inOrder(ranges: SlotRange[]): SlotRange[] {
  return ranges.sort((a, b) => a.first - b.first);
}

/** A part of an answer, fit for a message. */
function shown(reply: Reply | undefined): string {
  if (reply === undefined) return "missing";
  const text = textOf(reply);
  if (text !== null) return `"${excerpt(text, 40)}"`;
  return typeof reply === "object" && reply !== null ? "an aggregate" : String(reply);
}
