import type { Address } from "../pubsub/mod.ts";
import type { AskServer } from "../pubsub/subscriber_options.ts";
import { parseNodes } from "./node_view.ts";
import { type SlotRange, union } from "./discovery/slot_range.ts";

/**
 * Asks a node which slots it serves: its own, and those that come to it key by key from another one,
 * because what clients are sent to it for (`ASK`) happens there, although it is not the owner.
 *
 * @throws {ServerError} when the user may not ask
 * @throws {TopologyError} when the answer cannot be understood
 * @throws the reason for which the connection is over
 */
export async function askServed(ask: AskServer, asked: Address): Promise<SlotRange[]> {
  const reply = await ask((connection) => connection.request("CLUSTER", "NODES"));
  const { slots, importing } = parseNodes(reply, asked);
  return union([
    ...slots,
    ...Array.from(importing.keys(), (slot) => ({ first: slot, last: slot })),
  ]);
}
