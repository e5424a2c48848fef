import { encodeUtf8 } from "../bytes/utf8.ts";
import { viewOf } from "../bytes/view.ts";
import { encodeCommand } from "./encoder.ts";
import type { Reply } from "./types.ts";

const CR = 13;
const LF = 10;
const ZERO = 48;
const DOLLAR = 36;

/**
 * One pub/sub message as places in the bytes that it arrived in. Nothing is copied.
 *
 * A decoder has one such object and fills it for every message. The object and its `bytes` are valid
 * only during the call. Copy what you keep with {@linkcode decodeText} or `slice()`.
 *
 * @example
 * ```ts
 * import { Decoder, decodeText } from "@keywatch/keywatch/resp";
 *
 * new Decoder({
 *   reply() {},
 *   push() {},
 *   message({ bytes, channelStart, channelEnd, payloadStart, payloadEnd }) {
 *     const channel = decodeText(bytes, channelStart, channelEnd);
 *     const payload = bytes.slice(payloadStart, payloadEnd);
 *     console.log(channel, payload);
 *   },
 * });
 * ```
 */
export interface MessageFrame {
  /** Holds the parts below. */
  bytes: Uint8Array;
  /** Index of the first byte of the pattern; `-1` for `message`, which has none. */
  patternStart: number;
  /** Index after the last byte of the pattern; `-1` for `message`. */
  patternEnd: number;
  /** Index of the first byte of the channel. */
  channelStart: number;
  /** Index after the last byte of the channel. */
  channelEnd: number;
  /** Index of the first byte of the payload. */
  payloadStart: number;
  /** Index after the last byte of the payload. */
  payloadEnd: number;
}

/** Returns an empty frame. */
export function emptyMessageFrame(): MessageFrame {
  return {
    bytes: new Uint8Array(0),
    patternStart: -1,
    patternEnd: -1,
    channelStart: 0,
    channelEnd: 0,
    payloadStart: 0,
    payloadEnd: 0,
  };
}

// What the functions below return for input that they do not read. Lengths and ends are above zero.

/** The input is something else, or wrong, or too long. The decoder's general path reads it. */
export const NO_MATCH = 0;

/** The input is right as far as it goes. A number below this: at least that many bytes are missing. */
export const INCOMPLETE = -1;

// The frame after its type byte.
const PMESSAGE_HEAD: Uint8Array = /* @__PURE__ */ encodeUtf8("4\r\n$8\r\npmessage\r\n");
const MESSAGE_HEAD: Uint8Array = /* @__PURE__ */ encodeUtf8("3\r\n$7\r\nmessage\r\n");

/**
 * Reads a `message` or `pmessage` whose parts are bulk strings.
 *
 * The fixed bytes are compared four at a time, as numbers whose lowest byte is the first. Literals
 * stand for them, because engines load constants of a module from memory.
 *
 * @param frame Filled if there is a frame.
 * @param bytes The input, which ends at `size`.
 * @param start Index of the type byte, which the caller has checked.
 * @param most A longer frame does not match.
 * @returns Where the frame ends, {@linkcode NO_MATCH}, or {@linkcode INCOMPLETE} and below.
 */
export function readMessageFrame(
  frame: MessageFrame,
  bytes: Uint8Array,
  start: number,
  size: number,
  most: number,
): number {
  const words = viewOf(bytes);
  const head = start + 18 <= size ? words.getInt32(start + 1, true) : 0;
  let part: number;
  let at: number;
  if (
    // 4\r\n$ 8\r\np mess age\r \n
    head === 0x240a0d34 && words.getInt32(start + 5, true) === 0x700a0d38 &&
    words.getInt32(start + 9, true) === 0x7373656d &&
    words.getInt32(start + 13, true) === 0x0d656761 && bytes[start + 17] === 10
  ) {
    part = 0;
    at = start + 18;
  } else if (
    // 3\r\n$ 7\r\nm essa ge\r\n
    head === 0x240a0d33 && words.getInt32(start + 5, true) === 0x6d0a0d37 &&
    words.getInt32(start + 9, true) === 0x61737365 &&
    words.getInt32(start + 13, true) === 0x0a0d6567
  ) {
    frame.patternStart = -1;
    frame.patternEnd = -1;
    part = 1;
    at = start + 17;
  } else {
    return matchHead(bytes, start + 1, size);
  }
  for (; part < 3; part++) {
    if (at + 6 > size) return matchCut(bytes, words, at, size, start + most);
    const word = words.getInt32(at, true);
    let length = (word >> 8 & 0xff) - 48;
    let from = at + 4;
    if ((word & 0xffff00ff) !== 0x0a0d0024 || length < 0 || length > 9) {
      const second = (word >> 16 & 0xff) - 48;
      if (
        (word & 0xff0000ff) === 0x0d000024 && length >= 0 && length <= 9 && second >= 0 &&
        second <= 9 && bytes[from] === 10
      ) {
        length = length * 10 + second;
        from++;
      } else {
        const head = readBulkHead(bytes, words, at, size);
        if (head <= 0) return head;
        length = contentLength(head);
        from = contentStart(at, head);
      }
    }
    const to = from + length;
    if (to - start > most) return NO_MATCH;
    if (to + 1 >= size || words.getInt16(to, true) !== 0x0a0d) {
      return matchCut(bytes, words, at, size, start + most);
    }
    if (part === 0) {
      frame.patternStart = from;
      frame.patternEnd = to;
    } else if (part === 1) {
      frame.channelStart = from;
      frame.channelEnd = to;
    } else {
      frame.payloadStart = from;
      frame.payloadEnd = to;
    }
    at = to + 2;
  }
  frame.bytes = bytes;
  return at;
}

