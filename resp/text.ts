import { MOST_KEPT, viewOf } from "./view.ts";

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Longest text that is remembered, in bytes. */
const SHORT = 64;

/** Two words and seven times eight bytes. */
const SLOT_SIZE = 2 + SHORT / 8 - 1;

/** Longest text that is made without the runtime's decoder. */
const TINY = 40;

/**
 * The text of some bytes, read as UTF-8.
 *
 * The text shares nothing with the bytes nor with a bigger text, so keeping it keeps nothing else
 * alive. Bytes that are not UTF-8 become U+FFFD, as `TextDecoder` has it; a byte order mark is kept.
 *
 * A few thousand short texts are remembered, and the same bytes then give the same text: for
 * notifications, which name the same keys, events and channels again and again.
 *
 * @param bytes Where the text lies.
 * @param start Index of its first byte.
 * @param end Index after its last byte.
 *
 * @example
 * ```ts
 * import { decodeText } from "@keywatch/keywatch/resp";
 *
 * decodeText(new Uint8Array([104, 105, 33]), 0, 2); // "hi"
 * ```
 */
export function decodeText(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
): string {
  const length = end - start;
  if (length > SHORT || length === 0 || bytes.length > MOST_KEPT) {
    return makeText(bytes, start, end);
  }
  const words = viewOf(bytes);
  // All bytes as words of four: pairs from the front, and last a pair that may overlap them. Fewer
  // than eight bytes are that last pair alone, made so that the length and it say which they are.
  let last = start;
  let low: number;
  let high: number;
  if (length >= 8) {
    last = end - 8;
    low = words.getInt32(last, true);
    high = words.getInt32(last + 4, true);
  } else if (length >= 4) {
    low = words.getInt32(start, true);
    high = words.getInt32(end - 4, true);
  } else {
    low = bytes[start]!;
    high = bytes[start + (length >> 1)]! << 8 | bytes[end - 1]!;
  }
  // Two chains of multiplications, which a processor works at side by side.
  let a = length;
  let b = 0;
  for (let at = start; at < last; at += 8) {
    a = Math.imul(a ^ words.getInt32(at, true), 0x9e3779b1);
    b = Math.imul(b ^ words.getInt32(at + 4, true), 0x85ebca77);
  }
  a = Math.imul(a ^ low, 0x9e3779b1);
  b = Math.imul(b ^ high, 0x85ebca77);
  const hash = Math.imul(a ^ (b >>> 16 | b << 16), 0x9e3779b1);
  const key = (hash & -SHORT) | (length - 1);
  const one = hash >>> (32 - SLOTS_LOG2);
  if (isIn(one, key, words, start, last, low, high)) return texts[one]!;
  const two = (hash >>> 8) & (texts.length - 1);
  if (isIn(two, key, words, start, last, low, high)) return texts[two]!;
  const text = makeText(bytes, start, end);
  turn = (turn + 1) & (2 * ADMIT_ONE_IN - 1);
  if (turn === 0) put(one, text, key, words, start, last, low, high);
  else if (turn === ADMIT_ONE_IN) put(two, text, key, words, start, last, low, high);
  return text;
}

/** One array for each length, because `String.fromCharCode` takes exactly what it is given. */
const units: number[][] = Array.from({ length: TINY + 1 }, (_, n) => new Array(n).fill(0));

/**
 * As {@linkcode decodeText}, for texts that hardly come again.
 *
 * A tiny one that is ASCII, as nearly all are, goes by way of an array of character codes, four at a
 * time: 26 bytes take 40 ns in Node 20 and Deno, where `TextDecoder` takes 70 and 100. The longer it
 * is the less is gained; in Bun nothing beyond 13 bytes.
 */
export function makeText(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length > TINY) return utf8.decode(bytes.subarray(start, end));
  const out = units[length]!;
  let all = 0;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const a = bytes[start + i]!;
    const b = bytes[start + i + 1]!;
    const c = bytes[start + i + 2]!;
    const d = bytes[start + i + 3]!;
    all |= a | b | c | d;
    out[i] = a;
    out[i + 1] = b;
    out[i + 2] = c;
    out[i + 3] = d;
  }
  for (; i < length; i++) all |= out[i] = bytes[start + i]!;
  if (all >= 0x80) return utf8.decode(bytes.subarray(start, end));
  return String.fromCharCode.apply(null, out);
}

// The texts that are remembered: each is in one of the two slots that its hash gives, so a few
// thousand of them hardly ever push each other out. A slot holds all bytes of its text: what is
// found there is certain. For 200,000 messages about 1,000 keys this takes 55 ns a message in place
// of 90 in Node 20, 48 in place of 75 in Deno, 50 in place of 110 in Bun.

const SLOTS_LOG2 = 12;
/** Of each slot the hash, with the length in its last bits. */
const keys: Int32Array = new Int32Array(1 << SLOTS_LOG2);
/** Of each slot the last pair of words, then all before it, eight bytes at a time. */
const slots: Float64Array = new Float64Array(SLOT_SIZE << SLOTS_LOG2);
const texts: string[] = new Array<string>(1 << SLOTS_LOG2).fill("");

/**
 * One new text in so many is let in: one that comes often soon is, one that comes once mostly not.
 * When every key is new that saves 15 of 100 ns a message.
 */
const ADMIT_ONE_IN = 8;
let turn = 0;

// Eight bytes are compared as a double: two of these are equal when they are the same bits, but for
// NaN, which equals nothing and is never found, and for the zeros, which are not put in.

function isIn(
  slot: number,
  key: number,
  words: DataView,
  start: number,
  last: number,
  low: number,
  high: number,
): boolean {
  let place = slot * SLOT_SIZE;
  if (keys[slot] !== key || slots[place] !== low || slots[place + 1] !== high) return false;
  place += 2;
  for (let at = start; at < last; at += 8) {
    if (slots[place++] !== words.getFloat64(at, true)) return false;
  }
  return true;
}

function put(
  slot: number,
  text: string,
  key: number,
  words: DataView,
  start: number,
  last: number,
  low: number,
  high: number,
): void {
  for (let at = start; at < last; at += 8) {
    if (words.getFloat64(at, true) === 0) return;
  }
  let place = slot * SLOT_SIZE;
  keys[slot] = key;
  slots[place++] = low;
  slots[place++] = high;
  for (let at = start; at < last; at += 8) slots[place++] = words.getFloat64(at, true);
  texts[slot] = text;
}
