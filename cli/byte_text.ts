import { printable } from "../pubsub/connection/printable.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as text; null if they are not UTF-8. */
export function decodeStrict(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

/** Bytes as printable text. If they are not UTF-8, those that are not ASCII are escaped. */
export function printableBytes(bytes: Uint8Array): string {
  const text = decodeStrict(bytes) ??
    Array.from(bytes, (byte) => byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`)
      .join("");
  return printable(text);
}
