import { letters, MOST_LETTERS } from "./letters.ts";
import { MOST_KEPT, viewOf } from "./view.ts";

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Longest text that is remembered, in bytes. */
const SHORT = 64;

/** Two words and seven times eight bytes. */
const SLOT_SIZE = 2 + SHORT / 8 - 1;

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
  const fortune = luck[length]!;
  if (fortune < 0) {
    if (passed < LOOK_ONE_IN) {
      passed++;
      return makeText(bytes, start, end);
    }
    passed = 1;
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
  const two = (hash >>> 8) & (texts.length - 1);
  // The first where its hash is the same, else the second, without a branch: texts lie in either by
  // chance, so one in two was guessed wrong. Of a message with two texts that are there it saves 5 ns.
  const differs = keys[one]! ^ key;
  const slot = one ^ ((one ^ two) & ((differs | (0 - differs)) >> 31));
  if (isIn(slot, key, words, start, last, low, high)) {
    if (fortune < MOST_LUCK) luck[length] = fortune + 2;
    return texts[slot]!;
  }
  if (fortune > -MOST_LUCK) luck[length] = fortune - 1;
  const text = makeText(bytes, start, end);
  if (missed < ADMIT_ONE_IN) {
    missed++;
  } else {
    missed = 1;
    isOther = !isOther;
    put(isOther ? two : one, text, key, words, start, last, low, high);
  }
  return text;
}

/**
 * As {@linkcode decodeText}, for texts that hardly come again.
 *
 * With this and {@linkcode luck}, a message whose key is new takes 64 ns in place of 93 in Deno, 83 in
 * place of 105 in Node 20, 74 in place of 157 in Bun, its texts made.
 */
export function makeText(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length <= SHORT && bytes.length <= MOST_KEPT && isAscii(bytes, start, end)) {
    if (length <= mostLetters) return letters[length]!(bytes, start);
    if (slices !== null) return slices.latin1.call(bytes, start, end);
  }
  return slices === null
    ? utf8.decode(bytes.subarray(start, end))
    : slices.utf8.call(bytes, start, end);
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  let all = 0;
  let i = start;
  if (end - start >= 4) {
    const words = viewOf(bytes);
    for (; i < end - 4; i += 4) all |= words.getInt32(i, true);
    all |= words.getInt32(end - 4, true);
  } else {
    for (; i < end; i++) all |= bytes[i]!;
  }
  return (all & 0x80808080) === 0;
}

type Slice = (this: Uint8Array, start: number, end: number) => string;

/** How a `Buffer` makes text. */
interface Slices {
  readonly utf8: Slice;
  readonly latin1: Slice;
}

/**
 * The runtime's, where it has them. Of UTF-8 a short text takes 32 ns in Bun, 39 in Node 20 and 43 in
 * Deno, where `TextDecoder` takes 57, 71 and 100; of Latin-1, which ASCII is too, 23, 34 and 40.
 */
const slices: Slices | null = findSlices();

/** In JavaScriptCore, which errors tell from V8, a slice is faster from two letters on. */
const mostLetters: number = slices !== null && "sourceURL" in new Error() ? 1 : MOST_LETTERS;

function findSlices(): Slices | null {
  const { Buffer } = globalThis as {
    Buffer?: { prototype?: { utf8Slice?: Slice; latin1Slice?: Slice } };
  };
  const { utf8Slice: utf8, latin1Slice: latin1 } = Buffer?.prototype ?? {};
  if (utf8 === undefined || latin1 === undefined) return null;
  // What others put there under these names must do the same.
  try {
    const text = "\ufeffgröße 字 😀";
    const sample = new TextEncoder().encode(`<${text}>`);
    const isSame = utf8.call(sample, 1, sample.length - 1) === text &&
      latin1.call(sample, 0, 1) === "<";
    return isSame ? { utf8, latin1 } : null;
  } catch {
    return null;
  }
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
 * One new text in so many is let in: one that comes often soon is, one that comes once mostly not. All
 * that is let in lives on for a while, which costs the collector more than to make another.
 */
const ADMIT_ONE_IN = 9;
let missed = 1;
/** Whether the one let in last took the second of its slots. */
let isOther = false;

/**
 * Of a length at which nothing was found lately, one text in so many is looked for. No common divisor
 * with the other, nor with two: of texts that come by turns one would never be looked for.
 */
const LOOK_ONE_IN = 7;
let passed = 1;

/** For each length, how much oftener than one time in three a text of it was found lately. */
const luck: Int8Array = new Int8Array(SHORT + 1);
const MOST_LUCK = 16;

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
