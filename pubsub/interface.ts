import type { Channel, ChannelOptions, EventName, KeyNotification } from "../parse/mod.ts";
import type { NotificationHandler } from "./delivery.ts";
import type { Health, Status } from "./status.ts";
import type { NotificationLoop, StreamItem } from "./stream.ts";
import type { Subscription } from "./subscription.ts";

/**
 * A channel: one of the channel classes, or a whole channel or pattern as text or bytes.
 *
 * @example
 * ```ts
 * import { type ChannelLike, toChannel } from "@keywatch/keywatch";
 *
 * function takesPsubscribe(channel: ChannelLike): boolean {
 *   return toChannel(channel).isPattern;
 * }
 * takesPsubscribe("__keyspace@0__:user:*"); // true
 * ```
 */
export type ChannelLike = Channel | string | Uint8Array;

/**
 * What to do with the notifications of a subscription.
 *
 * @example
 * ```ts no-run
 * import { connect, type SubscribeOptions } from "@keywatch/keywatch";
 *
 * const logged: SubscribeOptions = { handler: ({ key }) => console.log(key) };
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribe("__keyevent@0__:expired", logged);
 * ```
 */
export interface SubscribeOptions {
  /** Takes them, in place of the merged stream. */
  readonly handler?: NotificationHandler;
}

/**
 * The options of the methods that build the channel.
 *
 * @example
 * ```ts no-run
 * import { connect, type ChannelSubscribeOptions } from "@keywatch/keywatch";
 *
 * const options: ChannelSubscribeOptions = { db: 3, as: "prefix" };
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyspace("user:", options); // __keyspace@3__:user:*
 * ```
 */
export interface ChannelSubscribeOptions extends SubscribeOptions, ChannelOptions {}

/**
 * The options of {@linkcode KeyspaceNotificationsInterface.listen}.
 *
 * @example
 * ```ts no-run
 * import { connect, type ListenOptions } from "@keywatch/keywatch";
 *
 * const forAMinute: ListenOptions = { signal: AbortSignal.timeout(60_000) };
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyspace("user:*");
 * for await (const { key } of notifications.listen(forAMinute)) console.log(key);
 * ```
 */
export interface ListenOptions {
  /** Show gaps in the stream, each before the first notification after it. Default `false`. */
  readonly gaps?: boolean;
  /** Ends the loop when it is aborted. */
  readonly signal?: AbortSignal;
}

/**
 * The options of {@linkcode KeyspaceNotificationsInterface.getMessage}.
 *
 * @example
 * ```ts no-run
 * import { connect, type GetMessageOptions } from "@keywatch/keywatch";
 *
 * const options: GetMessageOptions = { timeout: 1_000 };
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyspace("user:*");
 * console.log((await notifications.getMessage(options))?.key ?? "nothing within a second");
 * ```
 */
