import { SILENT_MS } from "./connection/timers.ts";
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
import { readArguments, readChannel } from "./arguments.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type {
  ChannelLike,
  ChannelSubscribeOptions,
  GetMessageOptions,
  KeyspaceNotificationsInterface,
  ListenOptions,
  SubscribeOptions,
} from "./interface.ts";
import { checkUnused, invalid } from "./connection/option_checks.ts";
import type { Health, Status } from "./status.ts";
import type { NotificationLoop, StreamItem } from "./stream.ts";
import type { Subscription } from "./subscription.ts";

/**
 * What watching one server and watching a cluster have in common: all that is done with
 * subscriptions and notifications. How servers are reached is the subclass's part.
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
export abstract class AbstractKeyspaceNotifications implements KeyspaceNotificationsInterface {
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

  abstract status(): Status;

  abstract close(): Promise<void>;

  health(): Health {
    const { state, nodes } = this.status();
    if (state === "closed") return { ok: false, reason: "closed" };
    const bad = nodes.filter((node) => node.state !== "ready");
    if (bad.length > 0) {
      const each = bad.map(({ node, state, error }) => `${node} is ${state}: ${error}`);
      return { ok: false, reason: each.join("; ") };
    }
    const silent = nodes.filter(({ silentFor }) => silentFor > SILENT_MS);
    if (silent.length > 0) {
      const each = silent.map(({ node, silentFor }) =>
        `${node} has not answered for ${silentFor} ms`
      );
      return { ok: false, reason: each.join("; ") };
    }
    return state === "ready"
      ? { ok: true, reason: `receiving from ${nodes.map(({ node }) => node).join(", ")}` }
      : { ok: false, reason: "a subscription is not confirmed yet" };
  }

  get subscribed(): boolean {
    return this.dispatcher.ended === null && this.dispatcher.registry.size > 0;
  }

  async subscribe(
    ...args: [...ChannelLike[], SubscribeOptions] | ChannelLike[]
  ): Promise<Subscription> {
    const { channels, options } = readArguments(args);
    checkUnused(options, ["db", "as"], "subscribe", "each channel says that itself");
    return await this.dispatcher.subscribe(channels, options.handler);
  }

  async #subscribe(channel: Channel, given: SubscribeOptions): Promise<Subscription> {
    const { channels, options } = readArguments([channel, given]);
    return await this.dispatcher.subscribe(channels, options.handler);
  }

  async unsubscribe(...channels: ChannelLike[]): Promise<void> {
    await this.dispatcher.unsubscribe(
      channels.length === 0
        ? null
        : channels.map((name, place) => readChannel(name, place, "unsubscribe")),
    );
  }

  async subscribeKeyspace(
    keyOrPattern: string | Uint8Array,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    return await this.#subscribe(
      new KeyspaceChannel(keyOrPattern, this.#channel(options)),
      options,
    );
  }

  async subscribeKeyevent(
    event: EventName,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    return await this.#subscribe(new KeyeventChannel(event, this.#channel(options)), options);
  }

  async subscribeSubkeyspace(
    keyOrPattern: string | Uint8Array,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    return await this.#subscribe(
      new SubkeyspaceChannel(keyOrPattern, this.#channel(options)),
      options,
    );
  }

  async subscribeSubkeyevent(
    event: EventName,
    options: ChannelSubscribeOptions = {},
  ): Promise<Subscription> {
    return await this.#subscribe(new SubkeyeventChannel(event, this.#channel(options)), options);
  }

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

  getMessage({ timeout = 0, signal }: GetMessageOptions = {}): Promise<KeyNotification | null> {
    return this.dispatcher.stream.poll(timeout, signal);
  }

  listen(options: ListenOptions & { readonly gaps: true }): NotificationLoop<StreamItem>;
  listen(options?: ListenOptions): NotificationLoop<KeyNotification>;
  listen(options: ListenOptions = {}): NotificationLoop<StreamItem> {
    return this.dispatcher.stream.open(options.gaps ?? false, options.signal);
  }

  /** Reads the merged stream, as `listen()` does. */
  [Symbol.asyncIterator](): NotificationLoop<KeyNotification> {
    return this.listen();
  }

  /** Closes, at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #channel(options: ChannelSubscribeOptions): ChannelOptions {
    const { as } = options;
    if (![undefined, "exact", "prefix", "pattern"].includes(as)) {
      throw invalid("as", as, '"exact", "prefix" or "pattern"');
    }
    return { ...options, db: options.db ?? this.#database };
  }
}
