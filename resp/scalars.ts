import { decodeText } from "../bytes/text.ts";
import { makeServerError, RespSyntaxError } from "./errors.ts";
import * as TYPE from "./type_bytes.ts";
import type { Reply } from "./types.ts";

// The specification allows leading zeros, and a double has digits before and after its dot. hiredis is
// stricter about the former and more lenient about the latter. Servers print doubles with `%.17g`, so
// an exponent is allowed.

const PLUS = 43;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const QUESTION = 63;
const E = 101;
const TO_LOWER = 0x20;
const TRUE = 116;
const FALSE = 102;

/** This many decimal digits always fit a double exactly. */
const SAFE_DIGITS = 15;

/** A line. The functions below throw RespSyntaxError if it has another form. */
export interface Line {
  readonly bytes: Uint8Array;
  /** Index of the first byte after the type. */
  readonly start: number;
  /** Index of its CR. */
  readonly end: number;
  /** Offset of the bytes in the stream. */
  readonly base: number;
}

/** Returns the error of an unexpected byte. */
export function unexpected(byte: number, offset: number, expected: string): RespSyntaxError {
  const isAscii = byte < 0x7f;
  const found = isAscii ? JSON.stringify(String.fromCharCode(byte)) : `byte 0x${byte.toString(16)}`;
  return new RespSyntaxError(offset, found, expected);
}

/** Returns the same error for a byte of a line. */
function wrong({ bytes, base }: Line, at: number, expected: string): RespSyntaxError {
  return unexpected(bytes[at]!, base + at, expected);
}

/** Throws unless the line ends at `at`. */
export function requireEnd(line: Line, at: number, expected = "CR LF"): void {
  if (at < line.end) throw wrong(line, at, expected);
}

/** Reads a line that is a whole value; undefined if it is none, because other parts follow it. */
export function parseScalar(type: number, line: Line): Reply | undefined {
  switch (type) {
    case TYPE.SIMPLE_STRING:
      return decodeText(line.bytes, line.start, line.end);
    case TYPE.SIMPLE_ERROR:
      return makeServerError(decodeText(line.bytes, line.start, line.end));
    case TYPE.INTEGER:
      return parseInteger(line);
    case TYPE.DOUBLE:
      return parseDouble(line);
    case TYPE.BIG_NUMBER:
      return parseBigNumber(line);
    case TYPE.BOOLEAN:
      return parseBoolean(line);
    case TYPE.NULL:
      requireEnd(line, line.start);
      return null;
    case TYPE.ARRAY:
    case TYPE.BULK_STRING:
      return isMinusOne(line) ? null : undefined;
    default:
      return undefined;
  }
}

/** Returns whether it is `-1`, the length of a null in RESP2. */
function isMinusOne({ bytes, start, end }: Line): boolean {
  return end - start === 2 && bytes[start] === MINUS && bytes[start + 1] === ZERO + 1;
}

/** Returns whether it is `?`, the length of a streamed value. */
export function isQuestionMark({ bytes, start, end }: Line): boolean {
  return end - start === 1 && bytes[start] === QUESTION;
}

/** Reads `t` or `f`. */
function parseBoolean(line: Line): boolean {
  const byte = line.bytes[line.start];
  if (byte !== TRUE && byte !== FALSE) throw wrong(line, line.start, "t or f");
  requireEnd(line, line.start + 1);
  return byte === TRUE;
}

/** Reads a length or a count: digits without a sign. Returns a safe integer, however many there are. */
export function parseLength(line: Line): number {
  return Math.min(parseDigits(line, line.start), Number.MAX_SAFE_INTEGER);
}

/** Reads an integer of 64 bits: a number if that is exact, otherwise a bigint. */
function parseInteger(line: Line): number | bigint {
  const { bytes, start, base } = line;
  const size = parseDigits(line, skipSign(line, start));
  // 0 - size: an integer has no -0.
  if (size <= Number.MAX_SAFE_INTEGER) return bytes[start] === MINUS ? 0 - size : size;
  if (size <= 2 ** 63) {
    const value = parseBigNumber(line);
    if (value === BigInt.asIntN(64, value)) return value;
  }
  // Without its digits: a hostile server may send those of a password.
  throw new RespSyntaxError(base + start, "a larger number", "an integer of 64 bits");
}

/** Reads an integer of any size. */
function parseBigNumber(line: Line): bigint {
  const { bytes, start, end } = line;
  requireEnd(line, skipDigits(line, skipSign(line, start)), "a digit");
  return BigInt(decodeText(bytes, start, end));
}

/** Reads a double: `inf`, `nan`, or digits with or without a fraction and an exponent. */
function parseDouble(line: Line): number {
  const { bytes, start, end } = line;
  const digits = skipSign(line, start);
  if (!isDigit(bytes[digits]!)) {
    // C libraries print a negative NaN as `-nan`, and servers pass that on.
    const word = decodeText(bytes, digits, end);
    if (word === "nan") return NaN;
    if (word === "inf") return bytes[start] === MINUS ? -Infinity : Infinity;
    throw wrong(line, digits, "a digit, inf or nan");
  }
  let at = skipDigits(line, digits);
  if (bytes[at] === DOT) at = skipDigits(line, at + 1);
  if ((bytes[at]! | TO_LOWER) === E) at = skipDigits(line, skipSign(line, at + 1));
  requireEnd(line, at, "a digit or the end of the double");
  return Number(decodeText(bytes, start, end));
}

function skipSign({ bytes }: Line, at: number): number {
  return bytes[at] === PLUS || bytes[at] === MINUS ? at + 1 : at;
}

/** Skips at least one digit. */
function skipDigits(line: Line, start: number): number {
  const { bytes, end } = line;
  let at = start;
  while (at < end && isDigit(bytes[at]!)) at++;
  if (at === start) throw wrong(line, at, "a digit");
  return at;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}

/** Reads digits up to the end of the line; inexact beyond the safe integers. */
function parseDigits(line: Line, start: number): number {
  const { bytes, end } = line;
  requireEnd(line, skipDigits(line, start), "a digit");
  if (end - start > SAFE_DIGITS) return Number(decodeText(bytes, start, end));
  let value = 0;
  for (let at = start; at < end; at++) value = value * 10 + bytes[at]! - ZERO;
  return value;
}
