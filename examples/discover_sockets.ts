/**
 * Prints which node of a cluster owns which hash slots, with Deno's sockets and the codec of `./resp`
 * instead of a client.
 *
 * @module
 */

import { discoverTopology, formatSlots, type Topology } from "@keywatch/keywatch/discovery";
import { Decoder, encodeCommand, type Reply, ServerError } from "@keywatch/keywatch/resp";
import { env } from "node:process";

/** Asks a node. The connection takes one command at a time. */
export async function discover(hostname: string, port: number): Promise<Topology> {
  using socket = await Deno.connect({ hostname, port });
  const replies: Reply[] = [];
  const decoder = new Decoder({
    reply: (reply) => replies.push(reply),
    push: () => {},
  });
  const chunk = new Uint8Array(65_536);

  async function sendCommand(...words: string[]): Promise<Reply> {
    const bytes = encodeCommand(words);
    for (let sent = 0; sent < bytes.length;) sent += await socket.write(bytes.subarray(sent));
    while (replies.length === 0) {
      const length = await socket.read(chunk);
      if (length === null) throw new Error("The server closed the connection");
      decoder.write(chunk.subarray(0, length));
    }
    const reply = replies.shift()!;
    if (reply instanceof ServerError) throw reply;
    return reply;
  }

  return await discoverTopology(sendCommand, { address: { hostname, port } });
}

if (import.meta.main) {
  const [first] = (env["REDIS_URL"] ?? "redis://localhost:6379").split(",");
  const { hostname, port } = new URL(first!);
  const topology = await discover(hostname, Number(port || 6379));
  for (const { primary, nodes, slots } of topology.shards) {
    const replicas = nodes.length - 1;
    console.log(`${primary?.host}:${primary?.port}, ${replicas} replicas: ${formatSlots(slots)}`);
  }
}
