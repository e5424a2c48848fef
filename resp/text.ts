const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Longest run of bytes that is turned to text without the runtime's decoder. */
const SHORT = 64;

/** One array for each length, because `String.fromCharCode` takes exactly what it is given. */
const units: number[][] = Array.from({ length: SHORT + 1 }, (_, n) => new Array(n).fill(0));

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
  const length = end - start;
  if (length > SHORT) return utf8.decode(bytes.subarray(start, end));
  const out = units[length]!;
  for (let i = 0; i < length; i++) {
    const byte = bytes[start + i]!;
    if (byte >= 0x80) return utf8.decode(bytes.subarray(start, end));
    out[i] = byte;
  }
  return String.fromCharCode.apply(null, out);
}
