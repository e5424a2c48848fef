/** How many hash slots a cluster has. */
export const SLOTS = 16_384;

const OPEN = 0x7b;
const CLOSE = 0x7d;

/** CRC16 in its XMODEM form (polynomial 0x1021, start 0), one entry for each byte. */
const CRC16: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0);
  return crc;
});

/**
 * The hash slot of a key.
 *
 * Where the key holds `{…}` with something between the first `{` and the first `}` after it, only
 * that hash tag counts, so that keys can be kept together. The rule is the cluster specification's.
 *
 * @param key the key
 * @returns its slot, 0 to 16,383
 *
 * @example
 * ```ts
 * import { hashSlot } from "@keywatch/keywatch/cluster";
 *
 * console.log(hashSlot("{user:1}:name") === hashSlot("{user:1}:cart")); // true
 * ```
 */
export function hashSlot(key: string | Uint8Array): number {
  if (typeof key === "string" && !isAscii(key)) return hashSlot(encoder.encode(key));
  // A byte of the key, or the character that is one: no bytes are made of text.
  const byteAt = typeof key === "string"
    ? (index: number) => key.charCodeAt(index)
    : (index: number) => key[index]!;
  const { length } = key;
  let start = 0;
  let end = length;
  const open = find(OPEN, byteAt, 0, length);
  const close = open === -1 ? -1 : find(CLOSE, byteAt, open + 1, length);
  if (close > open + 1) {
    start = open + 1;
    end = close;
  }
  let crc = 0;
  for (let index = start; index < end; index++) {
    crc = ((crc << 8) ^ CRC16[(crc >> 8) ^ byteAt(index)]!) & 0xffff;
  }
  return crc % SLOTS;
}

const encoder = new TextEncoder();

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) >= 0x80) return false;
  }
  return true;
}

function find(byte: number, byteAt: (index: number) => number, from: number, to: number): number {
  for (let index = from; index < to; index++) if (byteAt(index) === byte) return index;
  return -1;
}
