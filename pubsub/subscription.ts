import type { Channel, ChannelOptions, EventName } from "../parse/mod.ts";
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
  unsubscribe(): Promise<void>;
}

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
 * Which notifications of its channels a subscription takes. The others are left out before anything is
 * made of them; in a cluster only after they were examined for slot migrations.
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
   * Only events with these names, which are no patterns: for keyspace, subkeyspace and subkeyspaceitem
   * channels, which name keys. The flags of a server must let one of them through at least.
   */
  readonly events?: readonly EventName[];
  /**
   * Only keys that match this glob, without the prefix of the option `keyPrefix`: for keyevent and
   * subkeyevent channels, which name events. {@linkcode escapeGlob} makes one of a plain key.
   */
  readonly keys?: string | Uint8Array;
}

/**
 * Which notifications a subscription takes, and what happens to them.
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
export type SubscribeOptions =
  & FilterOptions
  & (
    | {
      /** Takes the notifications, which then do not go to the merged stream. */
      readonly handler?: NotificationHandler;
      readonly batchHandler?: undefined;
    }
    | {
      readonly handler?: undefined;
      /** Takes them in batches, in place of a `handler`. */
      readonly batchHandler?: BatchHandler;
    }
  );

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
export type ChannelSubscribeOptions = SubscribeOptions & ChannelOptions;

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
  /**
   * Show flushes in the stream, each before the first notification after it. Default `false`. Only with
   * the option `flushes` of `connect`.
   */
  readonly flushes?: boolean;
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
