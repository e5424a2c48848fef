/** Strings up to this length are laid side by side. */
const SMALL = 64;

/** What a small string that is kept keeps alive at most. */
const BLOCK = 1024;

/** Of so many strings that are to come, those that follow are copied with the first. */
const MANY = 8;

/** Between a small string and the next are CR LF and a head of up to five bytes. */
const BETWEEN = 7;

/**
 * Copies strings of one aggregate out of a chunk, small ones into blocks that they share: 200,000 of
 * them take 15 ms so in Deno and 20 in Node 20, and 60 and 70 with a buffer for each.
 *
 * Where many are to come, a run of them is copied at once, with the heads in between.
 */
export class Copier {
  #block: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #used = 0;
  /** What of the chunk was copied at once, and where in the block it begins. */
  #runStart = 0;
  #runEnd = 0;
  #runPlace = 0;

  /** Begins with another chunk, or with the same one when it may have been written over. */
  begin(): void {
    this.#runStart = 0;
    this.#runEnd = 0;
  }

  /**
   * The bytes from `start` to `end` as an array of their own.
   *
   * @param remaining How many strings may follow in the same aggregate, this one included.
   */
  copy(bytes: Uint8Array, start: number, end: number, remaining: number): Uint8Array {
    const length = end - start;
    if (length > SMALL) return bytes.slice(start, end);
    if (end > this.#runEnd) {
      if (remaining < MANY) return this.#copyOne(bytes, start, length);
      this.#startRun(bytes, start, Math.min(BLOCK, remaining * (length + BETWEEN)));
    }
    const from = this.#runPlace + start - this.#runStart;
    return this.#block.subarray(from, from + length);
  }

  #copyOne(bytes: Uint8Array, start: number, length: number): Uint8Array {
    this.#makeRoom(length);
    const block = this.#block;
    const from = this.#used;
    for (let i = 0; i < length; i++) block[from + i] = bytes[start + i]!;
    this.#used = from + length;
    return block.subarray(from, from + length);
  }

  #startRun(bytes: Uint8Array, start: number, most: number): void {
    this.#makeRoom(Math.min(most, BLOCK / 2));
    const from = this.#used;
    const length = Math.min(most, BLOCK - from, bytes.length - start);
    this.#block.set(bytes.subarray(start, start + length), from);
    this.#used = from + length;
    this.#runStart = start;
    this.#runEnd = start + length;
    this.#runPlace = from;
  }

  #makeRoom(length: number): void {
    if (length <= this.#block.length - this.#used) return;
    this.#block = new Uint8Array(BLOCK);
    this.#used = 0;
  }
}
