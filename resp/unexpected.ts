import { RespSyntaxError } from "./errors.ts";

/** The error of a byte that must not stand where it does. */
export function unexpected(byte: number, offset: number, expected: string): RespSyntaxError {
  return new RespSyntaxError(offset, printable(byte), expected);
}

function printable(byte: number): string {
  if (byte < 0x7f) return JSON.stringify(String.fromCharCode(byte));
  return `byte 0x${byte.toString(16)}`;
}
