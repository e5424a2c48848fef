import type { KeyNotification } from "../parse/mod.ts";
import { checkKinds, checkKnown } from "./connection/option_checks.ts";
import { SILENT_MS } from "./connection/timers.ts";
import type { ListenerOptions, NotificationsEvent, NotificationsEventMap } from "./reports.ts";
import type { Health, Status } from "./status.ts";
import type { NotificationLoop, StreamItem } from "./stream.ts";
import { SubscribingNotifications } from "./subscribing.ts";
import type { CloseOptions, GetMessageOptions, ListenOptions } from "./subscription.ts";

/**
 * What `KeyspaceNotifications` and `ClusterKeyspaceNotifications` have in common: everything that is
 * done with subscriptions and notifications. Subclasses reach the servers.
 *
 * @example
 * ```ts no-run
 * import { type AbstractKeyspaceNotifications, connect } from "@keywatch/keywatch";
 *
 * const isWatching = ({ subscribed }: AbstractKeyspaceNotifications): boolean => subscribed;
 * await using notifications = await connect("redis://localhost:6379");
 * isWatching(notifications); // false: nothing is subscribed yet
 * ```
 */
export abstract class AbstractKeyspaceNotifications extends SubscribingNotifications
  implements AsyncIterable<KeyNotification>, AsyncDisposable {
  /** How things stand. */
  abstract status(): Status;

  /**
   * Ends the connections and the dispatcher.
   *
   * @internal
   */
  protected abstract end(): void;

  /**
   * Closes all connections, and ends every loop, every wait and every handler. Safe to call twice.
   *
   * Queued notifications are dropped. A handler that is running is not interrupted, and is not waited
   * for. With `drain: true`, handlers get what is queued for them, and it resolves when their last calls
   * are done, so a handler must not wait for it; loops get what is queued for them before they end. A
   * later `close()` without `drain` ends that wait.
   *
   * @param options whether to deliver what is queued
   */
  async close(options: CloseOptions = {}): Promise<void> {
    checkKnown(options, ["drain"]);
    checkKinds(options, { drain: "boolean" });
    const { drain = false } = options;
    this.dispatcher.drains = drain;
    this.end();
    if (drain) await this.dispatcher.drained();
  }

  /** Whether everything subscribed is being received, and if not, why. */
  health(): Health {
    const { state, nodes } = this.status();
    if (state === "closed") return { ok: false, reason: "closed" };
    const bad = nodes.flatMap(({ node, state, error, silentFor, standby }) => {
      if (standby?.isLeading) return [];
      if (state !== "ready") return `${node} is ${state}: ${error}`;
      return silentFor > SILENT_MS ? `${node} has not answered for ${silentFor} ms` : [];
    });
    if (bad.length > 0) return { ok: false, reason: bad.join("; ") };
    return state === "ready"
      ? { ok: true, reason: `receiving from ${nodes.map(({ node }) => node).join(", ")}` }
      : { ok: false, reason: "a subscription is not confirmed yet" };
  }

  /** Whether anything is subscribed. */
  get subscribed(): boolean {
    return this.dispatcher.ended === null && this.dispatcher.registry.size > 0;
  }

  /**
   * Takes the next notification of the merged stream. While a loop is open, the loop gets them.
   *
   * @param options how long to wait
   * @returns the notification, or null when none came in that time, or the signal was aborted
   * @throws {TypeError} when the timeout is not 0 ms or more, or the signal is none
   * @throws {ClosedError} when the object is closed, also meanwhile
   * @throws {ConnectError} when the connection was lost for good and everything before has been read
   */
  getMessage(options: GetMessageOptions = {}): Promise<KeyNotification | null> {
    return this.dispatcher.stream.poll(options);
  }

  /**
   * Reads the merged stream, until it is left or the object is closed.
   *
   * The loop is open from this call on, and gets what comes from then on; the first one gets what
   * has been waiting, too. The last one to leave gives back what it has not read, so loops that
   * follow each other miss nothing. To leave a loop, by `break` or otherwise, unsubscribes nothing:
   * what is subscribed for one loop alone is held by `await using` beside it.
   *
   * @param options whether to show gaps, flushes and what was rolled back; a signal that ends the loop
   * @returns the loop; it throws when the connection was lost for good
   * @throws {TypeError} when the signal is none, or when what is to be shown is not known: flushes take
   * the option `flushes` of `connect`, and what was rolled back its option `standby`
   */
  listen<Options extends ListenOptions = ListenOptions>(
    options?: Options,
  ): NotificationLoop<StreamItem<Options>> {
    return this.dispatcher.stream.open(
      options ?? {},
      (queue, shown) => queue.take(shown) as StreamItem<Options> | undefined,
    );
  }

  /**
   * Reads the merged stream as `listen` does, and gives all that waits in one step: mostly what one read
   * of the socket brought. At one promise for each batch instead of one for each notification, it takes
   * less time where many come.
   *
   * A batch has at least 1 and at most 1,000 items, gaps and the like included. It never goes on after
   * a place where items were dropped. Items of a batch count as read: a loop that is left within a
   * batch gives back none of them.
   *
   * @param options as for {@linkcode listen}
   * @returns the loop; it throws when the connection was lost for good
   * @throws as {@linkcode listen} does
   *
   * @example
   * ```ts no-run
   * import { connect } from "@keywatch/keywatch";
   *
   * await using notifications = await connect("redis://localhost:6379");
   * await notifications.subscribeKeyspace("user:*");
   * for await (const batch of notifications.batches({ gaps: true })) {
   *   for (const item of batch) {
   *     if (item.kind === "gap") console.warn(`blind for ${item.to - item.from} ms`);
   *     else console.log(item.eventType, item.key);
   *   }
   * }
   * ```
   */
  batches<Options extends ListenOptions = ListenOptions>(
    options?: Options,
  ): NotificationLoop<StreamItem<Options>[]> {
    return this.dispatcher.stream.open(
      options ?? {},
      (queue, shown) => queue.takeBatch(shown) as StreamItem<Options>[] | undefined,
    );
  }

  /**
   * Adds a listener for what is reported apart from notifications, in addition to those that the options
   * of `connect` name. There may be several, added at any time. While there is none for warnings or
   * errors, they are logged.
   *
   * @param type `gap`, `flush`, `rolled-back`, `status`, `warning` or `error`
   * @param listener receives an event, whose `detail` is what the option `onGap`, `onFlush`,
   * `onRolledBack`, `onStatus`, `onWarning` or `onError` receives; what it throws is logged
   * @param options whether it is removed when it is called, and a signal that removes it
   * @throws {TypeError} if there is no such type, or the listener is not a function
   *
   * @example
   * ```ts no-run
   * import { connect } from "@keywatch/keywatch";
   *
   * await using notifications = await connect("redis://localhost:6379");
   * notifications.addEventListener("gap", ({ detail: { node, from, to } }) => {
   *   console.warn(`${node}: blind for ${to - from} ms`);
   * });
   * await notifications.subscribeKeyspace("user:*");
   * ```
   */
  addEventListener<Type extends keyof NotificationsEventMap>(
    type: Type,
    listener: (event: NotificationsEvent<Type>) => unknown,
    options?: ListenerOptions,
  ): void {
    this.dispatcher.reports.add(type, listener, options);
  }

  /**
   * Removes a listener that was added by {@linkcode addEventListener}; it is a no-op if there is none.
   *
   * @param type the type for which it was added
   * @param listener the listener
   */
  removeEventListener<Type extends keyof NotificationsEventMap>(
    type: Type,
    listener: (event: NotificationsEvent<Type>) => unknown,
  ): void {
    this.dispatcher.reports.remove(type, listener);
  }

  /**
   * Reads the merged stream as a `ReadableStream`, as `listen` does. Canceling it leaves the loop.
   *
   * @param options as for {@linkcode listen}
   * @returns the stream; it fails when the connection was lost for good
   * @throws as {@linkcode listen} does
   *
   * @example
   * ```ts no-run
   * import { connect } from "@keywatch/keywatch";
   *
   * await using notifications = await connect("redis://localhost:6379");
   * await notifications.subscribeKeyspace("user:*");
   * await notifications.readable({ gaps: true }).pipeTo(
   *   new WritableStream({ write: (item) => console.log(item.kind) }),
   * );
   * ```
   */
  readable<Options extends ListenOptions = ListenOptions>(
    options?: Options,
  ): ReadableStream<StreamItem<Options>> {
    const loop = this.listen(options);
    return new ReadableStream<StreamItem<Options>>({
      async pull(controller) {
        const { done, value } = await loop.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await loop.return();
      },
      // Notifications wait in the queue of the loop, which is bounded and counted.
    }, { highWaterMark: 0 });
  }

  /** Reads the merged stream, as `listen()` does. */
  [Symbol.asyncIterator](): NotificationLoop<KeyNotification> {
    return this.listen();
  }

  /** Closes, at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * What watching one server and watching a cluster have in common.
 *
 * Notifications of subscriptions without a handler make up the merged stream, in which one event on a
 * channel is one item, however many of them match; an event that is published on a keyspace and on a
 * keyevent channel is one item for each, if both are subscribed. The stream is read by
 * {@linkcode listen}, by `for await` on the object itself, or by {@linkcode getMessage}; what comes
 * while nobody reads waits in a bounded queue.
 *
 * @example
 * ```ts
 * import type { KeyspaceNotificationsInterface } from "@keywatch/keywatch/pubsub";
 *
 * // Waits up to a minute for the next key that expires, on one server or in a cluster.
 * async function nextExpired(notifications: KeyspaceNotificationsInterface) {
 *   await using _held = await notifications.subscribeKeyevent("expired");
 *   return (await notifications.getMessage({ timeout: 60_000 }))?.key;
 * }
 * ```
 */
export type KeyspaceNotificationsInterface = Pick<
  AbstractKeyspaceNotifications,
  keyof AbstractKeyspaceNotifications
>;
