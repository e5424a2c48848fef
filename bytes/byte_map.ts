/** What precedes each key, in bytes: its length, and the number of its value. */
const LENGTH = 0;
const VALUE = 4;
const HEAD = 8;

/** The slot is free: no key stands at the beginning of the memory. */
const FREE = 0;
/** Where the first key stands. */
const FIRST = 4;
/** In place of the value's number: the key was deleted. */
const GONE = -1;

/**
 * A map whose keys are byte strings, looked up by a range of a larger buffer.
 *
 * Each message needs one lookup of its channel in the network chunk. A `Map` would need a string of
 * those bytes first. With many channels, a lookup mostly waits for memory, so it reads two places: a
 * slot of four bytes, and the key with its length and the number of its value. A value that many keys
 * share is held once, so that it stays in the processor's cache.
 */
export class ByteMap<T> {
  /**
   * Open addressing, at most four fifths full: a free slot ends every search. The low bits of a slot
   * are the place of its key, in words; the bits above are those of the key's hash.
   */
  #slots = new Int32Array(16);
  /** The keys, one after another, aligned to words; its length is a power of two. */
  #memory = new DataView(new ArrayBuffer(256));
  /** The bits of a slot that are the place of its key. */
  #placeBits = 256 / 4 - 1;
  /** Where the last key ends. */
  #filled = FIRST;
  /** How much of that belongs to keys that were not deleted. */
  #live = 0;
  #size = 0;
  readonly #values = new Values<T>();
  #viewed: Uint8Array = new Uint8Array();
  #view: DataView = new DataView(this.#viewed.buffer);

  /** The number of keys. */
  get size(): number {
    return this.#size;
  }

  /** The value of all keys, if they have the same one. */
  get onlyValue(): T | undefined {
    return this.#values.only;
  }

  /** Returns the value of the key `bytes[start..end)`. */
  get(bytes: Uint8Array, start: number, end: number): T | undefined {
    const view = this.#viewOf(bytes);
    const found = this.#slots[this.#find(view, start, end, hash(view, start, end))]!;
    if (found === FREE) return undefined;
    return this.#values.at(this.#memory.getInt32(this.#placeOf(found) + VALUE, true));
  }

  /** Sets a value. The key is copied. */
  set(key: Uint8Array, value: T): void {
    const view = this.#viewOf(key);
    const code = hash(view, 0, key.length);
    let slot = this.#find(view, 0, key.length, code);
    const number = this.#values.add(value);
    if (this.#slots[slot] !== FREE) {
      const at = this.#placeOf(this.#slots[slot]!) + VALUE;
      this.#values.remove(this.#memory.getInt32(at, true));
      this.#memory.setInt32(at, number, true);
      return;
    }
    const more = sizeOf(key.length);
    if (
      (this.#size + 1) * 5 > this.#slots.length * 4 ||
      this.#filled + more > this.#memory.byteLength
    ) {
      this.#rebuild(more);
      slot = this.#find(view, 0, key.length, code);
    }
    const at = this.#filled;
    this.#memory.setInt32(at + LENGTH, key.length, true);
    this.#memory.setInt32(at + VALUE, number, true);
    new Uint8Array(this.#memory.buffer).set(key, at + HEAD);
    this.#slots[slot] = this.#entry(at, code);
    this.#filled += more;
    this.#live += more;
    this.#size++;
  }

  /** Deletes a key, if it is there. */
  delete(key: Uint8Array): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const view = this.#viewOf(key);
    let hole = this.#find(view, 0, key.length, hash(view, 0, key.length));
    if (slots[hole] === FREE) return;
    const at = this.#placeOf(slots[hole]!) + VALUE;
    this.#values.remove(this.#memory.getInt32(at, true));
    this.#memory.setInt32(at, GONE, true);
    this.#live -= sizeOf(key.length);
    this.#size--;
    // Later keys of the same run move up, so that no search ends at the hole before it finds its key.
    for (let next = (hole + 1) & mask;; next = (next + 1) & mask) {
      const entry = slots[next]!;
      if (entry === FREE) break;
      const home = this.#hashAt(this.#placeOf(entry)) & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      slots[hole] = entry;
      hole = next;
    }
    slots[hole] = FREE;
  }

  /** Returns the slot of the key, or the free one where it belongs. */
  #find(view: DataView, start: number, end: number, code: number): number {
    const slots = this.#slots;
    const memory = this.#memory;
    const mask = slots.length - 1;
    const placeBits = this.#placeBits;
    for (let slot = code & mask;; slot = (slot + 1) & mask) {
      const found = slots[slot]!;
      if (found === FREE) return slot;
      // These bits of the hash did not choose the slot, so few other keys are compared.
      if (((found ^ code) & ~placeBits) !== 0) continue;
      const at = (found & placeBits) << 2;
      if (
        memory.getInt32(at + LENGTH, true) === end - start &&
        same(memory, at + HEAD, view, start, end)
      ) return slot;
    }
  }

