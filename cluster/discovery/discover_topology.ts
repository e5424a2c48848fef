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
 * Sends a command by some client, and resolves with the reply as that client gives it.
 *
 * @example
 * ```ts
 * import type { SendCommand } from "@keywatch/keywatch/discovery";
 *
 * // node-redis
 * const over = (client: { sendCommand(words: string[]): Promise<unknown> }): SendCommand =>
 *   (command, ...args) => client.sendCommand([command, ...args]);
 * ```
 */
export type SendCommand = (command: string, ...args: string[]) => Promise<unknown>;

/**
 * What is known about the node that the commands are sent to.
 *
 * @example
 * ```ts
 * import type { DiscoverTopologyOptions } from "@keywatch/keywatch/discovery";
 *
 * const options: DiscoverTopologyOptions = {
 *   address: { hostname: "cache.example.com", port: 6379 },
 *   maxNodes: 50,
 * };
 * ```
 */
export interface DiscoverTopologyOptions {
  /**
   * Address of the node, for errors and for nodes without a host in the reply: they have the same
   * host.
   */
  readonly address?: NodeAddress | { readonly path: string } | undefined;
  /** Whether the connection uses TLS: some replies name only the port for that. Default `false`. */
  readonly tls?: boolean | undefined;
  /** How many nodes are accepted. Default 1,000. */
  readonly maxNodes?: number | undefined;
}

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
 * import { discoverTopology, TopologyError } from "@keywatch/keywatch/discovery";
 *
 * try {
 *   await discoverTopology(() => Promise.resolve([])); // a client that gives an empty reply
 * } catch (error) {
 *   if (error instanceof TopologyError) console.log(error.code, error.server, error.command);
 *   // "TOPOLOGY_MALFORMED" "the node" "CLUSTER SHARDS"
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
const DEFAULT_MAX_NODES = 1_000;

const MAX_PORT = 65_535;

/** Matches a host or an id: nothing that is invisible, and nothing that separates words. */
const NAME = /^[^\p{C}\p{Z}\p{DI}]{1,255}$/u;

/**
 * Fetches the topology of a cluster from a node through any client: by `CLUSTER SHARDS`, or by
 * `CLUSTER SLOTS` if that fails. Maps may come as `Map`, as objects or as arrays, texts as strings or
 * bytes, integers as numbers, bigints or digits.
 *
 * @param sendCommand sends a command to one node, with its arguments as separate strings
 * @param options what is known about the node
 * @returns the topology, as that node sees it
 * @throws {TopologyError} if both commands fail, or a reply cannot be used
 *
 * @example
 * ```ts no-run
 * import { discoverTopology, formatSlots } from "@keywatch/keywatch/discovery";
 *
 * declare const client: { sendCommand(words: string[]): Promise<unknown> }; // node-redis
 *
 * const topology = await discoverTopology((...words) => client.sendCommand(words));
 * for (const { id, host, port } of topology.primaries) {
 *   console.log(host, port, formatSlots(topology.slotsOf(id)));
 * }
 * ```
 */
export async function discoverTopology(
  sendCommand: SendCommand,
  options: DiscoverTopologyOptions = {},
): Promise<Topology> {
  const send = async (subcommand: string): Promise<unknown> => {
    try {
      return await sendCommand("CLUSTER", subcommand);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  };
  const shards = await send("SHARDS");
  // Servers that do not know it say so in various words, and an ACL may allow only the other one.
  if (!(shards instanceof Error)) return parseShards(shards, options);
  return parseSlots(await send("SLOTS"), options);
}

/**
 * Reads the reply to `CLUSTER SHARDS` (Redis 7.0 and later, Valkey).
 *
 * An endpoint that is null or empty means the address of the node that replied; so does `?`, a host
 * name that was not announced, if the node's IP address is not given either.
 *
 * @throws {TopologyError} if the reply is an error, names no node or too many, or is malformed
 */
export function parseShards(reply: unknown, options: DiscoverTopologyOptions): Topology {
  const reader = new ReplyReader("CLUSTER SHARDS", options);
  return reader.topology(reader.list(reply));
}

/**
 * Reads the reply to `CLUSTER SLOTS`, which servers before Redis 7.0 know too.
 *
 * It names neither shards without slots nor nodes that are down, and has no health. Its ports are for
 * connections like the one it came by: with TLS or without.
 *
 * @throws {TopologyError} if the reply is an error, names no node or too many, or is malformed
 */
export function parseSlots(reply: unknown, options: DiscoverTopologyOptions): Topology {
  const reader = new ReplyReader("CLUSTER SLOTS", options);
  return reader.topology(
    reader.list(reply).map((row) => {
      const [first, last, ...listed] = listOf(row) ?? [];
      const nodes = listed.map((entry, place) => {
        const [endpoint = null, port, id, metadata] = listOf(entry) ?? [];
        const fields = fieldsOf(metadata);
        const hostname = fields?.get("hostname");
        const isAddress = !["?", textOf(hostname)].includes(textOf(endpoint));
        const ip = textOf(fields?.get("ip")) || (isAddress ? endpoint : null);
        const role = place === 0 ? "master" : "replica";
        return { id, endpoint, ip, hostname, role, [options.tls ? "tls-port" : "port"]: port };
      });
      return { slots: [first, last], nodes };
    }),
  );
}

/** Reads the parts of one reply. Every method throws a {@linkcode TopologyError} if it cannot. */
class ReplyReader {
  readonly #command: string;
  readonly #address: DiscoverTopologyOptions["address"];
  readonly #maxNodes: number;
  readonly #ids = new Set<string>();

  constructor(command: string, options: DiscoverTopologyOptions) {
    const { address, maxNodes = DEFAULT_MAX_NODES } = options;
    this.#command = command;
    this.#address = address;
    this.#maxNodes = maxNodes;
  }

  error(why: string, code: TopologyErrorCode = "TOPOLOGY_MALFORMED", cause?: Error): TopologyError {
    const server = this.#address === undefined ? "the node" : formatAddress(this.#address);
    return new TopologyError(this.#command, server, why, cause ? { code, cause } : { code });
  }

  /** The entries of the whole reply. */
  list(reply: unknown): readonly unknown[] {
    if (reply instanceof Error) {
      const isDenied = /\bno(?:perm|auth)\b/i.test(reply.message);
      const code = isDenied ? "TOPOLOGY_DENIED" : "TOPOLOGY_UNAVAILABLE";
      throw this.error(excerpt(reply.message, 200), code, reply);
    }
    const items = this.#need(listOf(reply), "the reply is not a list");
    if (items.length > SLOTS) throw this.error("it has more entries than there are slots");
    return items;
  }

  /** What was read of a part of the reply; null if it cannot be understood. */
  #need<Part>(part: Part | null, why: string): Part {
    if (part === null) throw this.error(why);
    return part;
  }

  /** A shard in the form of `CLUSTER SHARDS`; unknown fields are ignored, and most may be missing. */
  #shard(reply: unknown): Shard {
    const fields = this.#need(fieldsOf(reply), "a shard is not made of fields");
    const nodes = this.#need(listOf(fields.get("nodes")), "a shard has no list of nodes")
      .map((entry) => this.#node(this.#need(fieldsOf(entry), "a node is not made of fields")));
    const slots = this.#slots(fields.get("slots"));
    return { id: textOf(fields.get("id")), primary: choosePrimary(nodes), nodes, slots };
  }

  #node(fields: ReadonlyMap<string, unknown>): ClusterNode {
    const id = this.#need(this.#name(fields.get("id")), "a node has no id");
    if (this.#ids.add(id).size > this.#maxNodes) {
      const why =
        `it names more than ${this.#maxNodes} nodes, which the option maxNodes does not allow`;
      throw this.error(why, "TOPOLOGY_TOO_LARGE");
    }
    const ip = this.#name(fields.get("ip"));
    const hostname = this.#name(fields.get("hostname"));
    return {
      id,
      host: this.#host(fields.get("endpoint"), ip, hostname),
      ip,
      hostname,
      port: this.#port(fields.get("port")),
      tlsPort: this.#port(fields.get("tls-port")),
      role: this.#role(fields.get("role")),
      health: healthOf(textOf(fields.get("health"))),
      replicationOffset: countOf(fields.get("replication-offset")),
    };
  }

  #host(endpoint: unknown, ip: string | null, hostname: string | null): string | null {
    if (endpoint === undefined) return ip ?? hostname;
    const named = this.#name(endpoint);
    if (named !== null && named !== "?") return named;
    // Nodes that prefer host names and have none say `?`, and the address of the node that replied would
    // be the same one for all of them.
    if (named === "?" && ip !== null) return ip;
    const asked = this.#address;
    return asked !== undefined && "hostname" in asked ? asked.hostname : ip ?? hostname;
  }

  /** A host or an id. They appear in messages as they are. */
  #name(reply: unknown): string | null {
    const name = textOf(reply) || null;
    if (name === null || NAME.test(name)) return name;
    throw this.error(`${shown(reply)} is neither a host nor the id of a node`);
  }

  /** A port of 0 is none: the node uses TLS only, or has not been heard of yet. */
  #port(reply: unknown): number | null {
    if (reply === undefined || reply === null) return null;
    const port = countOf(reply);
    if (port === null || port > MAX_PORT) throw this.error(`a node's port is ${shown(reply)}`);
    return port === 0 ? null : port;
  }

  #role(reply: unknown): ClusterNode["role"] {
    const role = textOf(reply);
    if (role === "master" || role === "primary") return "primary";
    if (role === "replica" || role === "slave") return "replica";
    throw this.error(`a node's role is ${shown(reply)}`);
  }

  /** `[start, end, start, end …]`; a shard without slots may lack them. */
  #slots(reply: unknown): SlotRange[] {
    const items = reply === undefined || reply === null ? [] : listOf(reply);
    if (items === null || items.length % 2 !== 0) throw this.error("a shard's slots are not pairs");
    if (items.length > 2 * SLOTS) throw this.error("a shard has more ranges than there are slots");
    return Array.from(
      { length: items.length / 2 },
      (_, i) => this.#range(items[2 * i], items[2 * i + 1]),
    );
  }

  #range(from: unknown, to: unknown): SlotRange {
    const first = countOf(from);
    const last = countOf(to);
    if (first !== null && last !== null && first <= last && last < SLOTS) return { first, last };
    throw this.error(`${shown(from)} to ${shown(to)} is not a range of slots`);
  }

  /**
   * The topology of a list of shards. Merges shards that name the same primary, and puts each node in
   * one shard: its own if it is the primary of one, otherwise the first that names it.
   */
  topology(listed: readonly unknown[]): Topology {
    const groups = new Map<unknown, Shard[]>();
    for (const entry of listed) {
      const shard = this.#shard(entry);
      const key = shard.primary?.id ?? shard;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [shard]);
      else group.push(shard);
    }
    const placed = new Set<string>();
    const shards = Array.from(groups.values(), (group): Shard => {
      const { id, primary } = group[0]!;
      const nodes = group.flatMap(({ nodes }) => nodes).filter((node) => {
        if (placed.has(node.id) || node !== primary && groups.has(node.id)) return false;
        placed.add(node.id);
        return true;
      });
      return { id, primary, nodes, slots: union(group.flatMap(({ slots }) => slots)) };
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

function formatAddress(address: NodeAddress | { readonly path: string }): string {
  if ("path" in address) return address.path;
  const { hostname, port } = address;
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
