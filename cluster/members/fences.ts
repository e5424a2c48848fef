/**
 * Fences: shard channels, one for each hash slot. Whoever may read the notifications' channels may
 * subscribe them, given the right to the command, because their names look alike.
 */
import type { ServerChannel } from "../../pubsub/registry.ts";
import { hashSlot, SLOTS } from "../discovery/slot.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const COLON = 0x3a;
const LINE_FEED = 0x0a;

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

/**
 * The slots whose events channels can bring.
 *
 * @returns null if they can bring events of any slot
 */
export function slotsOfChannels(channels: Iterable<ServerChannel>): Set<number> | null {
  const slots = new Set<number>();
  for (const { bytes, isPattern } of channels) {
    if (isPattern) return null;
    const end = bytes.indexOf(COLON) + 1;
    const name = /^__(sub)?keyspace(item)?@\d+__:$/.exec(decoder.decode(bytes.subarray(0, end)));
    if (name === null) return null;
    const keyEnd = name[2] === undefined ? bytes.length : bytes.indexOf(LINE_FEED, end);
    slots.add(hashSlot(bytes.subarray(end, keyEnd < 0 ? bytes.length : keyEnd)));
  }
  return slots;
}

/** Whether whoever gets a `del` by one of the channels gets a `restore` of the same key as well. */
export function hearRestores(channels: Iterable<ServerChannel>): boolean {
  const deletions = new Set<string>();
  const restores = new Set<string>();
  for (const { bytes } of channels) {
    const [, database, event] = /^__keyevent@(.*)__:(.*)$/s.exec(decoder.decode(bytes)) ?? [];
    if (database === undefined) continue;
    if (event === "*") return true;
    (event === "restore" ? restores : deletions).add(database);
  }
  return [...deletions].every((database) => restores.has(database) || restores.has("*"));
}
