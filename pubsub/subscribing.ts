import { NotificationChannel } from "../parse/channel.ts";
import {
  type Channel,
  type ChannelOptions,
  type EventName,
  KeyeventChannel,
  KeyspaceChannel,
  SubkeyeventChannel,
  SubkeyspaceChannel,
  SubkeyspaceeventChannel,
  SubkeyspaceitemChannel,
} from "../parse/mod.ts";
import { fromCaller } from "./connection/caller.ts";
import { checkKnown, checkOneOf, checkSignal, checkUnused } from "./connection/option_checks.ts";
import { abortable } from "./connection/timers.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { readArguments, readChannel, splitOptions } from "./subscribe.ts";
import type {
  ChannelLike,
  ChannelSubscribeOptions,
  EventOf,
  SubscribeOptions,
  Subscription,
  WaitOptions,
} from "./subscription.ts";

/**
 * What `KeyspaceNotifications` and `ClusterKeyspaceNotifications` have in common to subscribe and
 * unsubscribe.
 *
 * @example
 * ```ts no-run
 * import { connect, type SubscribingNotifications } from "@keywatch/keywatch";
 *
 * const watchUsers = (notifications: SubscribingNotifications) =>
 *   notifications.subscribeKeyspace("user:*");
 * await using notifications = await connect("redis://localhost:6379");
 * await watchUsers(notifications);
 * ```
 */
export abstract class SubscribingNotifications {
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
  subscribe(
    ...args: [...ChannelLike[], SubscribeOptions] | ChannelLike[]
  ): Promise<Subscription> {
    return this.#read(this.subscribe, () => {
      const read = readArguments(args);
      checkUnused(read.options, ["db", "as"], "subscribe", "each channel says that itself");
      return read;
    });
  }

  #subscribe(
    method: unknown,
    build: () => Channel,
    options: SubscribeOptions,
  ): Promise<Subscription> {
    return this.#read(method, () => readArguments([build(), options]));
  }

  /** Subscribes what is read from the arguments of a method. */
  #read(
    method: unknown,
    read: () => ReturnType<typeof readArguments>,
  ): Promise<Subscription> {
    return fromCaller(method, async () => {
      const { channels, options, failure } = read();
      // A wait would let an `unsubscribe` that is called next overtake it.
      if (failure !== null) await failure;
      return await this.dispatcher.subscribe(channels.map(this.#inDatabase), options);
    });
  }

  /**
   * Unsubscribes these channels in every subscription; without channels, all of them.
   *
   * @param args channels as for {@linkcode subscribe}; the last argument may be options
   * @returns once every server has confirmed
   * @throws {TypeError} if an argument is not a channel
   * @throws the reason of the option `signal`; the channels are released all the same
   */
  unsubscribe(...args: [...ChannelLike[], WaitOptions] | ChannelLike[]): Promise<void> {
    return fromCaller(this.unsubscribe, async () => {
      const { names, options } = splitOptions<WaitOptions>(args);
      checkKnown(options, ["signal"]);
      checkSignal(options.signal);
      const channels = names.map((name, place) =>
        this.#inDatabase(readChannel(name, place, "unsubscribe"))
      );
      const work = this.dispatcher.unsubscribe(channels.length === 0 ? null : channels);
      await abortable(work, options.signal);
    });
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
  subscribeKeyspace(
    keyOrPattern: string | Uint8Array,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    const build = () => new KeyspaceChannel(keyOrPattern, this.#channel(options));
    return this.#subscribe(this.subscribeKeyspace, build, options);
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
  subscribeKeyevent(
    event: EventName,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    const build = () => new KeyeventChannel(event, this.#channel(options));
    return this.#subscribe(this.subscribeKeyevent, build, options);
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
  subscribeSubkeyspace(
    keyOrPattern: string | Uint8Array,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    const build = () => new SubkeyspaceChannel(keyOrPattern, this.#channel(options));
    return this.#subscribe(this.subscribeSubkeyspace, build, options);
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
  subscribeSubkeyevent(
    event: EventName,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    const build = () => new SubkeyeventChannel(event, this.#channel(options));
    return this.#subscribe(this.subscribeSubkeyevent, build, options);
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
  subscribeSubkeyspaceitem(
    keyOrPattern: string | Uint8Array,
    subkeyOrPattern: string | Uint8Array,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    const build = () =>
      new SubkeyspaceitemChannel(keyOrPattern, subkeyOrPattern, this.#channel(options));
    return this.#subscribe(this.subscribeSubkeyspaceitem, build, options);
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
  subscribeSubkeyspaceevent(
    event: EventName,
    keyOrPattern: string | Uint8Array,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    const build = () => new SubkeyspaceeventChannel(event, keyOrPattern, this.#channel(options));
    return this.#subscribe(this.subscribeSubkeyspaceevent, build, options);
  }

  /** A channel that was built without a database is one of the URL's. */
  readonly #inDatabase = (channel: Channel): Channel =>
    channel instanceof NotificationChannel ? channel.inDatabase(this.#database) : channel;

  #channel(options: ChannelSubscribeOptions): ChannelOptions {
    const { as } = options;
    if (as !== undefined) checkOneOf(["exact", "prefix", "pattern"], "as", as);
    return { as, db: options.db ?? this.#database };
  }
}
