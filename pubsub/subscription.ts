import type { Channel, ChannelOptions, EventName, ReceivedEvent } from "../parse/mod.ts";
import type { BatchHandler, NotificationHandler } from "./delivery.ts";

/**
 * A subscription to channels, as `subscribe` returns it. `await using` unsubscribes at the end of the
 * block.
 *
 * @example
 * ```ts no-run
 * import { connect, type Subscription } from "@keywatch/keywatch";
 *
 * await using notifications = await connect("redis://localhost:6379");
 * const held: Subscription = await notifications.subscribeKeyspace("user:*");
 * console.log(held.channels.map(String)); // ["__keyspace@0__:user:*"]
 * await held.unsubscribe();
 * ```
 *
 * @example For one loop alone
 * ```ts no-run
 * import { connect } from "@keywatch/keywatch";
 *
 * await using notifications = await connect("redis://localhost:6379");
 * {
 *   await using _held = await notifications.subscribeKeyevent("expired");
 *   for await (const { key } of notifications) if (key === "job:7") break;
 * } // Not subscribed any more.
 * ```
 */
export interface Subscription extends AsyncDisposable {
  /** The subscribed channels. */
  readonly channels: readonly Channel[];
  /** Unsubscribes. A channel stays subscribed on the server while another subscription needs it. */
  unsubscribe(options?: WaitOptions): Promise<void>;
}

/**
 * Options of methods that wait for servers, such as `unsubscribe`.
 *
 * @example
 * ```ts no-run
 * import { connect, type WaitOptions } from "@keywatch/keywatch";
 *
 * const options: WaitOptions = { signal: AbortSignal.timeout(1_000) };
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyspace("user:*");
 * await notifications.unsubscribe("__keyspace@0__:user:*", options);
 * ```
 */
export interface WaitOptions {
  /** Ends the wait when it is aborted: the method rejects with its reason. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Options of {@linkcode KeyspaceNotificationsInterface.close}.
 *
 * @example
 * ```ts no-run
 * import { type CloseOptions, connect } from "@keywatch/keywatch";
 *
 * const options: CloseOptions = { drain: true };
 * const notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyspace("user:*", { handler: async ({ key }) => console.log(key) });
 * await notifications.close(options);
 * ```
 */
export interface CloseOptions {
  /**
   * Delivers the notifications that are queued before handlers and loops end. Default: `false`, which
   * drops them.
   */
  readonly drain?: boolean | undefined;
}

/**
 * A channel: an instance of a channel class, or the text or bytes of a whole channel or pattern.
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
 * Filters of a subscription. Other notifications of its channels are dropped before anything is created
 * for them; in a cluster, after they were classified as real or migration artefacts.
 *
 * @example
 * ```ts no-run
 * import { connect, type FilterOptions } from "@keywatch/keywatch";
 *
 * const gone: FilterOptions = { events: ["del", "expired", "evicted"] };
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyspace("user:*", gone);
 * await notifications.subscribeKeyevent("expired", { keys: "job:*" });
 * ```
 */
export interface FilterOptions {
  /**
   * Takes only events with these names, which are not patterns. Applies to keyspace, subkeyspace and
   * subkeyspaceitem channels. The flags of a server must let at least one of them through. Default: all
   * events.
   */
  readonly events?: readonly EventName[] | undefined;
  /**
   * Takes only keys that match this glob, after the option `keyPrefix` of `connect` has removed the
   * prefix. Applies to keyevent and subkeyevent channels. Use {@linkcode escapeGlob} for the glob of a
   * plain key. Default: all keys.
   */
  readonly keys?: string | Uint8Array | undefined;
}

/**
 * Options of {@linkcode KeyspaceNotificationsInterface.subscribe}: filters, and where to deliver.
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
export type SubscribeOptions<Event extends ReceivedEvent = ReceivedEvent> =
  & FilterOptions
  & WaitOptions
  & (
    | {
      /**
       * Called with each notification, which then does not go to the merged stream. If it returns a
       * promise, the next call waits for it.
       */
      readonly handler?: NotificationHandler<Event> | undefined;
      readonly batchHandler?: undefined;
    }
    | {
      readonly handler?: undefined;
      /** Called with batches of notifications, instead of a `handler`. */
      readonly batchHandler?: BatchHandler<Event> | undefined;
    }
  );

/**
 * Options of the methods that build the channel, such as `subscribeKeyspace`.
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
export type ChannelSubscribeOptions<Event extends ReceivedEvent = ReceivedEvent> =
  & SubscribeOptions<Event>
  & ChannelOptions;

/**
 * The type of `eventType` in the notifications of a subscription to an event: the event, or any where
 * its name may be a pattern.
 *
 * @example
 * ```ts
 * import type { EventOf, NotificationHandler } from "@keywatch/keywatch";
 *
 * const handler: NotificationHandler<EventOf<"expired">> = ({ eventType }) => {
 *   const event: "expired" = eventType;
 *   console.log(event);
 * };
 * ```
 */
export type EventOf<Name extends EventName> = string extends Name ? ReceivedEvent
  : Name extends `${string}${"*" | "?" | "[" | "\\"}${string}` ? ReceivedEvent
  : Name extends ReceivedEvent ? Name
  : ReceivedEvent;

/**
 * Options of {@linkcode KeyspaceNotificationsInterface.listen}.
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
  /** Yields gaps too, each before the first notification after it. Default: `false`. */
  readonly gaps?: boolean | undefined;
  /**
   * Yields flushes too, each before the first notification after it. Requires the option `flushes` of
   * `connect`. Default: `false`.
   */
  readonly flushes?: boolean | undefined;
  /**
   * Yields what a failover has undone, where the new primary begins. Requires the option `standby` of
   * `connect`. Default: `false`.
   */
  readonly rolledBack?: boolean | undefined;
  /** Ends the loop when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Options of {@linkcode KeyspaceNotificationsInterface.getMessage}.
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
  /** How long to wait for a notification, in ms. With 0, it does not wait. Default: 0. */
  readonly timeout?: number | undefined;
  /** Ends the wait when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}
