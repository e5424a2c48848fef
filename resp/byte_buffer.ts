/** What is reserved beyond what has come: at first, … */
const FIRST_STEP = 2 ** 20;

/** … and once so much has come. */
const STEP = 2 ** 25;

const LEAST = 64;

const EMPTY: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/**
 * Bytes that come in pieces and leave as one.
 *
 * What has come lies in blocks, until the rest is so little that it may be reserved too: then all
 * moves to one array of the whole length. So a length that is only announced reserves a megabyte at
 * most, and yet 32 megabytes are copied once and any more of them twice.
 */
export class ByteBuffer {
  /** How many bytes have come. */
  length = 0;
  #blocks: Uint8Array<ArrayBuffer>[] = [];
  #last: Uint8Array<ArrayBuffer> = EMPTY;
  #filled = 0;

  /**
   * Adds `source` from `start` to `end`.
   *
   * @param missing How many bytes are to come from `start` on, these included; or at least these.
   */
  append(source: Uint8Array, start: number, end: number, missing: number = 0): void {
    let from = start;
    while (from < end) {
      if (this.#filled === this.#last.length) this.#grow(end - from, missing - (from - start));
      const count = Math.min(end - from, this.#last.length - this.#filled);
      this.#last.set(source.subarray(from, from + count), this.#filled);
      this.#filled += count;
      this.length += count;
      from += count;
    }
  }

  /** The bytes as one array, which is the caller's to keep; the buffer is empty again. */
  take(): Uint8Array<ArrayBuffer> {
    if (this.#blocks.length > 0 || this.#filled < this.#last.length) this.#join(this.length);
    const whole = this.#last;
    this.clear();
    return whole;
  }

  /** Forgets everything. */
  clear(): void {
    this.#blocks = [];
    this.#last = EMPTY;
    this.#filled = 0;
    this.length = 0;
  }

  #grow(here: number, missing: number): void {
    const allowed = this.length < FIRST_STEP ? FIRST_STEP : STEP;
    if (missing > 0 && missing <= allowed) return this.#join(this.length + missing);
    if (this.#last.length > 0) this.#blocks.push(this.#last);
    const size = missing > 0 ? allowed : Math.min(STEP, Math.max(here, this.length, LEAST));
    this.#last = new Uint8Array(size);
    this.#filled = 0;
  }

  /** Puts what has come at the front of one array of that length. */
  #join(length: number): void {
    const whole = new Uint8Array(length);
    let at = 0;
    for (const block of this.#blocks) {
      whole.set(block, at);
      at += block.length;
    }
    whole.set(
      this.#filled < this.#last.length ? this.#last.subarray(0, this.#filled) : this.#last,
      at,
    );
    this.#blocks = [];
    this.#last = whole;
    this.#filled = this.length;
  }
}
