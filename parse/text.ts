const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Longest run of bytes that is turned to text without the runtime's decoder. */
const SHORT = 64;

/** One array for each length, because `String.fromCharCode` takes exactly what it is given. */
const units: number[][] = Array.from({ length: SHORT + 1 }, (_, n) => new Array(n).fill(0));

/**
 * The text of a short run of ASCII bytes: the text and the bytes then say the same.
 *
 * @param bytes Where the text lies.
 * @param start Index of its first byte.
 * @param end Index after its last byte.
 * @returns The text, which shares nothing with the bytes, or `null` when the run is longer than 64
 * bytes or one of them is not ASCII.
 */
export function decodeShortAscii(bytes: Uint8Array, start: number, end: number): string | null {
  const out = units[end - start];
  if (!out) return null;
  for (let i = 0; start < end; i++, start++) {
    if (bytes[start]! > 127) return null;
    out[i] = bytes[start]!;
  }
  return String.fromCharCode.apply(null, out);
}

/**
 * The text of some bytes, read as UTF-8.
 *
 * The text shares nothing with the bytes nor with a bigger text, so keeping it keeps nothing else
 * alive. Bytes that are not UTF-8 become U+FFFD, as `TextDecoder` has it; a byte order mark is kept.
 *
 * @param bytes Where the text lies.
 * @param start Index of its first byte.
 * @param end Index after its last byte.
 *
 * @example
 * ```ts
 * import { decodeText } from "@keywatch/keywatch/resp";
 *
 * decodeText(new Uint8Array([104, 105, 33]), 0, 2); // "hi"
 * ```
 */
export function decodeText(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
): string {
  return decodeShortAscii(bytes, start, end) ?? decoder.decode(bytes.subarray(start, end));
}

/** Text as its UTF-8 bytes; bytes as they are. */
export function toBytes(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? encoder.encode(value) : value;
}
