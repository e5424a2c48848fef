/** Most that is reserved beyond the bytes that have come. */
const STEP = 1 << 20;

const LEAST = 64;

/**
 * Bytes that come in pieces and leave as one.
 *
 * Full blocks are kept and joined at the end instead of being copied into ever larger ones: each
 * byte is copied at most twice, and what is reserved stays within one block of what has come.
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
   * @param expected How many bytes are to come in all, these included, where that is known.
   */
  append(source: Uint8Array, start: number, end: number, expected: number): void {
    let from = start;
    while (from < end) {
      if (this.#filled === this.#last.length) {
        this.#grow(Math.max(expected - this.length, end - from));
      }
      const count = Math.min(end - from, this.#last.length - this.#filled);
      this.#last.set(source.subarray(from, from + count), this.#filled);
      this.#filled += count;
      this.length += count;
      from += count;
    }
  }

  /** The bytes as one array, which is the caller's to keep; the buffer is empty again. */
  take(): Uint8Array<ArrayBuffer> {
    let whole = this.#last;
    if (this.#blocks.length > 0 || this.#filled < whole.length) {
      whole = new Uint8Array(this.length);
      let at = 0;
      for (const block of this.#blocks) {
        whole.set(block, at);
        at += block.length;
      }
      whole.set(this.#last.subarray(0, this.#filled), at);
    }
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

  #grow(missing: number): void {
    if (this.#last.length > 0) this.#blocks.push(this.#last);
    // As much again as has come, so that a length nobody announced needs few blocks too.
    this.#last = new Uint8Array(Math.min(STEP, Math.max(missing, this.length, LEAST)));
    this.#filled = 0;
  }
}

const EMPTY: Uint8Array<ArrayBuffer> = new Uint8Array(0);