/** Whether what has arrived from `from` on begins a message. */
function matchHead(bytes: Uint8Array, from: number, size: number): number {
  const head = bytes[from] === PMESSAGE_HEAD[0] ? PMESSAGE_HEAD : MESSAGE_HEAD;
  for (let i = 0; i < head.length && from + i < size; i++) {
    if (bytes[from + i] !== head[i]) return NO_MATCH;
  }
  return INCOMPLETE;
}

/**
 * The same of a part of one, which begins at `start` and may not end after `last`. Each of its bytes is
 * checked as it arrives.
 */
function matchCut(
  bytes: Uint8Array,
  words: DataView,
  start: number,
  size: number,
  last: number,
): number {
  const head = readBulkHead(bytes, words, start, size);
  if (head <= 0) return head;
  const to = contentStart(start, head) + contentLength(head);
  if (to > last) return NO_MATCH;
  if (to >= size) return size - to - 1;
  return bytes[to] === CR && to + 1 === size ? INCOMPLETE : NO_MATCH;
}

/**
 * Fills a frame from the items of a push, for messages in a form that servers do not send.
 *
 * @param frame Filled, with bytes of its own, if the items are a message.
 * @returns Whether they are.
 */
export function fillMessageFrame(frame: MessageFrame, items: readonly Reply[]): boolean {
  const parts = items.map(bytesOf).filter((part) => part !== null);
  if (parts.length < items.length) return false;
  // In the form that servers send.
  const bytes = encodeCommand(parts);
  return readMessageFrame(frame, bytes, 0, bytes.length, Infinity) > 0;
}

/**
 * Returns the bytes of a string; null for another value, and for text that contains U+FFFD, because
 * its bytes are unknown.
 */
export function bytesOf(item: Reply | undefined): Uint8Array | null {
  if (item instanceof Uint8Array) return item;
  return typeof item === "string" && !item.includes("\uFFFD") ? encodeUtf8(item) : null;
}

/** The most digits of a length: the head below then fits 32 bits. */
const MAX_DIGITS = 8;

/** Length of the shortest bulk string. */
const SHORTEST = 6;

/**
 * Reads the head of a bulk string: `$`, its length, CR LF.
 *
 * @param bytes The input, which ends at `size`.
 * @param words A view of it.
 * @returns The length and its number of digits as one number, for {@linkcode contentLength} and
 * {@linkcode contentStart}, because two would cost an object; {@linkcode NO_MATCH} or
 * {@linkcode INCOMPLETE}.
 */
export function readBulkHead(
  bytes: Uint8Array,
  words: DataView,
  start: number,
  size: number,
): number {
  if (start + SHORTEST <= size) {
    const word = words.getInt32(start, true);
    const first = (word >> 8 & 0xff) - 48;
    const second = (word >> 16 & 0xff) - 48;
    if (first >= 0 && first <= 9) {
      // $, a digit, CR and LF.
      if ((word & 0xffff00ff) === 0x0a0d0024) return first << 4 | 1;
      if (
        // $, two digits, CR; and LF.
        (word & 0xff0000ff) === 0x0d000024 && second >= 0 && second <= 9 &&
        bytes[start + 4] === 10
      ) return (first * 10 + second) << 4 | 2;
    }
  }
  return readLongHead(bytes, start, size);
}

/** The same of a head of any length. Apart, so that engines inline the short case. */
function readLongHead(bytes: Uint8Array, start: number, size: number): number {
  if (start >= size) return INCOMPLETE;
  if (bytes[start] !== DOLLAR) return NO_MATCH;
  let at = start + 1;
  let length = 0;
  for (; at < size; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) break;
    if (at - start > MAX_DIGITS) return NO_MATCH;
    length = length * 10 + digit;
  }
  const digits = at - start - 1;
  if (at < size && (bytes[at] !== CR || digits === 0)) return NO_MATCH;
  if (at + 1 >= size) return INCOMPLETE;
  return bytes[at + 1] === LF ? length << 4 | digits : NO_MATCH;
}

/** Returns where the content of a bulk string begins whose head stands at `start`. */
export function contentStart(start: number, head: number): number {
  // The type and CR LF are three bytes.
  return start + (head & 15) + 3;
}

/** Returns the length of a bulk string. */
export function contentLength(head: number): number {
  return head >> 4;
}
