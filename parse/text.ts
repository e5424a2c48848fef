const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Longest run of bytes that is turned to text without the runtime's decoder. */
const SHORT = 64;

/**
 * One array for each length, because `String.fromCharCode` takes exactly what it is given. A text of
 * 29 bytes takes 45 ns so in Deno and 55 in Node, where the runtime's decoder takes 95 and 75.
 */
const units: number[][] = Array.from({ length: SHORT + 1 }, (_, n) => new Array(n).fill(0));

/**
 * The text of bytes that are UTF-8, from which they could be made again.
 *
 * @param bytes Where the text lies.
 * @param start Index of its first byte.
 * @param end Index after its last byte.
 * @returns `null` when a byte is not UTF-8, or stands for U+FFFD, which is how such a byte shows.
 */
export function decodeExact(bytes: Uint8Array, start: number, end: number): string | null {
  const out = units[end - start];
  let i = 0;
  for (; out && i < out.length && bytes[start + i]! < 128; i++) out[i] = bytes[start + i]!;
  if (out?.length === i) return String.fromCharCode.apply(null, out);
  const text = decoder.decode(bytes.subarray(start, end));
  return text.includes("\ufffd") ? null : text;
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
 */
export function decodeText(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
): string {
  return decodeExact(bytes, start, end) ?? decoder.decode(bytes.subarray(start, end));
}

/** Text as its UTF-8 bytes; bytes as they are. */
export function toBytes(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? encoder.encode(value) : value;
}
