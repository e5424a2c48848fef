import { encodeUtf8 } from "../bytes/utf8.ts";
import { COLON, COMMA, ZERO } from "./constants.ts";

/** A part of a message: `bytes[start..end)`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Returns the index of the first such byte in `bytes[start..end)`, or -1. */
export function indexOfByte(byte: number, bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) if (bytes[at] === byte) return at;
  return -1;
}

/** Returns whether `bytes[start..end)` begins with a text or with other bytes. */
export function startsWith(
  bytes: Uint8Array,
  start: number,
  end: number,
  part: string | Uint8Array,
): boolean {
  if (end - start < part.length) return false;
  for (let i = 0; i < part.length; i++) {
    // Encoding a text would cost more than making the text of a key.
    const byte = typeof part === "string" ? part.charCodeAt(i) : part[i]!;
    if (byte > 0x7f && typeof part === "string") {
      return startsWith(bytes, start + i, end, encodeUtf8(part.slice(i)));
    }
    if (bytes[start + i] !== byte) return false;
  }
  return true;
}

/**
 * Reads a decimal number without a sign or leading zeros, as servers write it. Returns -1 for anything
 * else and for a number above `max`.
 */
export function readDecimal(bytes: Uint8Array, start: number, end: number, max: number): number {
  if (end <= start || bytes[start] === ZERO && end - start > 1) return -1;
  let number = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
    if (number > max) return -1;
  }
  return number;
}

/** Reads `<length>:` and that many bytes, from `start` on. Returns the bytes, or `null`. */
export function readCounted(bytes: Uint8Array, start: number, end: number): Span | null {
  const colon = indexOfByte(COLON, bytes, start, end);
  const length = readDecimal(bytes, start, colon, end - colon - 1);
  return length < 0 ? null : { start: colon + 1, end: colon + 1 + length };
}

/** Reads `<length>:<bytes>` once or more often, separated by commas. Returns `null` for anything else. */
export function readList(bytes: Uint8Array, start: number, end: number): Span[] | null {
  const items: Span[] = [];
  for (let at = start;; at++) {
    const item = readCounted(bytes, at, end);
    if (item === null) return null;
    items.push(item);
    at = item.end;
    if (at === end) return items;
    if (bytes[at] !== COMMA) return null;
  }
}
