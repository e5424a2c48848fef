import type { KeyNotification } from "../parse/mod.ts";
import type { Consumer, DeliveryOptions } from "./delivery.ts";
import { ClosedError } from "./connection/errors.ts";
import { type Flush, type Gap, isNotification, type Item, sizeOfGap } from "./gap.ts";
import { checkAtLeast, checkSignal, LONGEST_TIMER } from "./connection/option_checks.ts";
import { BoundedQueue } from "./queue.ts";
import type { ListenOptions } from "./subscription.ts";

/**
 * An item of a stream that was asked to show gaps.
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
export type StreamItem = KeyNotification | Gap;

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

  /** The number of notifications in the longest queue. */
  get queued(): number {
    let most = this.#inbox.queue.length;
    for (const { queue } of this.#loops) most = Math.max(most, queue.length);
    return most;
  }

  /** The bytes of notifications in the largest queue. */
  get queuedBytes(): number {
    let most = this.#inbox.queue.bytes;
    for (const { queue } of this.#loops) most = Math.max(most, queue.bytes);
    return most;
  }

  /** The number of notifications dropped so far, summed over the loops. */
  get dropped(): number {
    let sum = this.#droppedBefore + this.#inbox.queue.dropped;
    for (const { queue } of this.#loops) sum += queue.dropped;
    return sum;
  }

  /** Adds a gap or a flush before the next notification. */
  report(item: Gap | Flush): void {
    if (item.kind === "gap") this.#deliver(item, sizeOfGap(item), item.from);
    else this.#deliver(item, 0, item.at);
  }

  deliver(notification: KeyNotification, bytes: number, sentAfter: number): void {
    // A queue may hold it for long. It must not keep the network chunk.
    notification.detach();
    this.#deliver(notification, bytes, sentAfter);
  }

  #deliver(item: Item, bytes: number, sentAfter: number): void {
    if (this.#end !== null) return;
    const consumers = this.#consumers;
    for (let index = 0; index < consumers.length; index++) {
      consumers[index]!.deliver(item, bytes, sentAfter);
    }
  }

  #choose(): void {
    this.#consumers = this.#loops.size === 0 ? [this.#inbox] : [...this.#loops];
  }

  /**
   * Ends every loop.
   *
   * @param error what loops end with, after what they still hold; null to end them at once
   */
  close(error: Error | null): void {
    const mailboxes = [this.#inbox, ...this.#loops];
    // The user has closed it, and does not want what is left.
    if (error === null) { for (const { queue } of mailboxes) queue.clear(); }
    if (this.#end !== null && error !== null) return;
    this.#end = { error };
    for (const mailbox of mailboxes) mailbox.end(this.#end);
  }

  /**
   * Takes the next notification from the inbox.
   *
   * @param timeout how long to wait for it, in ms
   * @param signal ends the wait
   * @returns the notification, or null when none came in that time
   * @throws {TypeError} when the timeout or the signal is none
   * @throws {ClosedError} when the stream is closed, also meanwhile
   */
  async poll(timeout: number, signal: AbortSignal | undefined): Promise<KeyNotification | null> {
    checkAtLeast(0, "timeout", timeout);
    checkSignal(signal);
    const deadline = performance.now() + timeout;
    for (;;) {
      const left = Math.max(0, deadline - performance.now());
      const item = await this.#inbox.next(Math.min(left, LONGEST_TIMER), signal);
      if (item !== undefined && isNotification(item)) return item;
      if (item !== undefined) continue;
      if (this.#end !== null && !signal?.aborted) {
        throw new ClosedError("Cannot get a message: the notifications are closed");
      }
      if (signal?.aborted || performance.now() >= deadline) return null;
    }
  }

  /**
   * Opens a loop. It gets what waits in the inbox, and everything from now on.
   *
   * @throws {TypeError} when the signal is none, or no server reports the flushes to show
   */
  open({ gaps = false, flushes = false, signal }: ListenOptions): NotificationLoop<Item> {
    checkSignal(signal);
    if (flushes && !this.#options.flushes) {
      throw new TypeError(
        "Cannot show flushes: no server reports them; give connect the option flushes",
      );
    }
    const shown = { gaps, flushes };
    const mailbox = new Mailbox(this.#options);
    if (this.#end !== null) mailbox.end(this.#end);
    if (this.#loops.size === 0) this.#inbox.moveInto(mailbox);
    this.#loops.add(mailbox);
    this.#choose();
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      signal?.removeEventListener("abort", leave);
      this.#loops.delete(mailbox);
      this.#choose();
      this.#droppedBefore += mailbox.queue.dropped;
      if (this.#loops.size === 0) mailbox.moveInto(this.#inbox);
      mailbox.end({ error: null });
    };
    signal?.addEventListener("abort", leave);
    if (signal?.aborted) leave();
    const wait = async (): Promise<IteratorResult<Item, undefined>> => {
      for (;;) {
        let item: Item | undefined;
        try {
          item = left ? undefined : await mailbox.next(Infinity, undefined);
        } catch (error) {
          leave();
          throw error;
        }
        if (item === undefined) {
          leave();
          return { done: true, value: undefined };
        }
        if (isShown(item, shown)) return { done: false, value: item };
      }
    };
    const loop: NotificationLoop<Item> = {
      next() {
        // An item that waits takes one promise instead of three (see docs/performance.md, Replay).
        const item = left ? undefined : mailbox.take(shown);
        return item === undefined ? wait() : Promise.resolve({ done: false, value: item });
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

/** What a loop shows besides notifications. */
interface Shown {
  readonly gaps: boolean;
  readonly flushes: boolean;
}

const ALL: Shown = { gaps: true, flushes: true };

function isShown({ kind }: Item, { gaps, flushes }: Shown): boolean {
  return kind === "gap" ? gaps : kind !== "flush" || flushes;
}

interface Waiter {
  resolve(item: Item | undefined): void;
  reject(error: Error): void;
}

/** A queue, and the waits for its next item. */
class Mailbox {
  readonly queue: BoundedQueue;
  readonly #options: DeliveryOptions;
  readonly #waiters = new Set<Waiter>();
  #end: StreamEnd | null = null;

  constructor(options: DeliveryOptions) {
    this.queue = new BoundedQueue(options.limits, options.overflow, options.backpressure);
    this.#options = options;
  }

  deliver(item: Item, bytes: number, sentAfter: number): void {
    this.queue.push(item, bytes, sentAfter);
    if (this.#waiters.size > 0) this.#settle();
  }

  /** Moves all items into an empty mailbox. */
  moveInto(empty: Mailbox): void {
    this.queue.moveInto(empty.queue);
    empty.#settle();
  }

  end(end: StreamEnd): void {
    this.#end = end;
    this.#settle();
  }

  /** Returns the next item; undefined at the end, after `timeout` ms, or if `signal` is aborted. */
  next(timeout: number, signal: AbortSignal | undefined): Promise<Item | undefined> {
    const item = this.take(ALL);
    if (item !== undefined) return Promise.resolve(item);
    if (this.#end !== null) {
      return this.#end.error === null
        ? Promise.resolve(undefined)
        : Promise.reject(this.#end.error);
    }
    if (timeout === 0 || signal?.aborted) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", giveUp);
        this.#waiters.delete(waiter);
      };
      const giveUp = () => waiter.resolve(undefined);
      const waiter: Waiter = {
        resolve: (item) => (settle(), resolve(item)),
        reject: (error) => (settle(), reject(error)),
      };
      const timer = timeout === Infinity ? undefined : setTimeout(giveUp, timeout);
      signal?.addEventListener("abort", giveUp);
      this.#waiters.add(waiter);
    });
  }

  /** Takes the next item that waits and is shown. */
  take(shown: Shown): Item | undefined {
    for (;;) {
      const item = this.queue.take();
      if (item === undefined) return undefined;
      if (item.kind === "dropped") {
        const gap = item.toGap(this.#options.node());
        this.#options.events.onGap(gap);
        if (shown.gaps) return gap;
      } else if (isShown(item, shown)) return item;
    }
  }

  #settle(): void {
    for (const waiter of this.#waiters) {
      const item = this.take(ALL);
      if (item !== undefined) waiter.resolve(item);
      else if (this.#end === null) break;
      else if (this.#end.error === null) waiter.resolve(undefined);
      else waiter.reject(this.#end.error);
    }
  }
}
