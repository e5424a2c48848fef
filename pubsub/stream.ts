import type { KeyNotification } from "../parse/mod.ts";
import type { Consumer, Sent } from "./delivery.ts";
import { ClosedError } from "./connection/errors.ts";
import { type Flush, type Gap, type Item, type RolledBack, sizeOfGap } from "./gap.ts";
import {
  checkAtLeast,
  checkKnown,
  checkSignal,
  LONGEST_TIMER,
} from "./connection/option_checks.ts";
import { BoundedQueue, type DeliveryOptions, type QueueCounts, type Shown } from "./queue.ts";
import type { GetMessageOptions, ListenOptions } from "./subscription.ts";

/**
 * An item of a stream that was asked to show gaps, or what the options of `listen` ask for.
 *
 * @example
 * ```ts
 * import type { StreamItem } from "@keywatch/keywatch/pubsub";
 *
 * function toLine(item: StreamItem): string {
 *   return item.kind === "gap"
 *     ? `${item.node}: blind for ${item.to - item.from} ms`
 *     : `${item.eventType} ${item.key}`;
 * }
 * ```
 */
export type StreamItem<Options extends ListenOptions = { readonly gaps: true }> =
  | KeyNotification
  | (Options extends { readonly gaps: true } ? Gap : never)
  | (Options extends { readonly flushes: true } ? Flush : never)
  | (Options extends { readonly rolledBack: true } ? RolledBack : never);

/**
 * A loop over the merged stream. Leaving it, by `break` or otherwise, frees its place. It unsubscribes
 * nothing: what comes then waits for the next consumer.
 *
 * @example
 * ```ts no-run
 * import { connect, type KeyNotification, type NotificationLoop } from "@keywatch/keywatch";
 *
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyspace("job:7");
 * const loop: NotificationLoop<KeyNotification> = notifications.listen();
 * const { value } = await loop.next();
 * console.log(value?.eventType ?? "closed");
 * await loop.return();
 * ```
 */
export interface NotificationLoop<T> extends AsyncIterableIterator<T> {
  /** The next item; `done` once the loop or the whole object is closed. */
  next(): Promise<IteratorResult<T, undefined>>;
  /** Leaves the loop. */
  return(): Promise<IteratorResult<T, undefined>>;
  /** The loop itself. */
  [Symbol.asyncIterator](): NotificationLoop<T>;
}

/**
 * The merged stream: each notification to every loop that is open.
 *
 * While no loop is open, notifications wait in the inbox. The first loop to open takes them over,
 * and the last one to leave gives back what it has not handed out, so loops that follow each other
 * miss nothing; `poll` takes from the inbox itself.
 */
