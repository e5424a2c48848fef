import { abortable, SILENT_MS } from "./connection/timers.ts";
import {
  type Channel,
  type ChannelOptions,
  type EventName,
  KeyeventChannel,
  type KeyNotification,
  KeyspaceChannel,
  SubkeyeventChannel,
  SubkeyspaceChannel,
  SubkeyspaceeventChannel,
  SubkeyspaceitemChannel,
} from "../parse/mod.ts";
import { NotificationChannel } from "../parse/channel.ts";
import { readArguments, readChannel, splitOptions } from "./subscribe.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type {
  ChannelLike,
  ChannelSubscribeOptions,
  CloseOptions,
  EventOf,
  GetMessageOptions,
  ListenOptions,
  SubscribeOptions,
  Subscription,
  WaitOptions,
} from "./subscription.ts";
import { checkKnown, checkOneOf, checkSignal, checkUnused } from "./connection/option_checks.ts";
import type { ListenerOptions, NotificationsEvent, NotificationsEventMap } from "./reports.ts";
import type { Health, Status } from "./status.ts";
import type { NotificationLoop, StreamItem } from "./stream.ts";

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
export abstract class AbstractKeyspaceNotifications
  implements AsyncIterable<KeyNotification>, AsyncDisposable {
  /**
   * The subscriptions, and the way to them.
   *
   * @internal
   */
  protected abstract readonly dispatcher: Dispatcher;
  readonly #database: number;

  /** @internal */
  protected constructor(database: number) {
    this.#database = database;
  }

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
   * are done, so a handler must not wait for it; loops get what is queued for them before they end.
   *
   * @param options whether to deliver what is queued
   */
  async close(options: CloseOptions = {}): Promise<void> {
    checkKnown(options, ["drain"]);
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
   * Subscribes channels and patterns.
   *
   * @param args channels, each one of the channel classes, of the URL's database unless it names one, or
   * a whole channel as text or bytes; the last argument may be options
   * @returns the subscription, once every server has confirmed all channels
   * @throws {TypeError} if an argument is not a channel of notifications
   * @throws {MissingFlagsError} when a server's flags let nothing through to one of them; none of
   * them is then subscribed
   * @throws {MissingDatabaseError} when a server has no such database as one of them names; none of
   * them is then subscribed
   * @throws {SubscribeRefusedError} when a server refuses some; its `subscription` holds the others
   * @throws {TimeoutError} when a server cannot be reached in time, or does not answer; none of them is
   * then subscribed
   * @throws {ClosedError} when the object is closed, also meanwhile
   * @throws {ConnectError} when the connection was lost for good
   */
  async subscribe(
    ...args: [...ChannelLike[], SubscribeOptions] | ChannelLike[]
  ): Promise<Subscription> {
    const { channels, options, failure } = readArguments(args);
    // A wait would let an `unsubscribe` that is called next overtake it.
    if (failure !== null) await failure;
    checkUnused(options, ["db", "as"], "subscribe", "each channel says that itself");
    return await this.dispatcher.subscribe(channels.map(this.#inDatabase), options);
  }

  async #subscribe(channel: Channel, given: SubscribeOptions): Promise<Subscription> {
    const { channels, options, failure } = readArguments([channel, given]);
    if (failure !== null) await failure;
    return await this.dispatcher.subscribe(channels, options);
  }

  /**
   * Unsubscribes these channels in every subscription; without channels, all of them.
   *
   * @param args channels as for {@linkcode subscribe}; the last argument may be options
   * @returns once every server has confirmed
   * @throws {TypeError} if an argument is not a channel
   * @throws the reason of the option `signal`; the channels are released all the same
   */
  async unsubscribe(...args: [...ChannelLike[], WaitOptions] | ChannelLike[]): Promise<void> {
    const { names, options } = splitOptions<WaitOptions>(args);
    checkKnown(options, ["signal"]);
    checkSignal(options.signal);
    const channels = names.map((name, place) =>
      this.#inDatabase(readChannel(name, place, "unsubscribe"))
    );
    const work = this.dispatcher.unsubscribe(channels.length === 0 ? null : channels);
    await abortable(work, options.signal);
  }

  /**
   * Subscribes a key, or a pattern of keys, to learn of every event on it.
   *
   * @param keyOrPattern the key; with `*`, `?` or `[…]` in it, a pattern
   * @param options the database, by default the URL's; a handler
   * @returns the subscription, as from {@linkcode subscribe}
   * @throws {RangeError} if the database is not an integer from 0 to 2 ** 31 - 1
   * @throws as {@linkcode subscribe} does
   */
  async subscribeKeyspace(
    keyOrPattern: string | Uint8Array,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    return await this.#subscribe(
      new KeyspaceChannel(keyOrPattern, this.#channel(options)),
      options,
    );
  }

  /**
   * Subscribes an event, to learn of every key it happens to.
   *
   * @param event the event, as {@linkcode EventType} names them; `*` for all
   * @param options the database, by default the URL's; a handler
   * @returns the subscription, as from {@linkcode subscribe}
   * @throws {RangeError} if the database is not an integer from 0 to 2 ** 31 - 1
   * @throws as {@linkcode subscribe} does
   */
  subscribeKeyevent<Name extends EventName>(
    event: Name,
    options?: ChannelSubscribeOptions<EventOf<Name>> & { readonly as?: "exact" | undefined },
  ): Promise<Subscription>;
  /** Subscribes an event whose name is a prefix or a pattern. */
  subscribeKeyevent(event: EventName, options?: ChannelSubscribeOptions): Promise<Subscription>;
  async subscribeKeyevent(
    event: EventName,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    return await this.#subscribe(new KeyeventChannel(event, this.#channel(options)), options);
  }

  /**
   * Subscribes a key, or a pattern of keys, to learn of every event on its subkeys.
   *
   * @param keyOrPattern the key or pattern
   * @param options the database, by default the URL's; a handler
   * @returns the subscription, as from {@linkcode subscribe}
   * @throws {RangeError} if the database is not an integer from 0 to 2 ** 31 - 1
   * @throws as {@linkcode subscribe} does
   */
  async subscribeSubkeyspace(
    keyOrPattern: string | Uint8Array,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    return await this.#subscribe(
      new SubkeyspaceChannel(keyOrPattern, this.#channel(options)),
      options,
    );
  }

  /**
   * Subscribes an event, to learn of every key and subkeys it happens to.
   *
   * @param event the event; `*` for all
   * @param options the database, by default the URL's; a handler
   * @returns the subscription, as from {@linkcode subscribe}
   * @throws {RangeError} if the database is not an integer from 0 to 2 ** 31 - 1
   * @throws as {@linkcode subscribe} does
   */
  subscribeSubkeyevent<Name extends EventName>(
    event: Name,
    options?: ChannelSubscribeOptions<EventOf<Name>> & { readonly as?: "exact" | undefined },
  ): Promise<Subscription>;
  /** Subscribes an event whose name is a prefix or a pattern. */
  subscribeSubkeyevent(event: EventName, options?: ChannelSubscribeOptions): Promise<Subscription>;
  async subscribeSubkeyevent(
    event: EventName,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    return await this.#subscribe(new SubkeyeventChannel(event, this.#channel(options)), options);
  }

  /**
   * Subscribes one subkey of a key, or patterns of them.
   *
   * @param keyOrPattern the key or pattern; the server publishes none that holds a newline
   * @param subkeyOrPattern the subkey or pattern
   * @param options the database, by default the URL's; a handler
   * @returns the subscription, as from {@linkcode subscribe}
   * @throws {RangeError} if the database is not an integer from 0 to 2 ** 31 - 1
   * @throws {TypeError} when the key holds a newline: the server publishes nothing for it there
   * @throws as {@linkcode subscribe} does
   */
  async subscribeSubkeyspaceitem(
    keyOrPattern: string | Uint8Array,
    subkeyOrPattern: string | Uint8Array,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    const channel = this.#channel(options);
    return await this.#subscribe(
      new SubkeyspaceitemChannel(keyOrPattern, subkeyOrPattern, channel),
      options,
    );
  }

  /**
   * Subscribes one event on a key, or a pattern of keys, to learn of the subkeys.
   *
   * @param event the event; `*` for all
   * @param keyOrPattern the key or pattern
   * @param options the database, by default the URL's; a handler
   * @returns the subscription, as from {@linkcode subscribe}
   * @throws {RangeError} if the database is not an integer from 0 to 2 ** 31 - 1
   * @throws {TypeError} when the event holds a `|`: the server publishes nothing for it there
   * @throws as {@linkcode subscribe} does
   */
  async subscribeSubkeyspaceevent(
    event: EventName,
    keyOrPattern: string | Uint8Array,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    const channel = this.#channel(options);
    return await this.#subscribe(
      new SubkeyspaceeventChannel(event, keyOrPattern, channel),
      options,
    );
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

  /** A channel that was built without a database is one of the URL's. */
  readonly #inDatabase = (channel: Channel): Channel =>
    channel instanceof NotificationChannel ? channel.inDatabase(this.#database) : channel;

  #channel(options: ChannelSubscribeOptions): ChannelOptions {
    const { as } = options;
    if (as !== undefined) checkOneOf(["exact", "prefix", "pattern"], "as", as);
    return { ...options, db: options.db ?? this.#database };
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
