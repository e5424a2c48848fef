import { viewOf } from "../bytes/view.ts";

/** Reserved beyond what has arrived: at first … */
const FIRST_STEP = 2 ** 20;

/** … and once that much has arrived. */
const STEP = 2 ** 25;

/** The least that is reserved … */
const LEAST = 4096;

/** … and the most that is kept for the next input. */
const MOST_KEPT = 2 ** 16;

/** Up to so many bytes, copying in a loop is faster than making an array for `set`. */
const LOOPED = 128;

/**
 * Input that is incomplete: the beginning of a message, of a line or of the content of a bulk string.
 *
 * An announced length reserves a megabyte at most until that much has arrived. A bulk of up to 32 MiB
 * is nevertheless copied once: as soon as the rest may be reserved, everything moves to one array of
 * the exact length.
 */
export class InputBuffer {
  /** How many bytes there are. */
  length = 0;
  /** Holds them from its start on, unless {@linkcode #full} holds some. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** How many of `bytes` are filled. */
  #filled = 0;
  /** What comes before `bytes`. */
  #full: Uint8Array<ArrayBuffer>[] = [];

  /**
   * Adds `source` from `start` to `end`.
   *
   * @param missing How many bytes are still to come, these included, if that is known.
   */
  append(source: Uint8Array, start: number, end: number, missing = 0): void {
    if (this.length === 0 && this.bytes.length < Math.min(missing, FIRST_STEP)) this.#grow(missing);
    for (let from = start;;) {
      const to = Math.min(end, from + this.bytes.length - this.#filled);
      copy(source, from, to, this.bytes, this.#filled);
      this.#filled += to - from;
      this.length += to - from;
      if (to === end) return;
      from = to;
      this.#grow(missing - (from - start), end - from);
    }
  }

  /** Removes all bytes and returns them as one array, which is the caller's. */
  take(): Uint8Array<ArrayBuffer> {
    const isExact = this.length === this.bytes.length;
    const whole = isExact ? this.bytes : this.#join(this.length);
    if (isExact) this.bytes = new Uint8Array(0);
    this.clear();
    return whole;
  }

  /** Removes all bytes. */
  clear(): void {
    if (this.bytes.length > MOST_KEPT) this.bytes = new Uint8Array(0);
    if (this.#full.length > 0) this.#full = [];
    this.#filled = 0;
    this.length = 0;
  }

  /** Makes room for the `rest`, or for `more` bytes at least if that is not known. */
  #grow(rest: number, more = 0): void {
    const allowed = this.length < FIRST_STEP ? FIRST_STEP : STEP;
    if (rest > allowed) {
      if (this.#filled > 0) this.#full.push(this.bytes.subarray(0, this.#filled));
      this.bytes = new Uint8Array(allowed);
      this.#filled = 0;
    } else {
      const length = this.length + rest;
      this.bytes = this.#join(rest > 0 ? length : Math.max(LEAST, 2 * (this.length + more)));
      this.#full = [];
      this.#filled = this.length;
    }
  }

  /** One array of `length` bytes that begins with all that there are. */
  #join(length: number): Uint8Array<ArrayBuffer> {
    return join([...this.#full, this.bytes.subarray(0, this.#filled)], length);
  }
}

/** One array that begins with all of these; by default as long as they are. */
export function join(parts: readonly Uint8Array[], length?: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length ?? parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function copy(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  place: number,
): void {
  if (end - start > LOOPED) return target.set(source.subarray(start, end), place);
  const from = viewOf(source);
  const to = viewOf(target);
  const shift = place - start;
  let at = start;
  for (; at + 4 <= end; at += 4) to.setInt32(at + shift, from.getInt32(at, true), true);
  for (; at < end; at++) target[at + shift] = source[at]!;
}
