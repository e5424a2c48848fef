import { EVENTS } from "./event.ts";
import { decodeExact, toBytes } from "./text.ts";

/** A table with one place for each hash; whichever name came last has it, so it cannot grow. */
const names: string[] = new Array(512);

/** Chosen so that no two events of the catalogue share a place, which a test holds. */
export function placeOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  return (bytes[start]! * 34 + bytes[end - 1]! * 14 + bytes[start + (length >> 1)]! * 16 +
    length * 57) & 511;
}

for (const { name } of EVENTS) names[placeOf(toBytes(name), 0, name.length)] = name;

/**
 * The text of an event's name: for one seen before the same string again.
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
