/** The steps of FNV-1a, 32 bits. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * A map whose keys are byte strings, looked up by a range of a larger buffer.
 *
 * Dispatch asks it once for each message with the channel as it stands in the network chunk; a
 * `Map` would need a string made of those bytes first.
 */
export class ByteMap<T> {
  // Open addressing, at most half full: a free place ends every search.
  #keys: (Uint8Array | undefined)[] = new Array(16);
  #values: (T | undefined)[] = new Array(16);
  #size = 0;

  /** How many keys there are. */
  get size(): number {
    return this.#size;
  }

  /** The value of the key that stands at `bytes[start..end)`. */
  get(bytes: Uint8Array, start: number, end: number): T | undefined {
    return this.#values[this.#place(bytes, start, end)];
  }

  /** Puts a value; the map keeps `key` and expects it never to change. */
  set(key: Uint8Array, value: T): void {
    if (this.#size * 2 >= this.#keys.length) this.#resize(this.#keys.length * 2);
    const place = this.#place(key, 0, key.length);
    if (this.#keys[place] === undefined) this.#size++;
    this.#keys[place] = key;
    this.#values[place] = value;
  }

  /** Takes a key out, if it is there. */
  delete(key: Uint8Array): void {
    const mask = this.#keys.length - 1;
    let hole = this.#place(key, 0, key.length);
    if (this.#keys[hole] === undefined) return;
    this.#size--;
    // Later keys of the same run move up, so that no search ends at the hole before its key.
    for (let next = (hole + 1) & mask;; next = (next + 1) & mask) {
      const moved = this.#keys[next];
      if (moved === undefined) break;
      const home = hash(moved, 0, moved.length) & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      this.#keys[hole] = moved;
      this.#values[hole] = this.#values[next];
      hole = next;
    }
    this.#keys[hole] = undefined;
    this.#values[hole] = undefined;
  }

  /** Where the key is, or the free place where it would go. */
  #place(bytes: Uint8Array, start: number, end: number): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    for (let place = hash(bytes, start, end) & mask;; place = (place + 1) & mask) {
      const key = keys[place];
      if (key === undefined || equals(key, bytes, start, end)) return place;
    }
  }

  #resize(length: number): void {
    const keys = this.#keys;
    const values = this.#values;
    this.#keys = new Array(length);
    this.#values = new Array(length);
    keys.forEach((key, index) => {
      if (key === undefined) return;
      const place = this.#place(key, 0, key.length);
      this.#keys[place] = key;
      this.#values[place] = values[index];
    });
  }
}

function hash(bytes: Uint8Array, start: number, end: number): number {
  let hash = FNV_OFFSET;
  for (let index = start; index < end; index++) {
    hash = Math.imul(hash ^ bytes[index]!, FNV_PRIME);
  }
  // The low bits choose the place; those of FNV-1a alone are weak.
  return (hash ^ (hash >>> 15)) >>> 0;
}

function equals(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (key.length !== end - start) return false;
  for (let index = 0; index < key.length; index++) {
    if (key[index] !== bytes[start + index]) return false;
  }
  return true;
}
