import { hashSlot, SLOTS } from "../discovery/slot.ts";

/**
 * Fences: shard channels, one for each hash slot. Whoever may read the notifications' channels may
 * subscribe them, given the right to the command, because their names look alike.
 */

const encoder = new TextEncoder();
/** A number whose decimal digits, as a hash tag, lie in the slot; found as they are needed. */
const tags: Int32Array = new Int32Array(SLOTS).fill(-1);
let tried = 0;

/** The name of the shard channel that stands for a slot. */
export function fenceOf(slot: number): Uint8Array {
  while (tags[slot]! < 0) {
    const found = hashSlot(`${tried}`);
    if (tags[found]! < 0) tags[found] = tried;
    tried++;
  }
  return encoder.encode(`__keyspace@0__:{${tags[slot]}}`);
}

/** The slot of a shard channel, whatever its name. */
export function slotOfFence(channel: Uint8Array): number {
  return hashSlot(channel);
}
