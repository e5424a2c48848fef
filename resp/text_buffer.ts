import { makeText } from "../bytes/text.ts";

/**
 * Bytes that are turned to text at a time. Not fewer, because a text that is put together holds some
 * 30 bytes for each of its parts.
 */
const PART = 2 ** 15;

/** A piece of so many bytes is turned to text where it lies. */
const LARGE = 2 ** 12;

/**
 * Text whose bytes come in pieces, cut anywhere.
 *
 * It becomes text as it comes and its bytes are never all held: 32 MiB take 13 ms so in Node 20, and
 * 26 when they are put together first.
 */
export class TextBuffer {
  /** How many bytes have come. */
  length = 0;
  #text = "";
  #part: Uint8Array | null = null;
  #filled = 0;

  /** Adds `source` from `start` to `end`. */
  append(source: Uint8Array, start: number, end: number): void {
    this.length += end - start;
    let from = start;
    if (end - start >= LARGE) {
      // What is there ends with the letter that the piece begins within.
      while (this.#filled > 0 && from < end && cutLetter(this.#part!, this.#filled) > 0) {
        this.#keep(source, from, from + 1);
        from++;
      }
      if (this.#filled > 0) this.#turn(this.#part!, this.#filled);
      const to = end - cutLetter(source, end);
      if (to > from) this.#text += makeText(source, from, to);
      from = Math.max(from, to);
    }
    this.#keep(source, from, end);
  }

  /** Keeps bytes until they are so many that they are turned to text. */
  #keep(source: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    const part = this.#part ??= new Uint8Array(PART);
    for (let from = start; from < end;) {
      const count = Math.min(end - from, PART - this.#filled);
      part.set(source.subarray(from, from + count), this.#filled);
      this.#filled += count;
      from += count;
      if (this.#filled === PART) this.#turn(part, PART - cutLetter(part, PART));
    }
  }

  /** The text; the buffer is empty again. */
  take(): string {
    if (this.#part !== null) this.#turn(this.#part, this.#filled);
    const text = this.#text;
    this.clear();
    return text;
  }

  /** Forgets everything. */
  clear(): void {
    this.length = 0;
    this.#text = "";
    this.#filled = 0;
  }

  /** Turns what is before `end` to text; the rest moves to the front. */
  #turn(part: Uint8Array, end: number): void {
    this.#text += makeText(part, 0, end);
    part.copyWithin(0, end, this.#filled);
    this.#filled -= end;
  }
}

/** How many of the last bytes before `end` are a letter in UTF-8 that is not all there. */
function cutLetter(bytes: Uint8Array, end: number): number {
  for (let count = 1; count <= 3 && count <= end; count++) {
    const byte = bytes[end - count]!;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return count < length ? count : 0;
    }
  }
  return 0;
}
