import { RespLimitError, RespSyntaxError } from "./errors.ts";
import { MAX_DIGITS } from "./limits.ts";
import { decodeText } from "../bytes/text.ts";
import { unexpected } from "./unexpected.ts";

// Each of these reads a part of a line, `bytes` from `start` to `end`, where a CR stands. Its first
// byte has the place `offset` in the stream. Whatever is not such a number throws RespSyntaxError.
//
// What a number is, the specification says (https://redis.io/docs/latest/develop/reference/protocol-spec/):
// one or more digits, so zeros may stand in front, though no server writes any and hiredis refuses
// them; a double has digits before its dot and after it, so `.5`, `1.` and hexadecimal, which the
// strtod of hiredis takes, are none. An exponent is one, as servers write doubles by `%.17g`.

const PLUS = 43;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const E = 101;
const TO_LOWER = 0x20;

const INT64_LIMIT = 2n ** 63n;

/** So many decimal digits always fit a double exactly. */
const SAFE_DIGITS = 15;

/** A length or a count: digits without a sign. Infinity when it is beyond all doubles. */
export function parseLength(
  bytes: Uint8Array,
  start: number,
  end: number,
  offset: number,
): number {
  skipDigitsToEnd(bytes, start, end, offset - start);
  return toNumber(bytes, start, end);
}

/** An integer of 64 bits: a number where that holds it exactly, else a bigint. */
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

/** A whole number of any size. */
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
    // C libraries print a negative NaN as `-nan`, and servers pass that on. The `nan(…)` that C also
    // allows is printed on no system that servers run on.
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

/** Goes over at least one digit. */
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
