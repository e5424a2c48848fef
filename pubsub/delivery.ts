import type { KeyNotification } from "../parse/mod.ts";
import type { Gap, Item } from "./gap.ts";
import { isPromiseLike } from "./connection/option_checks.ts";
import { type Backpressure, BoundedQueue, type Overflow, type QueueLimits } from "./queue.ts";

/**
 * Takes one notification after another; the next waits for a promise it returns.
 *
 * What it throws or rejects with goes to `onError` and stops nothing.
 *
 * @example
 * ```ts no-run
 * import { connect, type NotificationHandler } from "@keywatch/keywatch";
 *
 * const cache = new Map<string, string>();
 * const forget: NotificationHandler = ({ key }) => cache.delete(key);
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyspace("user:*", { handler: forget });
 * ```
 */
export type NotificationHandler = (notification: KeyNotification) => unknown;

/**
 * Takes one batch of notifications after another, in the order of the stream; the next waits for a
 * promise it returns. A batch is what has come since the last one, mostly by one read of the socket:
 * at least 1 and at most 1,000 notifications.
 *
 * What it throws or rejects with goes to `onError` and stops nothing.
 *
 * @example
 * ```ts no-run
 * import { type BatchHandler, connect } from "@keywatch/keywatch";
 *
 * const count: BatchHandler = (batch) => console.log(`${batch.length} keys have expired`);
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyevent("expired", { batchHandler: count });
 * ```
 */
export type BatchHandler = (batch: KeyNotification[]) => unknown;

/** Consumes the notifications of subscribed channels. */
export interface Consumer {
  /**
   * Takes the next notification.
   *
   * @param notification the notification
   * @param bytes the bytes that count in a queue
   * @param sentAfter a time, in ms since the epoch, before which the server did not send it
   */
  deliver(notification: KeyNotification, bytes: number, sentAfter: number): void;
  /** The number of notifications that wait for it. */
  readonly queued: number;
  /** The bytes of those notifications. */
  readonly queuedBytes: number;
  /** The number of notifications that it has dropped. */
  readonly dropped: number;
}

/** What consumers report. */
export interface DeliveryEvents {
  /** A handler threw, or its promise was rejected. */
  onError(error: unknown): void;
  /** Notifications were dropped; called where they are missing in the order. */
  onGap(gap: Gap): void;
}

/** What consumers need. */
export interface DeliveryOptions {
  /** Receives what happens. */
  readonly events: DeliveryEvents;
  /** Counts what waits in queues. */
  readonly backpressure: Backpressure;
  /** Returns the server for the gaps of overflows, as `host:port`. */
  readonly node: () => string;
  /** The limits of each queue. */
  readonly limits: QueueLimits;
  /** What a full queue drops. */
  readonly overflow: Overflow;
  /** Whether servers report flushes. */
  readonly flushes: boolean;
}

/** What a consumer shows besides notifications. */
export interface Shown {
  readonly gaps: boolean;
  readonly flushes: boolean;
}

const NOTHING: Shown = { gaps: false, flushes: false };

/** The most notifications of a batch. */
const MAX_BATCH = 1_000;

/** The queue of a consumer, which reports what was dropped where its place is reached. */
export class ConsumerQueue extends BoundedQueue {
  readonly #options: DeliveryOptions;

  constructor(options: DeliveryOptions) {
    super(options.limits, options.overflow, options.backpressure);
    this.#options = options;
  }

  /** Takes the next item that is shown. */
  next(shown: Shown = NOTHING): Item | undefined {
    for (;;) {
      const item = this.take();
      if (item === undefined) return undefined;
      if (item.kind === "dropped") {
        const gap = item.toGap(this.#options.node());
        this.#options.events.onGap(gap);
        if (shown.gaps) return gap;
      } else if (item.kind === "gap" ? shown.gaps : item.kind !== "flush" || shown.flushes) {
        return item;
      }
    }
  }

  /** Takes the next of those items, as many as there are up to where some were dropped. */
  nextBatch(shown: Shown = NOTHING): Item[] | undefined {
    let item = this.next(shown);
    if (item === undefined) return undefined;
    const batch = [item];
    while (batch.length < MAX_BATCH && !this.isMarked) {
      item = this.next(shown);
      if (item === undefined) break;
      batch.push(item);
    }
    return batch;
  }
}

/** Calls a handler. While its promise is pending, notifications wait in a queue. */
export class HandlerConsumer implements Consumer {
  readonly #handler: NotificationHandler | BatchHandler;
  readonly #isBatch: boolean;
  readonly #events: DeliveryEvents;
  readonly #queue: ConsumerQueue;
  #busy = false;
  #closed = false;

  /** @param isBatch whether the handler takes batches */
  constructor(
    handler: NotificationHandler | BatchHandler,
    isBatch: boolean,
    options: DeliveryOptions,
  ) {
    this.#handler = handler;
    this.#isBatch = isBatch;
    this.#events = options.events;
    this.#queue = new ConsumerQueue(options);
  }

  get queued(): number {
    return this.#queue.length;
  }

  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  get dropped(): number {
    return this.#queue.dropped;
  }

  deliver(notification: KeyNotification, bytes: number, sentAfter: number): void {
    if (this.#closed) return;
    if (this.#busy || this.#isBatch) {
      notification.detach();
      this.#queue.push(notification, bytes, sentAfter);
      // After the current read, because what it brings is delivered in one turn.
      if (!this.#busy) this.#drain(null);
      return;
    }
    const pending = this.#call(notification);
    if (pending !== null) this.#drain(pending);
  }

  /** Drops what waits. A call of the handler that is under way is not interrupted. */
  close(): void {
    this.#closed = true;
    this.#queue.clear();
  }

  #call(given: unknown): PromiseLike<unknown> | null {
    try {
      const result = (this.#handler as (given: unknown) => unknown)(given);
      return isPromiseLike(result) ? result : null;
    } catch (error) {
      this.#events.onError(error);
      return null;
    }
  }

  async #drain(first: PromiseLike<unknown> | null): Promise<void> {
    this.#busy = true;
    for (let pending = first;;) {
      try {
        await pending;
      } catch (error) {
        this.#events.onError(error);
      }
      const next = this.#isBatch ? this.#queue.nextBatch() : this.#queue.next();
      if (next === undefined) break;
      pending = this.#call(next);
    }
    this.#busy = false;
  }
}
