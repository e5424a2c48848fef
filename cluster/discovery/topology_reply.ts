import { countOf, fieldsOf, listOf, textOf } from "./reply_fields.ts";
import { type SlotRange, SLOTS, union } from "./slot.ts";
import {
  type ClusterNode,
  healthRank,
  type NodeAddress,
  type Shard,
  Topology,
} from "./topology.ts";

/**
 * Why the topology is not known:
 *
 * - `TOPOLOGY_DENIED`: the user may not run the command;
 * - `TOPOLOGY_UNAVAILABLE`: the command failed in another way, as on a server without cluster mode or
 *   over a lost connection. `cause` is the client's error;
 * - `TOPOLOGY_MALFORMED`: the reply cannot be understood, or names no node;
 * - `TOPOLOGY_TOO_LARGE`: the reply names more nodes than `maxNodes`.
 *
 * @example
 * ```ts
 * import { TopologyError, type TopologyErrorCode } from "@keywatch/keywatch/discovery";
 *
 * const PERMANENT: readonly TopologyErrorCode[] = ["TOPOLOGY_DENIED", "TOPOLOGY_TOO_LARGE"];
 * const isPermanent = (error: TopologyError): boolean => PERMANENT.includes(error.code);
 * ```
 */
export type TopologyErrorCode =
  | "TOPOLOGY_DENIED"
  | "TOPOLOGY_UNAVAILABLE"
  | "TOPOLOGY_MALFORMED"
  | "TOPOLOGY_TOO_LARGE";

/** How to fix it. */
const HINTS: Readonly<Record<TopologyErrorCode, string>> = {
  TOPOLOGY_DENIED:
    "give the user the right to run it (ACL SETUSER … +cluster|shards or +cluster|slots)",
  TOPOLOGY_UNAVAILABLE: "check that this is a node of a cluster",
  TOPOLOGY_MALFORMED: "try another node, and check that this one runs Redis or Valkey",
  TOPOLOGY_TOO_LARGE: "raise it if the cluster is that large",
};

/**
 * The topology of a cluster could not be fetched from a node.
 *
 * @example
 * ```ts
 * import { parseShards, TopologyError } from "@keywatch/keywatch/discovery";
 *
 * try {
 *   parseShards([], { hostname: "127.0.0.1", port: 7000 });
 * } catch (error) {
 *   if (error instanceof TopologyError) console.log(error.code, error.server, error.command);
 *   // "TOPOLOGY_MALFORMED" "127.0.0.1:7000" "CLUSTER SHARDS"
 * }
 * ```
 */
export class TopologyError extends Error {
  /** Always `"TopologyError"`. */
  override readonly name = "TopologyError";
  /** The kind of failure. */
  readonly code: TopologyErrorCode;
  /** The node, as `host:port`; `"the node"` if its address is not known. */
  readonly server: string;
  /** The command that was sent. */
  readonly command: string;

  /**
   * Makes the error of a command.
   *
   * @param command the command
   * @param server the node, as `host:port`
   * @param why why it failed
   * @param options `code`: the kind of failure, `TOPOLOGY_MALFORMED` by default; `cause`: the error
   * behind this one
   */
  constructor(
    command: string,
    server: string,
    why: string,
    options: { readonly code?: TopologyErrorCode; readonly cause?: unknown } = {},
  ) {
    const { code = "TOPOLOGY_MALFORMED", ...rest } = options;
    super(`Cannot fetch the topology from ${server} by ${command}: ${why}; ${HINTS[code]}`, rest);
    this.code = code;
    this.server = server;
    this.command = command;
  }
}

/** Default of `maxNodes`. The cluster specification names 1,000 nodes as what a cluster aims at. */
export const DEFAULT_MAX_NODES = 1_000;

const MAX_PORT = 65_535;

/** Matches a host or an id: nothing that is invisible, and nothing that separates words. */
const NAME = /^[^\p{C}\p{Z}\p{DI}]{1,255}$/u;

/** The address that a reply came from; null if it is not known. */
type Origin = NodeAddress | { readonly path: string } | null;

