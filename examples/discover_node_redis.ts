/**
 * Prints which node of a cluster owns which hash slots, with node-redis. Any client that can send a
 * command will do, because the library opens no connection of its own here.
 *
 * It asks several nodes, because one may be cut off from the others, and uses the view that most of
 * them share.
 *
 * @module
 */

import {
  discoverTopology,
  formatSlots,
  hashSlot,
  mostFrequentView,
  type Topology,
} from "@keywatch/keywatch/discovery";
import { REDIS_URL } from "./redis.ts";
import { createClient } from "npm:@redis/client@6.3.1";

/** Asks one node. */
export async function askNode(url: string, RESP: 2 | 3 = 3): Promise<Topology> {
  // By default, that client waits for a node that is down.
  const client = createClient({ url, RESP, socket: { reconnectStrategy: false } });
  client.on("error", () => {}); // `connect` and `sendCommand` reject, too.
  await client.connect();
  try {
    const { hostname, port, protocol } = new URL(url);
    return await discoverTopology((...words) => client.sendCommand(words), {
      address: { hostname, port: Number(port || 6379) },
      tls: protocol === "rediss:",
    });
  } finally {
    client.destroy();
  }
}

/**
 * Asks all nodes.
 *
 * @throws {AggregateError} if none of them answers
 */
export async function discover(urls: readonly string[]): Promise<Topology> {
  const answers = await Promise.allSettled(urls.map((url) => askNode(url)));
  const views = answers.flatMap((one) => one.status === "fulfilled" ? one.value : []);
  if (views.length > 0) return mostFrequentView(views);
  const failures = answers.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
  throw new AggregateError(failures, `No node answers: ${failures[0]?.message}`);
}

if (import.meta.main) {
  const topology = await discover(REDIS_URL.split(","));
  for (const { id, host, port } of topology.primaries) {
    console.log(`${host}:${port} owns ${formatSlots(topology.slotsOf(id)) || "no slots"}`);
  }
  const owner = topology.ownerOf(hashSlot("user:1"));
  console.log(`user:1 is in slot ${hashSlot("user:1")} of ${owner?.host}:${owner?.port}`);
}
