/** How much a queue may hold before the oldest is dropped. */
export interface QueueLimits {
  /** Items at most. */
  readonly items: number;
  /** Bytes at most: channel and payload of each notification. */
  readonly bytes: number;
}

/** What a queue had to drop, all of it older than the first item it still holds. */
export interface Dropped {
  /** When the first dropped one came, in ms since the epoch. */
  readonly from: number;
  /** When the last dropped one came, in ms since the epoch. */
  readonly to: number;
  /** How many were dropped. */
  readonly count: number;
}

/**
 * A queue bounded in items and bytes that drops its oldest items and remembers that it did.
 *
 * Invariant: what was dropped and not yet taken lies, in time, before every item that is held.
 */
export class BoundedQueue<T extends { readonly timestamp: number }> {
  readonly #limits: QueueLimits;
  // A ring whose length is a power of two; it grows up to the limit of items.
  #items: (T | undefined)[] = new Array(16);
  #sizes: number[] = new Array(16).fill(0);
  #head = 0;
  #length = 0;
  #bytes = 0;
  #dropped: Dropped | null = null;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** How many items are held. */
  get length(): number {
    return this.#length;
  }

  /** How many bytes the held items stand for. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there is anything to take, be it an item or news of dropped ones. */
  get isEmpty(): boolean {
    return this.#length === 0 && this.#dropped === null;
  }

  /** Adds the newest item, which stands for so many bytes; drops the oldest where it must. */
  push(item: T, bytes: number): void {
    const { items, bytes: most } = this.#limits;
    while (this.#length > 0 && (this.#length >= items || this.#bytes + bytes > most)) {
      this.#drop(this.#shift()!);
    }
    if (bytes > most || items === 0) {
      this.#drop(item);
      return;
    }
    if (this.#length === this.#items.length) this.#grow();
    const place = (this.#head + this.#length) & (this.#items.length - 1);
    this.#items[place] = item;
    this.#sizes[place] = bytes;
    this.#length++;
    this.#bytes += bytes;
  }

  /** Takes what was dropped since the last call; it comes before the next item. */
  takeDropped(): Dropped | null {
    const dropped = this.#dropped;
    this.#dropped = null;
    return dropped;
  }

  /** Takes the oldest item. */
  shift(): T | undefined {
    return this.#shift();
  }

  /** Moves all of it into an empty queue. */
  moveInto(empty: BoundedQueue<T>): void {
    empty.#dropped = this.takeDropped();
    while (this.#length > 0) {
      const bytes = this.#sizes[this.#head]!;
      empty.push(this.#shift()!, bytes);
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#items = new Array(16);
    this.#sizes = new Array(16).fill(0);
    this.#head = 0;
    this.#length = 0;
    this.#bytes = 0;
    this.#dropped = null;
  }

  #shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#bytes -= this.#sizes[this.#head]!;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#length--;
    return item;
  }

  #drop(item: T): void {
    const before = this.#dropped;
    this.#dropped = {
      from: before?.from ?? item.timestamp,
      to: item.timestamp,
      count: (before?.count ?? 0) + 1,
    };
  }

  #grow(): void {
    const length = this.#items.length;
    const items = new Array<T | undefined>(length * 2);
    const sizes = new Array<number>(length * 2).fill(0);
    for (let index = 0; index < this.#length; index++) {
      const place = (this.#head + index) & (length - 1);
      items[index] = this.#items[place];
      sizes[index] = this.#sizes[place]!;
    }
    this.#items = items;
    this.#sizes = sizes;
    this.#head = 0;
  }
}
