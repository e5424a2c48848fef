import type { EventName, KeyNotification, ReceivedEvent } from "../parse/mod.ts";
import { isPromiseLike } from "./connection/option_checks.ts";
import { BoundedQueue, type DeliveryOptions, type QueueCounts } from "./queue.ts";

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
export type NotificationHandler<Event extends ReceivedEvent = ReceivedEvent> = (
  notification: KeyNotification & { readonly eventType: Event },
) => unknown;

/**
 * Takes one batch of notifications after another, in the order of the stream; the next waits for a
 * promise it returns. A batch is what has come since the last one, mostly by one read of the socket:
 * at least 1 and at most 1,000 notifications.
 *
 * A batch has no gaps and no flushes. `onGap` and `onFlush` take them while the batch of what precedes
 * them may still wait. {@linkcode KeyspaceNotificationsInterface.batches} can have them at their places.
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
export type BatchHandler<Event extends ReceivedEvent = ReceivedEvent> = (
  batch: (KeyNotification & { readonly eventType: Event })[],
) => unknown;

/** When a server sent something. */
export interface Sent {
  /** A time, in ms since the epoch, before which the server did not send it. */
  readonly sentAfter: number;
}

/** Consumes the notifications of subscribed channels. */
export interface Consumer {
  /** The events that it takes, of channels that name keys; all if left out. */
  readonly events?: readonly EventName[] | undefined;
  /**
   * Takes the next notification.
   *
   * @param notification the notification
   * @param bytes the bytes that count in a queue
   * @param source when it was sent. An object, because a number like that takes memory for each call
   */
  deliver(notification: KeyNotification, bytes: number, source: Sent): void;
  /** What waits for it, and what it has dropped. */
  readonly counts: QueueCounts;
}

/** Calls a handler. While its promise is pending, notifications wait in a queue. */
export class HandlerConsumer implements Consumer {
  readonly #handler: NotificationHandler | BatchHandler;
  readonly #isBatch: boolean;
  readonly #onError: (error: unknown) => void;
  readonly #queue: BoundedQueue;
  #busy = false;
  #drained: Promise<void> = Promise.resolve();
  #closed = false;

  /** @param isBatch whether the handler takes batches */
  constructor(
    handler: NotificationHandler | BatchHandler,
    isBatch: boolean,
    options: DeliveryOptions,
  ) {
    this.#handler = handler;
    this.#isBatch = isBatch;
    this.#onError = options.onError;
    this.#queue = new BoundedQueue(options);
  }

  get counts(): QueueCounts {
    return this.#queue.counts;
  }

  deliver(notification: KeyNotification, bytes: number, source: Sent): void {
    if (this.#closed) return;
    if (this.#busy || this.#isBatch) {
      notification.detach();
      this.#queue.push(notification, bytes, source.sentAfter);
      // After the current read, because what it brings is delivered in one turn.
      if (!this.#busy) this.#drained = this.#drain(null);
      return;
    }
    const pending = this.#call(notification);
    if (pending !== null) this.#drained = this.#drain(pending);
  }

  /** Waits until the handler has taken what waits, and its last call is done. */
  drained(): Promise<void> {
    return this.#drained;
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
      this.#onError(error);
      return null;
    }
  }

  async #drain(first: PromiseLike<unknown> | null): Promise<void> {
    this.#busy = true;
    for (let pending = first;;) {
      try {
        await pending;
      } catch (error) {
        this.#onError(error);
      }
      const next = this.#isBatch ? this.#queue.takeBatch() : this.#queue.take();
      if (next === undefined) break;
      pending = this.#call(next);
    }
    this.#busy = false;
  }
}
