import { asciiDecoders, MAX_ASCII_DECODER } from "./ascii_decoders.ts";
import { decodeAscii, decodeUtf8, isNativeFast } from "./utf8.ts";
import { MOST_KEPT, usefulViewOf } from "./view.ts";

/** Length of the longest text that is cached, in bytes. */
const MAX_CACHED = 64;

/**
 * Decodes bytes as UTF-8.
 *
 * The text shares no memory with the bytes or with a larger text. Invalid UTF-8 becomes U+FFFD, as in
 * `TextDecoder`. A byte order mark is kept. A few thousand short texts are cached, because
 * notifications repeat the same keys, events and channels.
 *
 * @param bytes Holds the text.
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
  if (length > MAX_CACHED || length === 0 || bytes.length > MOST_KEPT) {
    return makeText(bytes, start, end);
  }
  const score = hitScores[length]!;
  if (score < 0) {
    if (skipped < LOOK_UP_ONE_IN) {
      skipped++;
      return makeText(bytes, start, end);
    }
    skipped = 1;
  }
  const words = usefulViewOf(bytes);
  if (words === null) return makeText(bytes, start, end);
  // All bytes as words of four: pairs from the front, and a last pair that may overlap them. Fewer
  // than eight bytes are only that last pair, which together with the length identifies them.
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
  // Two chains of multiplications, which a processor works on in parallel.
  let a = length;
  let b = 0;
  for (let at = start; at < last; at += 8) {
    a = Math.imul(a ^ words.getInt32(at, true), 0x9e3779b1);
    b = Math.imul(b ^ words.getInt32(at + 4, true), 0x85ebca77);
  }
  a = Math.imul(a ^ low, 0x9e3779b1);
  b = Math.imul(b ^ high, 0x85ebca77);
  const hash = Math.imul(a ^ (b >>> 16 | b << 16), 0x9e3779b1);
  const key = (hash & -MAX_CACHED) | (length - 1);
  const first = hash >>> (32 - SLOTS_LOG2);
  const second = (hash >>> 8) & (texts.length - 1);
  // The first slot if the hash there is the same, otherwise the second. Without a branch, which would
  // be mispredicted half of the time.
  const differs = keys[first]! ^ key;
  const slot = first ^ ((first ^ second) & ((differs | (0 - differs)) >> 31));
  if (isCached(slot, key, words, start, last, low, high)) {
    if (score < MAX_SCORE) hitScores[length] = score + 2;
    return texts[slot]!;
  }
  if (score > -MAX_SCORE) hitScores[length] = score - 1;
  const text = makeText(bytes, start, end);
  if (missed < ADMIT_ONE_IN) {
    missed++;
  } else {
    missed = 1;
    isSecond = !isSecond;
    put(isSecond ? second : first, text, key, words, start, last, low, high);
  }
  return text;
}

/** Decodes as {@linkcode decodeText} does, without the cache: for texts that rarely repeat. */
export function makeText(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length <= MAX_CACHED && bytes.length <= MOST_KEPT && isAscii(bytes, start, end)) {
    return length <= maxAsciiDecoder
      ? asciiDecoders[length]!(bytes, start)
      : decodeAscii(bytes, start, end);
  }
  return decodeUtf8(bytes, start, end);
}

const maxAsciiDecoder: number = isNativeFast ? 1 : MAX_ASCII_DECODER;

/** Whether `bytes[start..end)` is ASCII. */
export function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  let all = 0;
  const words = end - start >= 4 ? usefulViewOf(bytes) : null;
  if (words === null) {
    for (let i = start; i < end; i++) all |= bytes[i]!;
  } else {
    for (let i = start; i < end - 4; i += 4) all |= words.getInt32(i, true);
    all |= words.getInt32(end - 4, true);
  }
  return (all & 0x80808080) === 0;
}

// The cache. Each text is in one of the two slots that its hash gives, so a few thousand of them
// hardly ever evict each other. A slot holds all bytes of its text, so a hit is certain.

// Numbers stand here as they are: bundlers then see that nothing happens when this is loaded.
const SLOTS_LOG2 = 12;
/** Two words and seven times eight bytes. */
const SLOT_SIZE = 9;
/** Of each slot the hash, with the length in its lowest bits. */
const keys: Int32Array = /* @__PURE__ */ new Int32Array(4096);
/** Of each slot the last pair of words, then all before it, eight bytes at a time. */
const slots: Float64Array = /* @__PURE__ */ new Float64Array(9 * 4096);
const texts: string[] = /* @__PURE__ */ new Array<string>(4096).fill("");

/**
 * One new text in so many is cached. A frequent one soon is, a unique one mostly is not. A cached text
 * lives on for a while, which costs the garbage collector more than another text.
 */
const ADMIT_ONE_IN = 9;
let missed = 1;
/** Whether the text cached last took the second of its slots. */
let isSecond = false;

/**
 * At a length with few hits, one text in so many is looked up. It has no common divisor with the other
 * number or with two, or one of two alternating texts would never be looked up.
 */
const LOOK_UP_ONE_IN = 7;
let skipped = 1;

/** For each length, how much more often than one time in three there was a hit lately. */
const hitScores: Int8Array = /* @__PURE__ */ new Int8Array(65);
const MAX_SCORE = 16;

// Eight bytes are compared as a double. Two doubles are equal if their bits are, except NaN, which
// equals nothing and is never found, and the zeros, which are not cached.

function isCached(
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
