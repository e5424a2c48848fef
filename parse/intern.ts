import { decodeExact } from "./text.ts";

/** A table with a place for each hash. Whichever name came last has it, so it cannot grow. */
const names: string[] = new Array(512);

/** Chosen so that no two events of the catalogue share a place, which a test holds. */
export function placeOf(bytes: Uint8Array, start: number, end: number): number {
  return (bytes[start]! * 34 + bytes[end - 1]! * 14 + bytes[start + end >> 1]! * 16 +
    (end - start) * 57) & 511;
}

/**
 * The text of an event's name: for one seen before the same string again.
 *
 * Takes 6 ns less than making the text anew in Deno, 12 in Node, 35 in Bun, and no memory.
 *
 * @returns `null` when it is not UTF-8.
 */
export function internName(bytes: Uint8Array, start: number, end: number): string | null {
  const place = placeOf(bytes, start, end);
  const name = names[place];
  let i = end - start;
  if (name?.length === i) {
    while (i-- && name.charCodeAt(i) === bytes[start + i]);
    if (i < 0) return name;
  }
  const text = decodeExact(bytes, start, end);
  if (text && text.length < 64) names[place] = text;
  return text;
}
