import { viewOf } from "./view.ts";

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
  /** How many keys are in the memory, deleted ones too. */
  #stored = 0;
  #size = 0;
  /** Each value once, by its number; undefined where no key has it any more. */
  #values: (T | undefined)[] = [];
  /** How many keys have it. */
  #uses: number[] = [];
  #numbers = new Map<T, number>();

  /** The number of keys. */
  get size(): number {
    return this.#size;
  }

  /** The value of all keys, if they have the same one. */
  get onlyValue(): T | undefined {
    return this.#numbers.size === 1 ? this.#numbers.keys().next().value : undefined;
  }

  /** Returns the value of the key `bytes[start..end)`. */
  get(bytes: Uint8Array, start: number, end: number): T | undefined {
    const view = viewOf(bytes);
    const at = this.#placeIn(this.#find(view, start, end, hash(view, start, end)));
    return at === FREE ? undefined : this.#values[this.#memory.getInt32(at + VALUE, true)];
  }

  /** Sets a value. The key is copied. */
  set(key: Uint8Array, value: T): void {
    const more = HEAD + padded(key.length);
    if (
      (this.#stored + 1) * 5 > this.#slots.length * 4 ||
      this.#filled + more > this.#memory.byteLength
    ) this.#rebuild(more);
    const view = viewOf(key);
    const code = hash(view, 0, key.length);
    const slot = this.#find(view, 0, key.length, code);
    let at = this.#placeIn(slot);
    if (at === FREE) {
      at = this.#filled;
      this.#memory.setInt32(at + LENGTH, key.length, true);
      this.#memory.setInt32(at + VALUE, GONE, true);
      new Uint8Array(this.#memory.buffer).set(key, at + HEAD);
      this.#slots[slot] = this.#entry(at, code);
      this.#filled += more;
      this.#stored++;
    }
    if (this.#memory.getInt32(at + VALUE, true) === GONE) this.#size++;
    this.#setValue(at, this.#numberOf(value));
  }

  /** Deletes a key, if it is there. */
  delete(key: Uint8Array): void {
    const view = viewOf(key);
    const at = this.#placeIn(this.#find(view, 0, key.length, hash(view, 0, key.length)));
    if (at === FREE || this.#memory.getInt32(at + VALUE, true) === GONE) return;
    this.#size--;
    this.#setValue(at, GONE);
  }

  /** Sets the number of a key's value, and forgets the value that it had if no other key has it. */
  #setValue(at: number, number: number): void {
    const before = this.#memory.getInt32(at + VALUE, true);
    this.#memory.setInt32(at + VALUE, number, true);
    if (before === GONE || --this.#uses[before]! > 0) return;
    this.#numbers.delete(this.#values[before]!);
    this.#values[before] = undefined;
    // No more than half of the numbers stand for nothing.
    if (this.#values.length > 2 * this.#size) this.#rebuild(0);
  }

  /** Counts one more use of a value. */
  #numberOf(value: T): number {
    const number = this.#numbers.get(value) ?? this.#values.push(value) - 1;
    this.#numbers.set(value, number);
    this.#uses[number] = (this.#uses[number] ?? 0) + 1;
    return number;
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

  /** Returns where the key of a slot stands; `FREE` if it has none. */
  #placeIn(slot: number): number {
    return (this.#slots[slot]! & this.#placeBits) << 2;
  }

  #entry(at: number, code: number): number {
    return (at >> 2) | (code & ~this.#placeBits);
  }

  /**
   * Moves the keys that were not deleted to new memory, with space for `more` bytes and for half as many
   * keys again.
   */
  #rebuild(more: number): void {
    const old = this.#memory;
    const end = this.#filled;
    const values = this.#values;
    const sizeAt = (at: number) => HEAD + padded(old.getInt32(at + LENGTH, true));
    let live = FIRST + more;
    for (let at = FIRST; at < end; at += sizeAt(at)) {
      if (old.getInt32(at + VALUE, true) !== GONE) live += sizeAt(at);
    }
    this.#memory = new DataView(new ArrayBuffer(powerOfTwo(live * 1.5)));
    this.#placeBits = this.#memory.byteLength / 4 - 1;
    this.#slots = new Int32Array(powerOfTwo((this.#size + 1) * 1.3));
    this.#values = [];
    this.#uses = [];
    this.#numbers = new Map();
    this.#filled = FIRST;
    this.#stored = this.#size;
    const bytes = new Uint8Array(this.#memory.buffer);
    const mask = this.#slots.length - 1;
    for (let at = FIRST; at < end; at += sizeAt(at)) {
      const number = old.getInt32(at + VALUE, true);
      if (number === GONE) continue;
      const to = this.#filled;
      bytes.set(new Uint8Array(old.buffer, at, sizeAt(at)), to);
      this.#memory.setInt32(to + VALUE, this.#numberOf(values[number]!), true);
      const key = to + HEAD;
      const code = hash(this.#memory, key, key + old.getInt32(at + LENGTH, true));
      let slot = code & mask;
      while (this.#slots[slot] !== FREE) slot = (slot + 1) & mask;
      this.#slots[slot] = this.#entry(to, code);
      this.#filled += sizeAt(at);
    }
  }
}

/** Returns the length in whole words, so that places count words. */
function padded(length: number): number {
  return (length + 3) & ~3;
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
