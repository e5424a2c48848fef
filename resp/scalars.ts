import { RespLimitError, RespSyntaxError } from "./errors.ts";
import { MAX_DIGITS } from "./limits.ts";
import { decodeText } from "../bytes/text.ts";

// Each of the parsers reads a part of a line: `bytes` from `start` to `end`, where a CR stands. Its
// first byte has the place `offset` in the stream. They throw RespSyntaxError for anything else.
//
// The specification (https://redis.io/docs/latest/develop/reference/protocol-spec/) allows leading
// zeros, and a double has digits before and after its dot. hiredis is stricter about the former and
// more lenient about the latter. An exponent is allowed, because servers print doubles with `%.17g`.

const PLUS = 43;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const E = 101;
const TO_LOWER = 0x20;
const TRUE = 116;
const FALSE = 102;

const INT64_LIMIT = 2n ** 63n;

/** This many decimal digits always fit a double exactly. */
const SAFE_DIGITS = 15;

/** The error of a byte that must not stand where it does. */
export function unexpected(byte: number, offset: number, expected: string): RespSyntaxError {
  const found = byte < 0x7f
    ? JSON.stringify(String.fromCharCode(byte))
    : `byte 0x${byte.toString(16)}`;
  return new RespSyntaxError(offset, found, expected);
}

/** Throws if a line has content where none may be. */
export function requireEnd(bytes: Uint8Array, start: number, end: number, offset: number): void {
  if (start < end) throw unexpected(bytes[start]!, offset, "CR LF");
}

/** Whether the content is `-1`, the length of a null in RESP2. */
export function isMinusOne(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 2 && bytes[start] === MINUS && bytes[start + 1] === ZERO + 1;
}

/** `t` or `f`. */
export function parseBoolean(
  bytes: Uint8Array,
  start: number,
  end: number,
  offset: number,
): boolean {
  const byte = bytes[start]!;
  if (byte !== TRUE && byte !== FALSE) throw unexpected(byte, offset, "t or f");
  requireEnd(bytes, start + 1, end, offset + 1);
  return byte === TRUE;
}

/** A length or a count: digits without a sign. Infinity if it is beyond all doubles. */
export function parseLength(
  bytes: Uint8Array,
  start: number,
  end: number,
  offset: number,
): number {
  skipDigitsToEnd(bytes, start, end, offset - start);
  return toNumber(bytes, start, end);
}

/** An integer of 64 bits: a number where that holds it exactly, otherwise a bigint. */
export function parseInteger(
  bytes: Uint8Array,
  start: number,
  end: number,
  offset: number,
): number | bigint {
  const digits = skipSign(bytes, start);
  skipDigitsToEnd(bytes, digits, end, offset - start);
  const negative = bytes[start] === MINUS;
  const size = toNumber(bytes, digits, end);
  // 0 - size: an integer has no -0.
  if (size <= Number.MAX_SAFE_INTEGER) return negative ? 0 - size : size;
  if (size <= 2 ** 63) {
    const value = BigInt(decodeText(bytes, digits, end));
    if (negative && value <= INT64_LIMIT) return -value;
    if (!negative && value < INT64_LIMIT) return value;
  }
  // Without its digits: a hostile server may send those of a password.
  throw new RespSyntaxError(offset, "a larger number", "an integer of 64 bits");
}

/** An integer of any size. */
export function parseBigNumber(
  bytes: Uint8Array,
  start: number,
  end: number,
  offset: number,
): bigint {
  const digits = skipSign(bytes, start);
  skipDigitsToEnd(bytes, digits, end, offset - start);
  if (end - digits > MAX_DIGITS) throw new RespLimitError("maxLineLength", MAX_DIGITS, offset);
  const size = BigInt(decodeText(bytes, digits, end));
  return bytes[start] === MINUS ? -size : size;
}

/** A double: `inf`, `nan`, or digits with or without a fraction and an exponent. */
export function parseDouble(
  bytes: Uint8Array,
  start: number,
  end: number,
  offset: number,
): number {
  const base = offset - start;
  const digits = skipSign(bytes, start);
  if (!isDigit(bytes[digits]!)) {
    // C libraries print a negative NaN as `-nan`, and servers pass that on.
    const word = decodeText(bytes, digits, end);
    if (word === "nan") return NaN;
    if (word === "inf") return bytes[start] === MINUS ? -Infinity : Infinity;
    throw unexpected(bytes[digits]!, base + digits, "a digit, inf or nan");
  }
  let at = skipDigits(bytes, digits, end, base);
  if (bytes[at] === DOT) at = skipDigits(bytes, at + 1, end, base);
  if ((bytes[at]! | TO_LOWER) === E) {
    at = skipDigits(bytes, skipSign(bytes, at + 1), end, base);
  }
  if (at < end) throw unexpected(bytes[at]!, base + at, "a digit or the end of the double");
  return Number(decodeText(bytes, start, end));
}

function skipSign(bytes: Uint8Array, start: number): number {
  return bytes[start] === PLUS || bytes[start] === MINUS ? start + 1 : start;
}

function skipDigitsToEnd(bytes: Uint8Array, start: number, end: number, base: number): void {
  const at = skipDigits(bytes, start, end, base);
  if (at < end) throw unexpected(bytes[at]!, base + at, "a digit");
}

/** Skips at least one digit. */
function skipDigits(bytes: Uint8Array, start: number, end: number, base: number): number {
  let at = start;
  while (at < end && isDigit(bytes[at]!)) at++;
  if (at === start) throw unexpected(bytes[at]!, base + at, "a digit");
  return at;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}

function toNumber(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > SAFE_DIGITS) return Number(decodeText(bytes, start, end));
  let value = 0;
  for (let at = start; at < end; at++) value = value * 10 + bytes[at]! - ZERO;
  return value;
}
