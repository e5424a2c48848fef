import type { KeyNotification } from "../parse/mod.ts";
import { Dropped, type Gap } from "./gap.ts";
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

/** Somebody to whom the notifications of a subscribed channel go. */
export interface Consumer {
  /**
   * Takes the next notification.
   *
   * @param notification the notification
   * @param bytes what it stands for in a queue
   * @param sentAfter a time, in ms since the epoch, before which the server did not send it
   */
  deliver(notification: KeyNotification, bytes: number, sentAfter: number): void;
  /** How many notifications wait for it. */
  readonly queued: number;
  /** How many bytes those stand for. */
  readonly queuedBytes: number;
  /** How many it had to drop so far. */
  readonly dropped: number;
}

/** What delivery tells its owner. */
export interface DeliveryEvents {
  /** A handler threw, or its promise was rejected. */
  onError(error: unknown): void;
  /** Notifications were dropped; called where they are missing in the order. */
  onGap(gap: Gap): void;
}

/** What delivery needs to know. */
export interface DeliveryOptions {
  /** Whom to tell. */
  readonly events: DeliveryEvents;
  /** What waits in queues counts here. */
  readonly backpressure: Backpressure;
  /** The server that overflows concern, as `host:port`. */
  readonly node: () => string;
  /** How much may wait. */
  readonly limits: QueueLimits;
  /** What goes when more comes. */
  readonly overflow: Overflow;
}

/** A handler of a subscription, and the queue of what comes while its promise is pending. */
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

  /** Forgets what waits; a handler's call that is under way ends by itself. */
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
      else if (next.kind !== "gap") pending = this.#call(next);
    }
    this.#busy = false;
  }
}