/** The fields that both replies have about a node. */
interface NodeFields {
  readonly id: unknown;
  /** Absent if the reply has no such field, which is not the same as null. */
  readonly endpoint: unknown;
  readonly ip: string | null;
  readonly hostname: unknown;
}

/**
 * Reads the reply to `CLUSTER SHARDS` (Redis 7.0 and later, Valkey) as any client gives it, in RESP2
 * or RESP3.
 *
 * Unknown fields are ignored; `port`, `tls-port`, `hostname` and `endpoint` may be missing. An
 * endpoint that is null or empty means the address that the reply came from; so does `?`, a host name that was
 * not announced, if the node's IP address is not given either. A primary that several shards name has
 * the slots of all of them.
 *
 * @param reply the reply
 * @param origin the address it came from; null if it is not known
 * @param options `maxNodes`: how many nodes are accepted; default 1,000
 * @returns the topology, as that node sees it
 * @throws {TopologyError} if the reply is an error, names no node or too many, or is malformed
 *
 * @example
 * ```ts
 * import { parseShards } from "@keywatch/keywatch/discovery";
 *
 * const node = ["id", "07c3…", "port", 7000, "endpoint", "127.0.0.1", "role", "master"];
 * const reply = [["slots", [0, 16383], "nodes", [node]]];
 * const topology = parseShards(reply, { hostname: "127.0.0.1", port: 7000 });
 * console.log(topology.primaries.map(({ host, port }) => `${host}:${port}`)); // ["127.0.0.1:7000"]
 * ```
 */
export function parseShards(
  reply: unknown,
  origin: NodeAddress | { readonly path: string } | null,
  options: { readonly maxNodes?: number } = {},
): Topology {
  const reader = new ReplyReader("CLUSTER SHARDS", origin, options.maxNodes);
  return reader.topology(
    reader.list(reply).map((item): Shard => {
      const fields = reader.fields(item, "a shard");
      const listed = listOf(fields.get("nodes"));
      if (listed === null) throw reader.error("a shard has no list of nodes");
      const nodes = listed.map((entry) => {
        const node = reader.fields(entry, "a node");
        return reader.node({
          id: node.get("id"),
          endpoint: node.get("endpoint"),
          ip: reader.name(node.get("ip")),
          hostname: node.get("hostname"),
        }, {
          port: reader.port(node.get("port")),
          tlsPort: reader.port(node.get("tls-port")),
          role: reader.role(node.get("role")),
          health: healthOf(textOf(node.get("health"))),
          replicationOffset: countOf(node.get("replication-offset")),
        });
      });
      const slots = reader.slots(fields.get("slots"));
      return { id: textOf(fields.get("id")), primary: choosePrimary(nodes), nodes, slots };
    }),
  );
}

/**
 * Reads the reply to `CLUSTER SLOTS`, which servers before Redis 7.0 know too, as any client gives it.
 *
 * It names neither shards without slots nor nodes that are down, and has no health. Its ports are for
 * connections like the one it came by: with TLS or without.
 *
 * @param reply the reply
 * @param origin the address it came from; null if it is not known
 * @param options `tls`: the reply came by a connection with TLS; `maxNodes`: how many nodes are accepted,
 * default 1,000
 * @returns the topology, as that node sees it
 * @throws {TopologyError} if the reply is an error, names no node or too many, or is malformed
 *
 * @example
 * ```ts
 * import { parseSlots } from "@keywatch/keywatch/discovery";
 *
 * const reply = [[0, 16383, ["127.0.0.1", 7000, "07c3…"]]];
 * const topology = parseSlots(reply, { hostname: "127.0.0.1", port: 7000 });
 * console.log(topology.ownerOf(0)?.id); // "07c3…"
 * ```
 */
