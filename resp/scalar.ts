import { makeServerError } from "./errors.ts";
import { parseBigNumber, parseDouble, parseInteger } from "./numbers.ts";
import { decodeText } from "../bytes/text.ts";
import type { Reply } from "./types.ts";
import { unexpected } from "./unexpected.ts";
import * as wire from "./wire.ts";

const TRUE = 116;
const FALSE = 102;

/**
 * The value of a line that is one by itself.
 *
 * @param type Its type.
 * @param bytes Holds its content, and the CR after that.
 * @param start Where the content begins.
 * @param end Where the CR stands.
 * @param offset Place of the content in the stream.
 * @returns The value; `undefined` when the line only announces what is to come.
 * @throws {RespSyntaxError} When it is not what its type says.
 */
export function parseScalar(
  type: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  offset: number,
): Reply | undefined {
  switch (type) {
    case wire.SIMPLE_STRING:
      return decodeText(bytes, start, end);
    case wire.SIMPLE_ERROR:
      return makeServerError(decodeText(bytes, start, end));
    case wire.INTEGER:
      return parseInteger(bytes, start, end, offset);
    case wire.DOUBLE:
      return parseDouble(bytes, start, end, offset);
    case wire.BIG_NUMBER:
      return parseBigNumber(bytes, start, end, offset);
    case wire.BOOLEAN:
      return parseBoolean(bytes, start, end, offset);
    case wire.NULL:
      requireEnd(bytes, start, end, offset);
      return null;
    case wire.BULK_STRING:
    case wire.ARRAY:
      return isMinusOne(bytes, start, end) ? null : undefined;
    default:
      return undefined;
  }
}

/** Throws when a line has content where none may be. */
export function requireEnd(bytes: Uint8Array, start: number, end: number, offset: number): void {
  if (start < end) throw unexpected(bytes[start]!, offset, "CR LF");
}

function parseBoolean(bytes: Uint8Array, start: number, end: number, offset: number): boolean {
  const byte = bytes[start]!;
  if (byte !== TRUE && byte !== FALSE) throw unexpected(byte, offset, "t or f");
  requireEnd(bytes, start + 1, end, offset + 1);
  return byte === TRUE;
}

/** The nulls of RESP2. */
function isMinusOne(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 2 && bytes[start] === wire.MINUS && bytes[start + 1] === wire.ZERO + 1;
}
