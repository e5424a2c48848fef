import type { Connection } from "../pubsub/connection.ts";
import { AuthError, ConnectError } from "../pubsub/errors.ts";
import type { Address } from "../pubsub/mod.ts";
import { ServerError } from "../resp/mod.ts";
import { discoverTopology } from "./discovery/discover_topology.ts";
import type { Topology } from "./discovery/topology.ts";
import { TopologyError } from "./discovery/topology_reply.ts";

/** How an answer is to be read. */
export interface TopologyOptions {
  /** Whether the connection that asked speaks TLS. */
  readonly tls: boolean;
  /** How many nodes are accepted. */
  readonly maxNodes: number;
}

/**
 * Asks a node for the topology.
 *
 * @param connection to the node
 * @param asked where it is
 * @throws {AuthError} when the user may not ask
 * @throws {TopologyError} when the answer cannot be understood, or says nothing
 * @throws {ConnectError} when the server refuses for another reason
 * @throws the reason for which the connection is over
 */
export async function askTopology(
  connection: Connection,
  asked: Address,
  { tls, maxNodes }: TopologyOptions,
): Promise<Topology> {
  const { secrets, server } = connection;
  const sendCommand = (...words: [string, ...string[]]) => connection.request(...words);
  let topology: Topology;
  try {
    topology = await discoverTopology(sendCommand, { address: asked, tls, maxNodes });
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    const { code, command, message, cause } = error;
    if (code === "TOPOLOGY_DENIED") throw new AuthError(message, { cause });
    if (cause instanceof ServerError) throw new ConnectError(message, { cause });
    if (cause instanceof Error) throw cause;
    if (!secrets.repeats(message)) throw error;
    throw new TopologyError(command, error.server, "it may repeat the password", { code });
  }
  // Names are looked up by DNS and stand in messages and in the status, as they are.
  const own = "hostname" in asked ? asked.hostname : null;
  for (const { id, host, hostname, ip } of topology.nodes.values()) {
    for (const name of [id, host, hostname, ip]) {
      if (name === null || name === own || secrets.allowsName(name)) continue;
      throw new ConnectError(
        `Cannot use the topology of ${server}: the name of a node in it repeats the password`,
      );
    }
  }
  return topology;
}