export function parseSlots(
  reply: unknown,
  origin: NodeAddress | { readonly path: string } | null,
  options: { readonly tls?: boolean; readonly maxNodes?: number } = {},
): Topology {
  const reader = new ReplyReader("CLUSTER SLOTS", origin, options.maxNodes);
  return reader.topology(
    reader.list(reply).map((item): Shard => {
      const [first, last, ...listed] = listOf(item) ?? [];
      const slots = [reader.range(first, last)];
      const nodes = listed.map((entry, place) => {
        const [endpoint, portReply, id, metadata] = listOf(entry) ?? [];
        const fields = fieldsOf(metadata);
        const hostname = reader.name(fields?.get("hostname"));
        const named = reader.name(endpoint);
        const isAddress = named !== null && named !== "?" && named !== hostname;
        const ip = reader.name(fields?.get("ip")) ?? (isAddress ? named : null);
        const port = reader.port(portReply);
        return reader.node({ id, endpoint: endpoint ?? null, ip, hostname }, {
          port: options.tls ? null : port,
          tlsPort: options.tls ? port : null,
          role: place === 0 ? "primary" : "replica",
          health: "unknown",
          replicationOffset: null,
        });
      });
      const [primary] = nodes;
      if (primary === undefined) throw reader.error("a range of slots has no node");
      return { id: null, primary, nodes, slots };
    }),
  );
}

/** Reads the parts of one reply. Every method throws a {@linkcode TopologyError} if it cannot. */
class ReplyReader {
  readonly #command: string;
  readonly #origin: Origin;
  readonly #maxNodes: number;
  readonly #ids = new Set<string>();

  constructor(command: string, origin: Origin, maxNodes: number = DEFAULT_MAX_NODES) {
    this.#command = command;
    this.#origin = origin;
    this.#maxNodes = maxNodes;
  }

