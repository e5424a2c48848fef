import { EVENTS } from "./event.ts";
import { decodeShortAscii, toBytes } from "./text.ts";

/** A table with one place for each hash; whichever name came last has it, so it cannot grow. */
const names: string[] = new Array(512).fill("");

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
 * @returns `null` for a name that is empty, long or not ASCII.
 */
export function internName(bytes: Uint8Array, start: number, end: number): string | null {
  const place = placeOf(bytes, start, end);
  const name = names[place]!;
  if (name.length === end - start) {
    let i = 0;
    while (i < name.length && name.charCodeAt(i) === bytes[start + i]) i++;
    if (i === name.length) return name;
  }
  const text = decodeShortAscii(bytes, start, end);
  if (text !== null) names[place] = text;
  return text;
}