export class Stream implements Consumer {
  readonly #options: DeliveryOptions;
  readonly #inbox: Mailbox;
  readonly #loops = new Set<Mailbox>();
  /** The loops, or the inbox if there are none. A list, because iterating over it is cheaper. */
  #consumers: readonly Mailbox[];
  #end: StreamEnd | null = null;
  /** The number of notifications that closed loops dropped. */
  #droppedBefore = 0;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#inbox = new Mailbox(options);
    this.#consumers = [this.#inbox];
  }

  /** The most that wait for a loop, and what all have dropped. */
  get counts(): QueueCounts {
    const all = [this.#inbox, ...this.#loops].map(({ queue }) => queue.counts);
    return {
      queued: Math.max(...all.map(({ queued }) => queued)),
      queuedBytes: Math.max(...all.map(({ queuedBytes }) => queuedBytes)),
      dropped: all.reduce((sum, { dropped }) => sum + dropped, this.#droppedBefore),
    };
  }

  /** Adds something else before the next notification. */
  report(item: Gap | Flush | RolledBack): void {
    if (item.kind === "gap") this.#deliver(item, sizeOfGap(item), { sentAfter: item.from });
    else this.#deliver(item, 0, { sentAfter: item.at });
  }

  deliver(notification: KeyNotification, bytes: number, source: Sent): void {
    // A queue may hold it for long. It must not keep the network chunk.
    notification.detach();
    this.#deliver(notification, bytes, source);
  }

  #deliver(item: Item, bytes: number, source: Sent): void {
    if (this.#end !== null) return;
    const consumers = this.#consumers;
    for (let index = 0; index < consumers.length; index++) {
      consumers[index]!.deliver(item, bytes, source);
    }
  }

  #choose(): void {
    this.#consumers = this.#loops.size === 0 ? [this.#inbox] : [...this.#loops];
  }

  /**
   * Ends every loop.
   *
   * @param error what loops end with, after what they still hold; null if the user has closed it
   * @param keeps whether loops without an error get what they still hold, too
   */
  close(error: Error | null, keeps: boolean): void {
    const mailboxes = [this.#inbox, ...this.#loops];
    // The user has closed it, and does not want what is left.
    if (error === null && !keeps) { for (const { queue } of mailboxes) queue.clear(); }
    if (this.#end !== null && error !== null) return;
    this.#end = { error };
    for (const mailbox of mailboxes) mailbox.end(this.#end);
  }

  /**
   * Takes the next notification from the inbox.
   *
   * @returns the notification, or null when none came in that time
   * @throws {TypeError} when the timeout or the signal is none
   * @throws {ClosedError} when the stream is closed, also meanwhile
   */
  async poll(options: GetMessageOptions): Promise<KeyNotification | null> {
    checkKnown(options, ["timeout", "signal"]);
    const { timeout = 0, signal } = options;
    checkAtLeast(0, "timeout", timeout);
    checkSignal(signal);
    const deadline = performance.now() + timeout;
    for (;;) {
      const left = Math.max(0, deadline - performance.now());
      const take = () => this.#inbox.queue.take() as KeyNotification | undefined;
      const item = await this.#inbox.next(take, Math.min(left, LONGEST_TIMER), signal);
      if (item !== undefined) return item;
      if (this.#end !== null && !signal?.aborted) {
        throw new ClosedError("Cannot get a message: the notifications are closed");
      }
      if (signal?.aborted || performance.now() >= deadline) return null;
    }
  }

  /**
   * Opens a loop. It gets what waits in the inbox, and everything from now on.
   *
   * @param take takes from the queue what a step of the loop gives
   * @throws {TypeError} when the signal is none, or what is to be shown is not known
   */
  open<T>(
    options: ListenOptions,
    take: (queue: BoundedQueue, shown: Shown) => T | undefined,
  ): NotificationLoop<T> {
    checkKnown(options, ["gaps", "flushes", "rolledBack", "signal"]);
    const { gaps = false, flushes = false, rolledBack = false, signal } = options;
    checkSignal(signal);
    if (flushes && !this.#options.flushes) {
      throw new TypeError(
        "Cannot show flushes: no server reports them; give connect the option flushes",
      );
    }
    if (gaps) this.#options.onGapLoop?.();
    if (rolledBack && !this.#options.standby) {
      throw new TypeError(
        "Cannot show what was rolled back: it is not known; give connect the option standby",
      );
    }
    const shown = { gaps, flushes, rolledBack };
    const mailbox = new Mailbox(this.#options);
    if (this.#end !== null) mailbox.end(this.#end);
    if (this.#loops.size === 0) mailbox.swap(this.#inbox);
    this.#loops.add(mailbox);
    this.#choose();
    const leave = () => {
      if (!this.#loops.delete(mailbox)) return;
      signal?.removeEventListener("abort", leave);
      this.#choose();
      if (this.#loops.size === 0) mailbox.swap(this.#inbox);
      this.#droppedBefore += mailbox.queue.counts.dropped;
      mailbox.queue.clear();
      mailbox.end({ error: null });
    };
    signal?.addEventListener("abort", leave);
    if (signal?.aborted) leave();
    const takeNext = () => take(mailbox.queue, shown);
    const wait = async (): Promise<IteratorResult<T, undefined>> => {
      let value: T | undefined;
      try {
        value = await mailbox.next(takeNext, Infinity, undefined);
      } catch (error) {
        leave();
        throw error;
      }
      if (value !== undefined) return { done: false, value };
      leave();
      return { done: true, value: undefined };
    };
    const loop: NotificationLoop<T> = {
      next() {
        // An item that waits takes one promise instead of three (see docs/contributing/performance.md).
        const value = mailbox.isAwaited ? undefined : takeNext();
        return value === undefined ? wait() : Promise.resolve({ done: false, value });
      },
      return() {
        leave();
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]() {
        return loop;
      },
    };
    return loop;
  }
}

/** The end of a stream: its error, or null if the user has closed it. */
interface StreamEnd {
  readonly error: Error | null;
}

/** A wait for what a queue holds next. */
interface Waiter {
  /** Gives it what there is, and returns whether there was something. */
  serve(): boolean;
  end(error: Error | null): void;
}

/** A queue, and the waits for what it holds next. */
class Mailbox {
  queue: BoundedQueue;
  readonly #waiters = new Set<Waiter>();
  #isServing = false;
  #end: StreamEnd | null = null;

  constructor(options: DeliveryOptions) {
    this.queue = new BoundedQueue(options);
  }

  /** Whether the next item belongs to somebody who waits. */
  get isAwaited(): boolean {
    return this.#waiters.size > 0;
  }

  deliver(item: Item, bytes: number, source: Sent): void {
    this.queue.push(item, bytes, source.sentAfter);
    if (this.#waiters.size === 0 || this.#isServing) return;
    // After the current read, because a batch is all that it brings.
    this.#isServing = true;
    queueMicrotask(() => this.#serve());
  }

  /** Gives another one all that waits here, for its own queue, which is empty. */
  swap(other: Mailbox): void {
    [this.queue, other.queue] = [other.queue, this.queue];
    this.#serve();
    other.#serve();
  }

  end(end: StreamEnd): void {
    this.#end = end;
    this.#serve();
  }

  /**
   * Returns what is there next; undefined at the end, after `timeout` ms, or if `signal` is aborted.
   *
   * @param take takes it from the queue
   */
  next<T>(
    take: () => T | undefined,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", giveUp);
        this.#waiters.delete(waiter);
      };
      const giveUp = () => waiter.end(null);
      const waiter: Waiter = {
        serve() {
          const value = take();
          if (value === undefined) return false;
          settle();
          resolve(value);
          return true;
        },
        end(error) {
          settle();
          if (error === null) resolve(undefined);
          else reject(error);
        },
      };
      let timer: ReturnType<typeof setTimeout> | undefined;
      if (!this.isAwaited && waiter.serve()) return;
      if (this.#end !== null) return waiter.end(this.#end.error);
      if (timeout === 0 || signal?.aborted) return giveUp();
      if (timeout !== Infinity) timer = setTimeout(giveUp, timeout);
      signal?.addEventListener("abort", giveUp);
      this.#waiters.add(waiter);
    });
  }

  #serve(): void {
    this.#isServing = false;
    for (const waiter of this.#waiters) {
      if (waiter.serve()) continue;
      if (this.#end === null) break;
      waiter.end(this.#end.error);
    }
  }
}
