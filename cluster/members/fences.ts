/**
 * Fences: shard channels, one for each hash slot. Whoever may read the notifications' channels may
 * subscribe them, given the right to the command, because their names look alike.
 */
import { matchGlob } from "../../parse/mod.ts";
import type { ServerChannel } from "../../pubsub/connection/requests.ts";
import { hashSlot, SLOTS } from "../discovery/slot.ts";

const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder();
const COLON = 0x3a;
const LINE_FEED = 0x0a;

/** A number whose decimal digits, as a hash tag, lie in the slot; found as they are needed. */
const tags: Int32Array = /* @__PURE__ */ new Int32Array(SLOTS).fill(-1);
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

/**
 * The channels by which the opposites come of what these can bring: a key that `MIGRATE` moves is a
 * `restore` at one node and a `del` at another.
 *
 * @returns those that are not among them; only channels of events, because those of keys bring both
 */
export function oppositesOf(channels: Iterable<ServerChannel>): ServerChannel[] {
  const opposites = new Map<string, ServerChannel>();
  const given: { readonly text: string; readonly isPattern: boolean }[] = [];
  for (const { bytes, isPattern } of channels) {
    const text = decoder.decode(bytes);
    given.push({ text, isPattern });
    const [, start, event] = /^(__keyevent@.*?:|[^_:]*[*?[\\][^:]*:)([^:]*)$/s.exec(text) ?? [];
    if (start === undefined) continue;
    const brings = (name: string) => isPattern ? matchGlob(event!, name) : event === name;
    if (brings("del") === brings("restore")) continue;
    const opposite = start + (brings("del") ? "restore" : "del");
    opposites.set(opposite, { bytes: encoder.encode(opposite), isPattern });
  }
  return [...opposites].flatMap(([text, channel]) =>
    given.some((one) => one.text === text || one.isPattern && matchGlob(one.text, text))
      ? []
      : [channel]
  );
}
