import type { Subscriber } from "../pubsub/subscriber.ts";
import type { Address } from "../pubsub/mod.ts";
import { parseNodes } from "./node_view.ts";
import { type SlotRange, slotRanges } from "./slot_range.ts";

/**
 * Asks a node which slots come to it, key by key, from another one: what clients are sent to it for
 * (`ASK`) happens there, although it is not the owner. A slot that has just come counts too.
 *
 * @param isIts whether it is known as a slot's owner
 * @throws {ServerError} when the user may not ask
 * @throws {TopologyError} when the answer cannot be understood
 * @throws the reason for which the connection is over
 */
export async function askTakenIn(
  subscriber: Subscriber,
  asked: Address,
  isIts: (slot: number) => boolean,
): Promise<SlotRange[]> {
  const reply = await subscriber.ask((connection) => connection.request("CLUSTER", "NODES"));
  const { slots, importing } = parseNodes(reply, asked);
  const here = new Set(importing.keys());
  for (const { first, last } of slots) for (let slot = first; slot <= last; slot++) here.add(slot);
  return slotRanges((slot) => here.has(slot) && !isIts(slot));
}