  error(why: string, code: TopologyErrorCode = "TOPOLOGY_MALFORMED", cause?: Error): TopologyError {
    const server = this.#origin === null ? "the node" : formatOrigin(this.#origin);
    return new TopologyError(this.#command, server, why, cause ? { code, cause } : { code });
  }

  /** The entries of the whole reply. */
  list(reply: unknown): readonly unknown[] {
    if (reply instanceof Error) {
      const isDenied = /\bno(?:perm|auth)\b/i.test(reply.message);
      const code = isDenied ? "TOPOLOGY_DENIED" : "TOPOLOGY_UNAVAILABLE";
      throw this.error(excerpt(reply.message, 200), code, reply);
    }
    const items = listOf(reply);
    if (items === null) throw this.error("the reply is not a list");
    if (items.length > SLOTS) throw this.error("it has more entries than there are slots");
    return items;
  }

  fields(reply: unknown, what: string): ReadonlyMap<string, unknown> {
    const fields = fieldsOf(reply);
    if (fields === null) throw this.error(`${what} is not made of fields`);
    return fields;
  }

  node(
    { id: idReply, endpoint, ip, hostname: hostnameReply }: NodeFields,
    rest: Omit<ClusterNode, "id" | "host" | "ip" | "hostname">,
  ): ClusterNode {
    const id = this.name(idReply);
    if (id === null) throw this.error("a node has no id");
    if (this.#ids.add(id).size > this.#maxNodes) {
      const why =
        `it names more than ${this.#maxNodes} nodes, which the option maxNodes does not allow`;
      throw this.error(why, "TOPOLOGY_TOO_LARGE");
    }
    const hostname = this.name(hostnameReply);
    return { id, host: this.#host(endpoint, ip, hostname), ip, hostname, ...rest };
  }

  #host(endpoint: unknown, ip: string | null, hostname: string | null): string | null {
    if (endpoint === undefined) return ip ?? hostname;
    const named = this.name(endpoint);
    if (named !== null && named !== "?") return named;
    // Nodes that prefer host names and have none say `?`. The address that the reply came from would be
    // the same one for all of them, so their own is better.
    if (named === "?" && ip !== null) return ip;
    const origin = this.#origin;
    return origin !== null && "hostname" in origin ? origin.hostname : ip ?? hostname;
  }

  /** A host or an id. They appear in messages as they are. */
  name(reply: unknown): string | null {
    const name = textOf(reply) || null;
    if (name === null || NAME.test(name)) return name;
    throw this.error(`${shown(reply)} is neither a host nor the id of a node`);
  }

  /** A port of 0 is none: the node uses TLS only, or has not been heard of yet. */
  port(reply: unknown): number | null {
    if (reply === undefined || reply === null) return null;
    const port = countOf(reply);
    if (port === null || port > MAX_PORT) throw this.error(`a node's port is ${shown(reply)}`);
    return port === 0 ? null : port;
  }

  role(reply: unknown): ClusterNode["role"] {
    const role = textOf(reply);
    if (role === "master" || role === "primary") return "primary";
    if (role === "replica" || role === "slave") return "replica";
    throw this.error(`a node's role is ${shown(reply)}`);
  }

  /** `[start, end, start, end …]`; a shard without slots may lack them. */
  slots(reply: unknown): SlotRange[] {
    const items = reply === undefined || reply === null ? [] : listOf(reply);
    if (items === null || items.length % 2 !== 0) throw this.error("a shard's slots are not pairs");
    if (items.length > 2 * SLOTS) throw this.error("a shard has more ranges than there are slots");
    return Array.from(
      { length: items.length / 2 },
      (_, i) => this.range(items[2 * i], items[2 * i + 1]),
    );
  }

  range(from: unknown, to: unknown): SlotRange {
    const first = countOf(from);
    const last = countOf(to);
    if (first !== null && last !== null && first <= last && last < SLOTS) return { first, last };
    throw this.error(`${shown(from)} to ${shown(to)} is not a range of slots`);
  }

  /**
   * Merges shards that name the same primary, and puts each node in one shard: its own if it is the
   * primary of one, otherwise the first that names it.
   */
  topology(listed: readonly Shard[]): Topology {
    const merged = new Map<unknown, Shard & { nodes: ClusterNode[]; slots: SlotRange[] }>();
    for (const shard of listed) {
      const key = shard.primary?.id ?? shard;
      const known = merged.get(key);
      if (known === undefined) {
        merged.set(key, { ...shard, nodes: [...shard.nodes], slots: [...shard.slots] });
        continue;
      }
      for (const node of shard.nodes) known.nodes.push(node);
      for (const range of shard.slots) known.slots.push(range);
    }
    const placed = new Set<string>();
    const shards = Array.from(merged.values(), ({ id, primary, nodes, slots }): Shard => {
      const own = nodes.filter((node) => {
        if (placed.has(node.id) || node !== primary && merged.has(node.id)) return false;
        placed.add(node.id);
        return true;
      });
      return { id, primary, nodes: own, slots: union(slots) };
    }).filter(({ nodes }) => nodes.length > 0);
    if (shards.length === 0) throw this.error("it names no node");
    return new Topology(shards);
  }
}

/** The healthiest primary; of equally healthy ones, the one that has replicated furthest. */
function choosePrimary(nodes: readonly ClusterNode[]): ClusterNode | null {
  const offset = (node: ClusterNode) => node.replicationOffset ?? -1;
  const [best = null] = nodes
    .filter(({ role }) => role === "primary")
    .sort((a, b) => healthRank(b) - healthRank(a) || offset(b) - offset(a));
  return best;
}

function healthOf(text: string | null): ClusterNode["health"] {
  if (text === "online" || text === "loading") return text;
  return text === "failed" || text === "fail" || text === "fail?" ? "failed" : "unknown";
}

function formatOrigin(origin: NonNullable<Origin>): string {
  if ("path" in origin) return origin.path;
  const { hostname, port } = origin;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** The beginning of a text, in visible ASCII. Shares no memory with the text. */
function excerpt(text: string, most: number): string {
  const start = text.slice(0, most).replace(/[^ -~]/g, "?");
  return Array.from(start).join("") + (text.length > most ? "…" : "");
}

/** Part of a reply, for a message. */
function shown(reply: unknown): string {
  if (reply === undefined) return "missing";
  const text = textOf(reply);
  if (text !== null) return `"${excerpt(text, 40)}"`;
  if (typeof reply === "object" && reply !== null) return "an aggregate";
  // Writing out a bigint takes more than linear time.
  return typeof reply === "bigint" ? "a big number" : excerpt(String(reply), 40);
}
