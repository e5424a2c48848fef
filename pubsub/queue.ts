import type { KeyNotification } from "../parse/mod.ts";
import { byteText } from "../bytes/byte_text.ts";
import { Signal } from "./connection/timers.ts";
import { DroppedItems, type Gap, isNotification, type Item } from "./gap.ts";

/**
 * The limits of a queue.
 *
 * @example
 * ```ts no-run
 * import { connect, type QueueLimits } from "@keywatch/keywatch";
 *
 * const queue: QueueLimits = { items: 10_000, bytes: 2 ** 20 };
 * await using notifications = await connect("redis://localhost:6379", { queue });
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export interface QueueLimits {
  /** The maximum number of items. Default: 65,536. */
  readonly items: number;
  /** The maximum size in bytes, of the channels and payloads. Default: 67,108,864 (64 MiB). */
  readonly bytes: number;
}

/**
 * Which notifications a full queue drops: the oldest one (`drop-oldest`), the new one (`drop-newest`), or
 * all but the newest of each key (`coalesce`), and the oldest if that is not enough.
 *
 * @example
 * ```ts no-run
 * import { connect, type Overflow } from "@keywatch/keywatch";
 *
 * // For a cache, only the last event of each key matters.
 * const overflow: Overflow = "coalesce";
 * await using notifications = await connect("redis://localhost:6379", { queue: { overflow } });
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export type Overflow = "drop-oldest" | "drop-newest" | "coalesce";

/** What the delivery to consumers needs. */
export interface DeliveryOptions {
  /** The limits of each queue. */
  readonly limits: QueueLimits;
  /** What a full queue drops. */
  readonly overflow: Overflow;
  /** Counts what waits in queues. */
  readonly backpressure: Backpressure;
  /** Whether servers report flushes. */
  readonly flushes: boolean;
  /** Whether replicas stand by. */
  readonly standby: boolean;
  /** Called when a loop with gaps begins. */
  onGapLoop?(): void;
  /** Returns the server for the gaps of overflows, as `host:port`. */
  node(): string;
  /** Called for the gap of dropped notifications, at their place in the order. */
  onGap(gap: Gap): void;
  /** Called if a handler throws or its promise is rejected. */
  onError(error: unknown): void;
}

/** Numbers of notifications. */
export interface QueueCounts {
  /** How many wait. */
  readonly queued: number;
  /** Their bytes. */
  readonly queuedBytes: number;
  /** How many were dropped so far. */
  readonly dropped: number;
}

/** What a consumer shows besides notifications. */
export interface Shown {
  readonly gaps: boolean;
  readonly flushes: boolean;
  readonly rolledBack: boolean;
}

const NOTHING: Shown = { gaps: false, flushes: false, rolledBack: false };

/** The most items of a batch. */
const MAX_BATCH = 1_000;

/** The capacity of a queue when its first item arrives. */
const FIRST_LENGTH = 16;

/**
 * A queue bounded in items and bytes. It reports what it dropped as a gap before the first item after it.
 */
