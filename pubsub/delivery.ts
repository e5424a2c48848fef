import type { KeyNotification } from "../parse/mod.ts";
import { Dropped, type Gap, isNotification } from "./gap.ts";
import type { Backpressure } from "./backpressure.ts";
import { isPromiseLike } from "./connection/option_checks.ts";
import { BoundedQueue, type Overflow, type QueueLimits } from "./queue.ts";

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

/** Calls a handler. While its promise is pending, notifications wait in a queue. */
export class HandlerConsumer implements Consumer {
  readonly #handler: NotificationHandler;
  readonly #events: DeliveryEvents;
  readonly #node: () => string;
  readonly #queue: BoundedQueue;
  #busy = false;
  #closed = false;

  constructor(
    handler: NotificationHandler,
    options: DeliveryOptions,
  ) {
    this.#handler = handler;
    this.#events = options.events;
    this.#node = options.node;
    this.#queue = new BoundedQueue(options.limits, options.overflow, options.backpressure);
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
    if (this.#busy) {
      notification.detach();
      this.#queue.push(notification, bytes, sentAfter);
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

  #call(notification: KeyNotification): PromiseLike<unknown> | null {
    try {
      const result = this.#handler(notification);
      return isPromiseLike(result) ? result : null;
    } catch (error) {
      this.#events.onError(error);
      return null;
    }
  }

  async #drain(first: PromiseLike<unknown>): Promise<void> {
    this.#busy = true;
    let pending: PromiseLike<unknown> | null = first;
    for (;;) {
      try {
        await pending;
      } catch (error) {
        this.#events.onError(error);
      }
      pending = null;
      const next = this.#queue.take();
      if (next === undefined) break;
      if (next instanceof Dropped) this.#events.onGap(next.toGap(this.#node()));
      else if (isNotification(next)) pending = this.#call(next);
    }
    this.#busy = false;
  }
}
