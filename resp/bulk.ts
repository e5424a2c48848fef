import { BULK_STRING, CR, LF, ZERO } from "./wire.ts";

/** What is there so far is right, but it is not all there. */
export const CUT = -1;

/** It is something else, or wrong, or too long: the exact path will say. */
export const OTHER = -2;

/** Seven: the head fits one small integer then. A longer bulk is for the exact path. */
const MAX_DIGITS = 7;

/** Length of a head's type and CR LF. */
const AROUND = 3;

/** Length of an empty bulk string. */
const SHORTEST = 6;

/**
 * Reads the head of a bulk string, `$` and its length, for the straight paths.
 *
 * Of a short one it looks at four bytes as one word, the first in its lowest place.
 *
 * @param bytes What has come, up to `size`.
 * @param words The view of them.
 * @returns The length and the number of its digits as one number, for {@linkcode contentStart} and
 * {@linkcode contentEnd}; or below zero {@linkcode CUT} or {@linkcode OTHER}. One number, because to
 * give back two would cost an object.
 */
export function readBulkHead(
  bytes: Uint8Array,
  words: DataView,
  start: number,
  size: number,
): number {
  if (start + SHORTEST <= size) {
    const word = words.getInt32(start, true);
    const first = (word >> 8 & 0xff) - ZERO;
    const second = (word >> 16 & 0xff) - ZERO;
    if (first >= 0 && first <= 9) {
      // $, a digit, CR and LF.
      if ((word & 0xffff00ff) === 0x0a0d0024) return first << 3 | 1;
      if (
        // $, two digits, CR; and LF.
        (word & 0xff0000ff) === 0x0d000024 && second >= 0 && second <= 9 &&
        bytes[start + 4] === LF
      ) return (first * 10 + second) << 3 | 2;
    }
  }
  if (start >= size) return CUT;
  if (bytes[start] !== BULK_STRING) return OTHER;
  let at = start + 1;
  let length = 0;
  for (; at < size; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) break;
    length = length * 10 + digit;
  }
  const digits = at - start - 1;
  if (digits > MAX_DIGITS) return OTHER;
  if (at + 1 >= size) return at === size || (bytes[at] === CR && digits > 0) ? CUT : OTHER;
  if (digits === 0 || bytes[at] !== CR || bytes[at + 1] !== LF) return OTHER;
  return length << 3 | digits;
}

export function contentStart(start: number, head: number): number {
  return start + (head & 7) + AROUND;
}

export function contentLength(head: number): number {
  return head >> 3;
}