export class BoundedQueue {
  readonly #options: DeliveryOptions;
  // A ring whose length is a power of two; it grows up to the limit of items. It is empty until the
  // first item arrives, because most handlers never have anything wait.
  #items: (Item | DroppedItems | undefined)[] = [];
  #sizes: number[] = [];
  #sentAfter: number[] = [];
  #head = 0;
  #length = 0;
  /** The number of items that are notifications. */
  #notifications = 0;
  #bytes = 0;
  /** Items dropped from the front: older than all others. */
  #before: DroppedItems | null = null;
  /** Items dropped at the back: newer than all others. */
  #after: DroppedItems | null = null;
  #dropped = 0;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** Of gaps, flushes and marks of dropped items, only the bytes count. */
  get counts(): QueueCounts {
    return { queued: this.#notifications, queuedBytes: this.#bytes, dropped: this.#dropped };
  }

  /**
   * Adds the newest item, and drops others if necessary.
   *
   * @param bytes its size
   * @param sentAfter a time, in ms since the epoch, before which the server did not send it
   */
  push(item: Item, bytes: number, sentAfter: number): void {
    const { limits, overflow, backpressure } = this.#options;
    if (this.#length === 0 && this.#after !== null) {
      // Nothing stands between them any more, so the mark needs no place.
      if (this.#before === null) this.#before = this.#after;
      else this.#before.add(this.#after, Infinity);
      this.#after = null;
    }
    if (!this.#fits(bytes)) {
      if (overflow === "coalesce") this.#coalesce(item);
      while (overflow !== "drop-newest" && this.#length > 0 && !this.#fits(bytes)) {
        this.#dropOldest();
      }
      if (!this.#fits(bytes)) {
        (this.#after ??= new DroppedItems()).add(item, sentAfter);
        this.#count(item);
        return;
      }
    }
    if (this.#after !== null) {
      // Beyond the limit of items, but not of bytes.
      this.#append(this.#after, this.#after.bytes, Infinity);
      this.#after = null;
    }
    this.#append(item, bytes, sentAfter);
    if (this.#length * 8 > limits.items || this.#bytes * 8 > limits.bytes) backpressure.mark();
  }

  /** Takes the oldest item that is shown. A gap where items were dropped is reported first. */
  take({ gaps, flushes, rolledBack }: Shown = NOTHING): Item | undefined {
    for (;;) {
      const item = this.#takeAny();
      if (item === undefined) return undefined;
      if (
        item.kind === "gap"
          ? gaps
          : item.kind === "flush"
          ? flushes
          : isNotification(item) || rolledBack
      ) return item;
    }
  }

  /** Takes all such items up to the next place where items were dropped, or a full batch. */
  takeBatch(shown?: Shown): Item[] | undefined {
    let item = this.take(shown);
    if (item === undefined) return undefined;
    const batch = [item];
    while (batch.length < MAX_BATCH && !this.#isMarked()) {
      item = this.take(shown);
      if (item === undefined) break;
      batch.push(item);
    }
    return batch;
  }

  /** Whether a gap of dropped items is taken next. */
  #isMarked(): boolean {
    if (this.#before !== null && !this.#before.isEmpty) return true;
    return this.#length === 0
      ? this.#after !== null
      : this.#items[this.#head] instanceof DroppedItems;
  }

  #takeAny(): Item | undefined {
    const { node, onGap } = this.#options;
    for (;;) {
      const dropped = this.#before?.take(node());
      if (dropped !== undefined) {
        if (dropped.kind === "gap") onGap(dropped);
        return dropped;
      }
      this.#before = null;
      const item = this.#shift();
      if (item instanceof DroppedItems) this.#before = item;
      else if (item !== undefined || this.#after === null) return item;
      else [this.#before, this.#after] = [this.#after, null];
    }
  }

  /** Removes all items. */
  clear(): void {
    this.#items = [];
    this.#sizes = [];
    this.#sentAfter = [];
    this.#head = 0;
    this.#options.backpressure.waiting -= this.#length;
    this.#length = 0;
    this.#notifications = 0;
    this.#bytes = 0;
    this.#before = null;
    this.#after = null;
    this.#options.backpressure.emptied();
  }

  /** Whether an item fits, and the mark of items dropped just before it. */
  #fits(bytes: number): boolean {
    const { items, bytes: most } = this.#options.limits;
    const mark = this.#after?.bytes ?? 0;
    return this.#length < items && this.#bytes + mark + bytes <= most;
  }

  #append(item: Item | DroppedItems, bytes: number, sentAfter: number): void {
    if (this.#length === this.#items.length) this.#grow();
    const place = (this.#head + this.#length) & (this.#items.length - 1);
    this.#items[place] = item;
    this.#sizes[place] = bytes;
    this.#sentAfter[place] = sentAfter;
    this.#length++;
    if (isNotification(item)) this.#notifications++;
    this.#bytes += bytes;
    this.#options.backpressure.waiting++;
  }

  #dropOldest(): void {
    const sentAfter = this.#sentAfter[this.#head]!;
    const item = this.#shift()!;
    (this.#before ??= new DroppedItems()).add(item, sentAfter);
    this.#count(item);
  }

  /** Counts a dropped item. Items behind a mark were counted before. */
  #count(item: Item | DroppedItems): void {
    if (isNotification(item)) this.#dropped++;
  }

  #shift(): Item | DroppedItems | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#items[this.#head]!;
    this.#items[this.#head] = undefined;
    if (isNotification(item)) this.#notifications--;
    this.#bytes -= this.#sizes[this.#head]!;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#options.backpressure.waiting--;
    if (--this.#length === 0) this.#options.backpressure.emptied();
    return item;
  }

  /**
   * Keeps only the newest notification of each key, `newest` included. Frees at least an eighth of the
   * limits, so that one pass over the queue serves many items.
   */
  #coalesce(newest: Item): void {
    const keys: string[] = [];
    const newestOf = new Map<string, Item | DroppedItems>();
    const note = (item: Item | DroppedItems) => {
      const key = isNotification(item) ? identity(item) : "";
      keys.push(key);
      newestOf.set(key, item);
    };
    const mask = this.#items.length - 1;
    for (let n = 0; n < this.#length; n++) note(this.#items[(this.#head + n) & mask]!);
    note(newest);
    // Once round the ring: the items that are kept come in at its end again.
    for (let left = this.#length, n = 0; left > 0; left--, n++) {
      const item = this.#items[this.#head]!;
      if (isNotification(item) && newestOf.get(keys[n]!) !== item) this.#dropOldest();
      else {
        const [bytes, sentAfter] = [this.#sizes[this.#head]!, this.#sentAfter[this.#head]!];
        this.#shift();
        this.#append(item, bytes, sentAfter);
      }
    }
    const { items, bytes } = this.#options.limits;
    while (this.#length > 0 && (this.#length > items * 7 / 8 || this.#bytes > bytes * 7 / 8)) {
      this.#dropOldest();
    }
  }

  /** Moves a full ring into one twice as long. */
  #grow(): void {
    const length = Math.max(FIRST_LENGTH, this.#length * 2);
    const moved = <T>(ring: T[]): T[] => {
      const next = [...ring.slice(this.#head), ...ring.slice(0, this.#head)];
      next.length = length;
      return next;
    };
    this.#items = moved(this.#items);
    this.#sizes = moved(this.#sizes);
    this.#sentAfter = moved(this.#sentAfter);
    this.#head = 0;
  }
}

/** Returns a text that identifies the key by its bytes. */
function identity(notification: KeyNotification): string {
  return `${notification.database}:${byteText(notification.keyBytes)}`;
}

/** How many turns in a row consumers may leave unused before they no longer count as prompt. */
const MAX_UNUSED_TURNS = 16;

/**
 * Counts what waits in queues, and lets consumers run before more is read.
 *
 * While bytes are there, runtimes hand them out at once, and reading alone lets nothing else run: a
 * queue would fill, and drop, although its consumer is prompt.
 */
export class Backpressure {
  /** How many items wait, in all queues. */
  waiting = 0;
  #high = false;
  readonly #emptied = new Signal();
  /** Ends the turns of the event loop that are waited for. */
  readonly #turns = new Signal();
  #isEnded = false;

  /** A queue is filling up. */
  mark(): void {
    this.#high = true;
  }

  /** A queue has been emptied. */
  emptied(): void {
    this.#emptied.notify();
  }

  /** Ends all turns: nothing is read any more. */
  end(): void {
    this.#isEnded = true;
    this.#emptied.notify();
    this.#turns.notify();
  }

  /** Yields to consumers before more is read; null when nothing waits. */
  yield(): Promise<void> | null {
    return this.waiting === 0 || this.#isEnded ? null : this.#yield();
  }

  async #yield(): Promise<void> {
    // Consumers that take one item after another need no more than turns of this kind, and with them
    // queues stay short.
    for (let unused = 0; this.waiting > 0 && unused < MAX_UNUSED_TURNS;) {
      const before = this.waiting;
      await null;
      if (this.waiting >= before) unused++;
      else {
        unused = 0;
        // A consumer is active, and a check after each item would cost much of its time. The wait ends
        // when a queue is empty, or when all consumers wait for something else: promises run before timers.
        if (this.waiting > 0) await this.#emptied.wait(0);
      }
    }
    // Other consumers get a turn of the whole event loop when a queue fills up.
    if (!this.#high || this.#isEnded) return;
    this.#high = false;
    await this.#turns.wait(0);
  }
}