  #placeOf(entry: number): number {
    return (entry & this.#placeBits) << 2;
  }

  #entry(at: number, code: number): number {
    return (at >> 2) | (code & ~this.#placeBits);
  }

  #hashAt(at: number): number {
    const length = this.#memory.getInt32(at + LENGTH, true);
    return hash(this.#memory, at + HEAD, at + HEAD + length);
  }

  /** A chunk contains hundreds of messages, so its view is kept. */
  #viewOf(bytes: Uint8Array): DataView {
    if (bytes !== this.#viewed) {
      this.#viewed = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    return this.#view;
  }

  /** Moves all keys to new memory, with room for `more` bytes and for half as many keys again. */
  #rebuild(more: number): void {
    const old = this.#memory;
    const bytes = new Uint8Array(powerOfTwo((FIRST + this.#live + more) * 1.5));
    const slots = new Int32Array(powerOfTwo((this.#size + 1) * 1.25));
    const mask = slots.length - 1;
    this.#memory = new DataView(bytes.buffer);
    this.#placeBits = bytes.length / 4 - 1;
    let filled = FIRST;
    for (let at = FIRST; at < this.#filled;) {
      const size = sizeOf(old.getInt32(at + LENGTH, true));
      if (old.getInt32(at + VALUE, true) !== GONE) {
        bytes.set(new Uint8Array(old.buffer, at, size), filled);
        const code = this.#hashAt(filled);
        let slot = code & mask;
        while (slots[slot] !== FREE) slot = (slot + 1) & mask;
        slots[slot] = this.#entry(filled, code);
        filled += size;
      }
      at += size;
    }
    this.#slots = slots;
    this.#filled = filled;
  }
}

/** Numbers values, each once, for as long as a key has it. */
class Values<T> {
  readonly #values: (T | undefined)[] = [];
  readonly #numbers = new Map<T, number>();
  /** How many keys have it. */
  readonly #uses: number[] = [];
  readonly #vacant: number[] = [];

  /** The value that every key has. */
  get only(): T | undefined {
    return this.#numbers.size === 1 ? this.#numbers.keys().next().value : undefined;
  }

  at(number: number): T | undefined {
    return this.#values[number];
  }

  add(value: T): number {
    let number = this.#numbers.get(value);
    if (number === undefined) {
      number = this.#vacant.pop() ?? this.#values.length;
      this.#values[number] = value;
      this.#uses[number] = 0;
      this.#numbers.set(value, number);
    }
    this.#uses[number]!++;
    return number;
  }

  remove(number: number): void {
    if (--this.#uses[number]! > 0) return;
    this.#numbers.delete(this.#values[number]!);
    this.#values[number] = undefined;
    this.#vacant.push(number);
  }
}

/** Returns how many bytes a key of that length takes: whole words, so that places count words. */
function sizeOf(length: number): number {
  return HEAD + ((length + 3) & ~3);
}

/** Returns the next power of two, at least 16. */
function powerOfTwo(least: number): number {
  return 2 ** Math.max(4, Math.ceil(Math.log2(least)));
}

/** FNV-1a over words instead of bytes. */
function hash(view: DataView, start: number, end: number): number {
  let hash = 0x811c9dc5 ^ (end - start);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    hash = Math.imul(hash ^ view.getInt32(at, true), 0x01000193);
    // The high bits of a product depend on all bits before it, its low ones do not.
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ view.getUint8(at), 0x01000193);
  return hash ^ (hash >>> 15);
}

function same(key: DataView, at: number, view: DataView, start: number, end: number): boolean {
  let place = start;
  const offset = at - start;
  for (; place + 4 <= end; place += 4) {
    if (key.getInt32(place + offset, true) !== view.getInt32(place, true)) return false;
  }
  for (; place < end; place++) {
    if (key.getUint8(place + offset) !== view.getUint8(place)) return false;
  }
  return true;
}
