import { makeText } from "../bytes/text.ts";

// How much may be reserved for announced bytes beyond what has arrived: at first …
const FIRST_STEP = 1_048_576;

// … once that much has arrived, and then as much as has arrived.
const STEP = 33_554_432;

/** The least that is reserved where nothing is announced … */
const LEAST = 4096;

/** … and the most that is kept for the next input. */
const MOST_KEPT = LEAST;

/** Up to so many bytes, copying in a loop is faster than creating an array for `set`. */
const LOOPED = 128;

/** So much is collected before it becomes text, because each part of a text takes memory. */
const TEXT_PART = 32_768;

/**
 * Incomplete input: the beginning of a message, of a line or of the content of a bulk string.
 *
 * A server that announces a long string and sends little of it makes the buffer reserve little. A
 * string of up to 32 MiB is nevertheless copied once, except for its first megabyte.
 */
export class InputBuffer {
  /** Holds the input from its start on. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** How many bytes of input there are. */
  length = 0;
  /** The input before `bytes`, if it is text. */
  #text = "";

  /**
   * Appends `source[start..end)`.
   *
   * @param announced How many bytes are still to come, these included; 0 if that is unknown.
   */
  append(source: Uint8Array, start: number, end: number, announced: number = 0): void {
    const needed = this.length + end - start;
    if (needed > this.bytes.length) {
      const step = this.length < FIRST_STEP ? FIRST_STEP : Math.max(STEP, this.length);
      const size = Math.min(this.length + announced, this.length + step);
      const grown = new Uint8Array(size >= needed ? size : Math.max(LEAST, 2 * needed));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    if (end - start <= LOOPED) {
      const shift = this.length - start;
      for (let i = start; i < end; i++) this.bytes[i + shift] = source[i]!;
    } else {
      this.bytes.set(source.subarray(start, end), this.length);
    }
    this.length = needed;
  }

  /** Removes the input and returns it in an array of its own. */
  take(): Uint8Array<ArrayBuffer> {
    const isExact = this.length === this.bytes.length;
    const taken = isExact ? this.bytes : this.bytes.subarray(0, this.length).slice();
    if (isExact) this.bytes = new Uint8Array(0);
    this.clear();
    return taken;
  }

  /** Appends text, which is decoded in parts, so that its bytes are never all held. */
  appendText(source: Uint8Array, start: number, end: number): void {
    this.append(source, start, end);
    const { bytes, length } = this;
    if (length < TEXT_PART) return;
    // The last character may be cut. After three more such bytes it is not one character.
    let last = length - 1;
    while (last > length - 4 && (bytes[last]! & 0xc0) === 0x80) last--;
    const to = bytes[last]! >= 0xc0 ? last : length;
    this.#text += makeText(bytes, 0, to);
    this.drop(to);
  }

  /** Removes the first `count` bytes. */
  drop(count: number): void {
    if (count > 0) this.bytes.copyWithin(0, count, this.length);
    this.length -= count;
  }

  /** Removes the input and returns it as text. */
  takeText(): string {
    const text = this.#text + makeText(this.bytes, 0, this.length);
    this.clear();
    return text;
  }

  /** Removes the input. */
  clear(): void {
    if (this.bytes.length > MOST_KEPT) this.bytes = new Uint8Array(0);
    this.length = 0;
    this.#text = "";
  }
}

/** Returns all of these in one array. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
