import { toBytes } from "../../bytes/to_bytes.ts";
import { indexOfByte } from "../../parse/spans.ts";

/**
 * The number of hash slots of a cluster.
 *
 * @example
 * ```ts
 * import { countSlots, SLOTS, type Topology } from "@keywatch/keywatch/discovery";
 *
 * const isWhole = ({ covered }: Topology): boolean => countSlots(covered) === SLOTS;
 * ```
 */
export const SLOTS = 16_384;

const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * What a byte adds to a CRC16 in its XMODEM form (polynomial 0x1021, start 0) if `left` bytes are left,
 * itself included.
 */
function crcTable(left: number): Uint16Array {
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << 8;
    for (let bit = 0; bit < 8 * left; bit++) crc = (crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0);
    return crc;
  });
}

const CRC_OF_LAST: Uint16Array = /* @__PURE__ */ crcTable(1);
const CRC_OF_LAST_BUT_ONE: Uint16Array = /* @__PURE__ */ crcTable(2);

/**
 * Returns the hash slot of a key.
 *
 * If there is something between the first `{` of the key and the first `}` after it, only that hash tag
 * counts, as the cluster specification says.
 *
 * @param key the key
 * @returns its slot, 0 to 16,383
 * @throws {TypeError} if it is neither text nor bytes, or the bytes were transferred
 *
 * @example
 * ```ts
 * import { hashSlot } from "@keywatch/keywatch/discovery";
 *
 * console.log(hashSlot("{user:1}:name") === hashSlot("{user:1}:cart")); // true
 * ```
 */
export function hashSlot(key: string | Uint8Array): number {
  const bytes = toBytes(key);
  return hashBytes(bytes, 0, bytes.length);
}

/** Returns the hash slot of a key that is part of some bytes. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  const open = indexOfByte(OPEN, bytes, start, end);
  const close = open < 0 ? -1 : indexOfByte(CLOSE, bytes, open + 1, end);
  // Empty braces are not a tag.
  const [from, to] = close > open + 1 ? [open + 1, close] : [start, end];
  return crc16(bytes, from, to) % SLOTS;
}

/** Two bytes at a time, which halves the steps that wait for each other. */
function crc16(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  let index = start;
  if ((end - start) % 2 === 1) crc = CRC_OF_LAST[bytes[index++]!]!;
  for (; index < end; index += 2) {
    crc = CRC_OF_LAST_BUT_ONE[(crc >> 8) ^ bytes[index]!]! ^
      CRC_OF_LAST[(crc & 0xff) ^ bytes[index + 1]!]!;
  }
  return crc;
}

/**
 * Consecutive hash slots.
 *
 * @example
 * ```ts
 * import { countSlots, type SlotRange } from "@keywatch/keywatch/discovery";
 *
 * const range: SlotRange = { first: 0, last: 5460 };
 * console.log(countSlots([range])); // 5461
 * ```
 */
export interface SlotRange {
  /** The first slot. */
  readonly first: number;
  /** The last slot, inclusive; not below the first. */
  readonly last: number;
}

/** The fewest ranges that hold the slots, 0 to 16,383, that a rule picks, in ascending order. */
export function slotRanges(picks: (slot: number) => boolean): SlotRange[] {
  const ranges: SlotRange[] = [];
  let first = -1;
  for (let slot = 0; slot <= SLOTS; slot++) {
    const picked = slot < SLOTS && picks(slot);
    if (picked && first === -1) first = slot;
    if (picked || first === -1) continue;
    ranges.push({ first, last: slot - 1 });
    first = -1;
  }
  return ranges;
}

/**
 * Counts the slots in ranges that do not overlap.
 *
 * @param ranges the ranges
 * @returns the sum of their lengths
 *
 * @example
 * ```ts
 * import { countSlots } from "@keywatch/keywatch/discovery";
 *
 * console.log(countSlots([{ first: 0, last: 5460 }])); // 5461
 * ```
 */
export function countSlots(ranges: readonly SlotRange[]): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

/**
 * Whether one of the ranges includes a slot.
 *
 * @param ranges the ranges
 * @param slot the slot
 * @returns whether one of them includes it
 *
 * @example
 * ```ts
 * import { includesSlot } from "@keywatch/keywatch/discovery";
 *
 * console.log(includesSlot([{ first: 0, last: 5460 }], 5461)); // false
 * ```
 */
export function includesSlot(ranges: readonly SlotRange[], slot: number): boolean {
  return ranges.some(({ first, last }) => first <= slot && slot <= last);
}

/** The fewest ranges that hold the slots of all these, which may overlap. */
export function union(ranges: readonly SlotRange[]): SlotRange[] {
  const merged: { first: number; last: number }[] = [];
  for (const { first, last } of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before === undefined || first > before.last + 1) merged.push({ first, last });
    else before.last = Math.max(before.last, last);
  }
  return merged;
}

/** Adds a slot to ranges that hold lower ones only, or the same as their last. */
export function addSlot(ranges: { first: number; last: number }[], slot: number): void {
  const before = ranges.at(-1);
  if (before === undefined || slot > before.last + 1) ranges.push({ first: slot, last: slot });
  else before.last = slot;
}

/**
 * Formats ranges.
 *
 * @param ranges the ranges
 * @returns their text, such as `0-5460,5462`; empty if there are none
 *
 * @example
 * ```ts
 * import { formatSlots } from "@keywatch/keywatch/discovery";
 *
 * console.log(formatSlots([{ first: 0, last: 5460 }, { first: 5462, last: 5462 }])); // 0-5460,5462
 * ```
 */
export function formatSlots(ranges: readonly SlotRange[]): string {
  return ranges.map(({ first, last }) => first === last ? `${first}` : `${first}-${last}`).join();
}
