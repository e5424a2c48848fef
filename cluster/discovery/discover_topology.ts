import type { NodeAddress, Topology } from "./topology.ts";
import { parseShards, parseSlots } from "./topology_reply.ts";

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
  readonly address?: NodeAddress | { readonly path: string };
  /** Whether the connection uses TLS: some replies name only the port for that. Default `false`. */
  readonly tls?: boolean;
  /** How many nodes are accepted. Default 1,000. */
  readonly maxNodes?: number;
}

/**
 * Fetches the topology of a cluster from a node through any client: by `CLUSTER SHARDS`, or by
 * `CLUSTER SLOTS` if that fails. Maps may come as `Map`, as objects or as arrays, texts as strings or bytes, integers as
 * numbers, bigints or digits.
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
  { address, ...options }: DiscoverTopologyOptions = {},
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
  if (!(shards instanceof Error)) return parseShards(shards, address ?? null, options);
  return parseSlots(await send("SLOTS"), address ?? null, options);
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
