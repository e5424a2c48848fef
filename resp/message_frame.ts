import { decodeText } from "./text.ts";

/**
 * One pub/sub message as places in the bytes it came in: nothing is copied, nothing made.
 *
 * A decoder has one object of this kind and fills it anew for every message. It and its `bytes` are
 * valid only during the call: take what is to be kept with {@linkcode decodeText} or `slice()`.
 */
export interface MessageFrame {
  /** Holds the parts below. */
  bytes: Uint8Array;
  /** Where the pattern begins: `-1` for `message`, which has none. */
  patternStart: number;
  /** Where the pattern ends, exclusive. */
  patternEnd: number;
  /** Where the channel begins. */
  channelStart: number;
  /** Where the channel ends, exclusive. */
  channelEnd: number;
  /** Where the payload begins. */
  payloadStart: number;
  /** Where the payload ends, exclusive. */
  payloadEnd: number;
}

const CR = 13;
const LF = 10;
const DOLLAR = 36;
const ZERO = 48;
const FOUR = 52;
const THREE = 51;

/** More digits than any length within reason has; longer ones are for the general path to judge. */
const MAX_DIGITS = 9;

const utf8 = new TextEncoder();
const PMESSAGE: Uint8Array = utf8.encode("4\r\n$8\r\npmessage\r\n");
const MESSAGE: Uint8Array = utf8.encode("3\r\n$7\r\nmessage\r\n");

/**
 * Reads a `message` or `pmessage` frame that lies whole in `bytes`.
 *
 * @param frame Is filled when there is one.
 * @param bytes What has come.
 * @param start Where the frame's type byte stands, which the caller has looked at.
 * @param maxBulk A part longer than this is none.
 * @returns Where the frame ends, or -1 when there is no such frame, not the whole of one, or
 * anything is wrong with it: the general path then finds out what.
 */
export function readMessageFrame(
  frame: MessageFrame,
  bytes: Uint8Array,
  start: number,
  maxBulk: number,
): number {
  const count = bytes[start + 1];
  const head = count === FOUR ? PMESSAGE : count === THREE ? MESSAGE : undefined;
  if (head === undefined || bytes.length - start < head.length) return -1;
  for (let i = 0; i < head.length; i++) {
    if (bytes[start + 1 + i] !== head[i]) return -1;
  }
  let at = start + 1 + head.length;
  frame.patternStart = -1;
  frame.patternEnd = -1;
  if (head === PMESSAGE) {
    at = skipBulk(bytes, at, maxBulk);
    if (at < 0) return -1;
    frame.patternStart = bulkStart;
    frame.patternEnd = at - 2;
  }
  at = skipBulk(bytes, at, maxBulk);
  if (at < 0) return -1;
  frame.channelStart = bulkStart;
  frame.channelEnd = at - 2;
  at = skipBulk(bytes, at, maxBulk);
  if (at < 0) return -1;
  frame.payloadStart = bulkStart;
  frame.payloadEnd = at - 2;
  frame.bytes = bytes;
  return at;
}

/** Where the content of the bulk that {@linkcode skipBulk} went over begins. */
let bulkStart = 0;

/** The place after the bulk at `start` and its CR LF, or -1. */
function skipBulk(bytes: Uint8Array, start: number, maxBulk: number): number {
  if (bytes[start] !== DOLLAR) return -1;
  let length = 0;
  let at = start + 1;
  for (;; at++) {
    const digit = bytes[at]! - ZERO;
    if (!(digit >= 0 && digit <= 9)) break;
    length = length * 10 + digit;
  }
  const digits = at - start - 1;
  if (digits === 0 || digits > MAX_DIGITS || length > maxBulk) return -1;
  if (bytes[at] !== CR || bytes[at + 1] !== LF) return -1;
  const end = at + 2 + length;
  if (bytes[end] !== CR || bytes[end + 1] !== LF) return -1;
  bulkStart = at + 2;
  return end + 2;
}

/**
 * Makes the frame of a message that came in pieces.
 *
 * @param frame Is filled, with bytes of its own, when `items` are a message.
 * @param items What the frame on the wire held.
 * @returns Whether `items` are a `message` or `pmessage`.
 */
export function layMessageFrame(frame: MessageFrame, items: readonly unknown[]): boolean {
  const kind = items.length === 3 ? "message" : items.length === 4 ? "pmessage" : undefined;
  if (kind === undefined || !items.every((item) => item instanceof Uint8Array)) return false;
  if (decodeText(items[0]!) !== kind) return false;
  const pattern = kind === "pmessage" ? items[1]! : undefined;
  const channel = items.at(-2)!;
  const payload = items.at(-1)!;
  const patternEnd = pattern?.length ?? 0;
  const channelEnd = patternEnd + channel.length;
  const bytes = new Uint8Array(channelEnd + payload.length);
  if (pattern !== undefined) bytes.set(pattern);
  bytes.set(channel, patternEnd);
  bytes.set(payload, channelEnd);
  frame.bytes = bytes;
  frame.patternStart = pattern === undefined ? -1 : 0;
  frame.patternEnd = pattern === undefined ? -1 : patternEnd;
  frame.channelStart = patternEnd;
  frame.channelEnd = channelEnd;
  frame.payloadStart = channelEnd;
  frame.payloadEnd = bytes.length;
  return true;
}