export interface GetMessageOptions {
  /** How long to wait for a notification, in ms. Default 0: only what is there already. */
  readonly timeout?: number;
  /** Ends the wait when it is aborted. */
  readonly signal?: AbortSignal;
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
export interface KeyspaceNotificationsInterface
  extends AsyncIterable<KeyNotification>, AsyncDisposable {
  /**
   * Subscribes channels and patterns.
   *
   * @param args channels, each one of the channel classes or a whole channel as text or bytes; the
   * last argument may be options
   * @returns a hold on the channels, once every server has confirmed them all
   * @throws {TypeError} when an argument is no channel of notifications
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
  subscribe(...args: [...ChannelLike[], SubscribeOptions] | ChannelLike[]): Promise<Subscription>;
  /**
   * Drops every hold on these channels; without arguments, on all.
   *
   * @param channels as for {@linkcode subscribe}
   * @returns once every server has confirmed
   * @throws {TypeError} when an argument is no channel
   */
  unsubscribe(...channels: ChannelLike[]): Promise<void>;
  /**
   * Subscribes a key, or a pattern of keys, to learn of every event on it.
   *
   * @param keyOrPattern the key; with `*`, `?` or `[…]` in it, a pattern
   * @param options the database, by default the URL's; a handler
   * @returns a hold on the channel, as {@linkcode subscribe} gives it
   * @throws {RangeError} when the database is no whole number from 0 to 2 ** 31 - 1
   * @throws as {@linkcode subscribe} does
   */
  subscribeKeyspace(
    keyOrPattern: string | Uint8Array,
    options?: ChannelSubscribeOptions,
  ): Promise<Subscription>;
  /**
   * Subscribes an event, to learn of every key it happens to.
   *
   * @param event the event, as {@linkcode EventType} names them; `*` for all
   * @param options the database, by default the URL's; a handler
   * @returns a hold on the channel, as {@linkcode subscribe} gives it
   * @throws {RangeError} when the database is no whole number from 0 to 2 ** 31 - 1
   * @throws as {@linkcode subscribe} does
   */
  subscribeKeyevent(event: EventName, options?: ChannelSubscribeOptions): Promise<Subscription>;
  /**
   * Subscribes a key, or a pattern of keys, to learn of every event on its subkeys.
   *
   * @param keyOrPattern the key or pattern
   * @param options the database, by default the URL's; a handler
   * @returns a hold on the channel, as {@linkcode subscribe} gives it
   * @throws {RangeError} when the database is no whole number from 0 to 2 ** 31 - 1
   * @throws as {@linkcode subscribe} does
   */
  subscribeSubkeyspace(
    keyOrPattern: string | Uint8Array,
    options?: ChannelSubscribeOptions,
  ): Promise<Subscription>;
  /**
   * Subscribes an event, to learn of every key and subkeys it happens to.
   *
   * @param event the event; `*` for all
   * @param options the database, by default the URL's; a handler
   * @returns a hold on the channel, as {@linkcode subscribe} gives it
   * @throws {RangeError} when the database is no whole number from 0 to 2 ** 31 - 1
   * @throws as {@linkcode subscribe} does
   */
  subscribeSubkeyevent(event: EventName, options?: ChannelSubscribeOptions): Promise<Subscription>;
  /**
   * Subscribes one subkey of a key, or patterns of them.
   *
   * @param keyOrPattern the key or pattern; the server publishes none that holds a newline
   * @param subkeyOrPattern the subkey or pattern
   * @param options the database, by default the URL's; a handler
   * @returns a hold on the channel, as {@linkcode subscribe} gives it
   * @throws {RangeError} when the database is no whole number from 0 to 2 ** 31 - 1
   * @throws {TypeError} when the key holds a newline: the server publishes nothing for it there
   * @throws as {@linkcode subscribe} does
   */
  subscribeSubkeyspaceitem(
    keyOrPattern: string | Uint8Array,
    subkeyOrPattern: string | Uint8Array,
    options?: ChannelSubscribeOptions,
  ): Promise<Subscription>;
  /**
   * Subscribes one event on a key, or a pattern of keys, to learn of the subkeys.
   *
   * @param event the event; `*` for all
   * @param keyOrPattern the key or pattern
   * @param options the database, by default the URL's; a handler
   * @returns a hold on the channel, as {@linkcode subscribe} gives it
   * @throws {RangeError} when the database is no whole number from 0 to 2 ** 31 - 1
   * @throws {TypeError} when the event holds a `|`: the server publishes nothing for it there
   * @throws as {@linkcode subscribe} does
   */
  subscribeSubkeyspaceevent(
    event: EventName,
    keyOrPattern: string | Uint8Array,
    options?: ChannelSubscribeOptions,
  ): Promise<Subscription>;
  /**
   * Takes the next notification of the merged stream. While a loop is open, the loop gets them.
   *
   * @param options how long to wait
   * @returns the notification, or null when none came in that time, or the signal was aborted
   * @throws {TypeError} when the timeout is not 0 ms or more, or the signal is none
   * @throws {ClosedError} when the object is closed, also meanwhile
   * @throws {ConnectError} when the connection was lost for good and everything before has been read
   */
  getMessage(options?: GetMessageOptions): Promise<KeyNotification | null>;
  /**
   * Reads the merged stream, until it is left or the object is closed.
   *
   * The loop is open from this call on, and gets what comes from then on; the first one gets what
   * has been waiting, too. The last one to leave gives back what it has not read, so loops that
   * follow each other miss nothing. To leave a loop, by `break` or otherwise, unsubscribes nothing:
   * what is subscribed for one loop alone is held by `await using` beside it.
   *
   * @param options whether to show gaps; a signal that ends the loop
   * @returns the loop; it throws when the connection was lost for good
   * @throws {TypeError} when the signal is none
   */
  listen(options: ListenOptions & { readonly gaps: true }): NotificationLoop<StreamItem>;
  /**
   * Reads the merged stream without showing gaps.
   *
   * @param options a signal that ends the loop
   * @returns the loop; it throws when the connection was lost for good
   * @throws {TypeError} when the signal is none
   */
  listen(options?: ListenOptions): NotificationLoop<KeyNotification>;
  /** Whether anything is subscribed. */
  readonly subscribed: boolean;
  /** How things stand. */
  status(): Status;
  /** Whether everything subscribed is being received, and if not, why. */
  health(): Health;
  /** Ends everything: the connection, every loop, every wait. Safe to call twice. */
  close(): Promise<void>;
}
