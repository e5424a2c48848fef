import type { Connection } from "../pubsub/connection.ts";
import { AuthError, ConnectError } from "../pubsub/errors.ts";
import type { Address } from "../pubsub/mod.ts";
import { ServerError } from "../resp/mod.ts";
import type { Topology } from "./discovery/topology.ts";
import { TopologyError } from "./discovery/topology_error.ts";
import { parseShards, parseSlots } from "./discovery/topology_reply.ts";

/** How an answer is to be read. */
export interface TopologyOptions {
  /** Whether the connection that asked speaks TLS. */
  readonly tls: boolean;
  /** How many nodes are accepted. */
  readonly maxNodes: number;
}

/**
 * Asks a node for the topology: `CLUSTER SHARDS`, and `CLUSTER SLOTS` where that is an error. Servers
 * that do not know it say so in various words, and whoever may not ask for the one may be allowed the
 * other.
 *
 * @param connection to the node
 * @param asked where it is
 * @param options `tls`: whether the connection speaks TLS; `maxNodes`: how many nodes are accepted
 * @throws {AuthError} when the user may not ask
 * @throws {TopologyError} when the answer cannot be understood, or says nothing
 * @throws the reason for which the connection is over
 */
export async function askTopology(
  connection: Connection,
  asked: Address,
  options: TopologyOptions,
): Promise<Topology> {
  try {
    return checked(connection, asked, await readTopology(connection, asked, options));
  } catch (error) {
    if (!(error instanceof TopologyError) || !connection.secrets.repeats(error.message)) {
      throw error;
    }
    throw new TopologyError(error.command, error.server, "it may repeat the password");
  }
}

async function readTopology(
  connection: Connection,
  asked: Address,
  options: TopologyOptions,
): Promise<Topology> {
  try {
    return parseShards(await connection.request("CLUSTER", "SHARDS"), asked, options);
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
  }
  try {
    return parseSlots(await connection.request("CLUSTER", "SLOTS"), asked, options);
  } catch (error) {
    throw error instanceof ServerError ? explain(connection.server, error) : error;
  }
}

/** Names are looked up by DNS and stand in messages and in the status, as they are. */
function checked({ server, secrets }: Connection, asked: Address, topology: Topology): Topology {
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

function explain(server: string, error: ServerError): Error {
  const what = `Cannot learn the topology from ${server}: ${error.message}`;
  if (error.code !== "NOPERM") return new ConnectError(what, { cause: error });
  return new AuthError(
    `${what}; give the user the right to ask (ACL SETUSER … +cluster|shards or +cluster|slots)`,
    { cause: error },
  );
}
