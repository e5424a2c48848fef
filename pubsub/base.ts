import {
  Channel,
  type EventName,
  KeyeventChannel,
  type KeyNotification,
  KeyspaceChannel,
  parseNotification,
  SubkeyeventChannel,
  SubkeyspaceChannel,
  SubkeyspaceeventChannel,
  SubkeyspaceitemChannel,
  toChannel,
} from "../parse/mod.ts";
import type { MessageFrame } from "../resp/mod.ts";
import { type Consumer, type DeliveryOptions, HandlerConsumer, Pressure } from "./delivery.ts";
import { ClosedError, type RefusedChannel, SubscribeRefusedError } from "./errors.ts";
import { EventAdvice } from "./event_advice.ts";
import type { EventRun } from "./event_run.ts";
import type { Gap } from "./gap.ts";
import type {
  ChannelLike,
  FamilyOptions,
  GetMessageOptions,
  KeyspaceNotificationsInterface,
  ListenOptions,
  SubscribeOptions,
  Subscription,
} from "./interface.ts";
import type { Settings } from "./options.ts";
import { channelId, Registry, type WantedChannel } from "./registry.ts";
import type { Health, Status } from "./status.ts";
import { type NotificationLoop, Stream, type StreamItem } from "./stream.ts";

/** One call of `subscribe`: the channels it holds, and where their notifications go. */
interface Hold {
  readonly channels: readonly Channel[];
  readonly consumer: Consumer;
}

/** A channel in the register, with those who hold it. */
export type Wanted = WantedChannel<Hold>;

/** What one connection's messages are delivered by. */
export type NodeRun = EventRun<Wanted, Consumer>;

/**
 * What watching one server and watching a cluster have in common: the register of what is wanted,
 * and the way of a message to those who want it. How servers are reached is the subclass's part.
 */
export abstract class AbstractKeyspaceNotifications implements KeyspaceNotificationsInterface {
  /**
   * What the options say.
   *
   * @internal
   */
  protected readonly settings: Settings;
  /**
   * What is wanted.
   *
   * @internal
   */
  protected readonly registry: Registry<Hold> = new Registry();
  /**
   * Where notifications go that no handler takes.
   *
   * @internal
   */
  protected readonly stream: Stream;
  /**
   * Gaps so far.
   *
   * @internal
   */
  protected gaps = 0;
  readonly #delivery: DeliveryOptions;
  readonly #advice: EventAdvice;

  /** @internal */
  protected constructor(node: string, settings: Settings) {
    this.settings = settings;
    this.#advice = new EventAdvice(settings.onWarning);
    this.#delivery = {
      events: {
        onError: (error) => settings.onError(error),
        onGap: (gap) => this.#tellGap(gap),
      },
      pressure: new Pressure(),
      node,
      limits: settings.queue,
      overflow: settings.overflow,
    };
    this.stream = new Stream(this.#delivery);
  }

  /**
   * Whether `close` was called.
   *
   * @internal
   */
  protected abstract readonly closed: boolean;

  /**
   * Rejects when the servers' flags let nothing through to one of the channels.
   *
   * @internal
   */
  protected abstract checkFlags(channels: readonly Channel[]): Promise<void>;

  /**
   * Waits until every server has confirmed or refused the channels; gives back the refused.
   *
   * @internal
   */
  protected abstract settle(channels: readonly Wanted[]): Promise<RefusedChannel[]>;

  /**
   * Waits until every server that can be reached has let go of what is not wanted.
   *
   * @internal
   */
  protected abstract reconcile(): Promise<void>;

  abstract status(): Status;

  health(): Health {
    const { state, nodes } = this.status();
    if (state === "closed") return { ok: false, reason: "closed" };
    const bad = nodes.filter((node) => node.state !== "ready");
    if (bad.length > 0) {
      const each = bad.map(({ node, state, error }) => `${node} is ${state}: ${error}`);
      return { ok: false, reason: each.join("; ") };
    }
    return state === "ready"
      ? { ok: true, reason: `receiving from ${nodes.map(({ node }) => node).join(", ")}` }
      : { ok: false, reason: "a subscription is not confirmed yet" };
  }

  abstract close(): Promise<void>;

  get subscribed(): boolean {
    return !this.closed && this.registry.size > 0;
  }

  async subscribe(
    ...args: [...ChannelLike[], SubscribeOptions] | ChannelLike[]
  ): Promise<Subscription> {
    const { channels, options } = readArguments(args);
    this.#throwIfClosed("subscribe");
    this.#advice.consider(channels);
    const { handler } = options;
    const consumer = handler === undefined
      ? this.stream
      : new HandlerConsumer(handler, this.#delivery);
    const hold: Hold = { channels, consumer };
    // Before anything is waited for, so that an `unsubscribe` that is called later finds it.
    const wanted = channels.map((channel) => this.registry.add(channel, hold));
    let refused: RefusedChannel[];
    try {
      await this.checkFlags(channels);
      refused = await this.settle(wanted);
    } catch (error) {
      for (const channel of channels) this.registry.remove(channel, hold);
      if (!this.closed) this.reconcile();
      throw error;
    }
    if (refused.length > 0) {
      const names = new Set(refused.map(({ channel }) => channel));
      for (const channel of channels) {
        if (names.has(String(channel))) this.registry.remove(channel, hold);
      }
      throw new SubscribeRefusedError(describeRefused(refused), refused);
    }
    const unsubscribe = () => this.#release(channels, (other) => other === hold);
    return { channels, unsubscribe, [Symbol.asyncDispose]: unsubscribe };
  }

  async unsubscribe(...channels: ChannelLike[]): Promise<void> {
    const dropped = channels.length === 0
      ? [...this.registry.values()]
      : channels.map((channel) => toChannel(channel));
    await this.#release(dropped, () => true);
  }

  subscribeKeyspace(
    keyOrPattern: string | Uint8Array,
    options: FamilyOptions = {},
  ): Promise<Subscription> {
    return this.subscribe(new KeyspaceChannel(keyOrPattern, this.#db(options)), options);
  }

  subscribeKeyevent(event: EventName, options: FamilyOptions = {}): Promise<Subscription> {
    return this.subscribe(new KeyeventChannel(event, this.#db(options)), options);
  }

  subscribeSubkeyspace(
    keyOrPattern: string | Uint8Array,
    options: FamilyOptions = {},
  ): Promise<Subscription> {
    return this.subscribe(new SubkeyspaceChannel(keyOrPattern, this.#db(options)), options);
  }

  subscribeSubkeyevent(event: EventName, options: FamilyOptions = {}): Promise<Subscription> {
    return this.subscribe(new SubkeyeventChannel(event, this.#db(options)), options);
  }

  subscribeSubkeyspaceitem(
    keyOrPattern: string | Uint8Array,
    subkeyOrPattern: string | Uint8Array,
    options: FamilyOptions = {},
  ): Promise<Subscription> {
    const db = this.#db(options);
    return this.subscribe(new SubkeyspaceitemChannel(keyOrPattern, subkeyOrPattern, db), options);
  }

  subscribeSubkeyspaceevent(
    event: EventName,
    keyOrPattern: string | Uint8Array,
    options: FamilyOptions = {},
  ): Promise<Subscription> {
    const db = this.#db(options);
    return this.subscribe(new SubkeyspaceeventChannel(event, keyOrPattern, db), options);
  }

  getMessage(options: GetMessageOptions = {}): Promise<KeyNotification | null> {
    const { timeout = 0, signal } = options;
    if (!(timeout >= 0)) {
      return Promise.reject(
        new TypeError(`Cannot wait for a message: the timeout ${timeout} is not 0 ms or more`),
      );
    }
    return this.stream.poll(timeout, signal);
  }

  listen(options: ListenOptions & { readonly gaps: true }): NotificationLoop<StreamItem>;
  listen(options?: ListenOptions): NotificationLoop<KeyNotification>;
  listen(options: ListenOptions = {}): NotificationLoop<StreamItem> {
    return this.stream.open(options.gaps ?? false, options.signal);
  }

  /** Reads the merged stream, as `listen()` does. */
  [Symbol.asyncIterator](): NotificationLoop<KeyNotification> {
    return this.listen();
  }

  /** Closes, at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Hands a message to everyone who wants it, each once for each event.
   *
   * @returns whether it was a well-formed notification
   * @internal
   */
  protected deliver(
    frame: MessageFrame,
    receivedAt: number,
    sentAfter: number,
    run: NodeRun,
  ): boolean {
    const { bytes, patternStart, patternEnd, channelStart, channelEnd } = frame;
    const { payloadStart, payloadEnd } = frame;
    const wanted = patternStart < 0
      ? this.registry.findExact(bytes, channelStart, channelEnd)
      : this.registry.findPattern(bytes, patternStart, patternEnd);
    // Nobody holds it any more; the server will hear of it, or has not worked through it yet.
    if (wanted === undefined) return true;
    const notification = parseNotification(
      bytes,
      channelStart,
      channelEnd,
      payloadStart,
      payloadEnd,
      receivedAt,
      this.settings.keyPrefix,
    );
    if (notification === null) return false;
    // Well-formed, but of a key without the prefix that was asked for.
    if (notification === undefined) return true;
    const size = channelEnd - channelStart + payloadEnd - payloadStart;
    run.advance(wanted, frame);
    for (const { consumer } of wanted.users) {
      if (run.serve(consumer)) consumer.deliver(notification, size, sentAfter);
    }
    return true;
  }

  /**
   * Whether queues have been filling up since the last call.
   *
   * @internal
   */
  protected takePressure(): boolean {
    return this.#delivery.pressure.take();
  }

  /**
   * Puts a gap of a server into the order, before what comes next.
   *
   * @internal
   */
  protected reportGap(gap: Gap): void {
    this.#tellGap(gap);
    const read = [...this.registry.values()].some(({ users }) =>
      [...users].some(({ consumer }) => consumer === this.stream)
    );
    if (read) this.stream.reportGap(gap);
  }

  #tellGap(gap: Gap): void {
    this.gaps++;
    this.settings.onGap(gap);
  }

  async #release(
    channels: readonly Pick<Channel, "bytes" | "isPattern">[],
    drops: (hold: Hold) => boolean,
  ): Promise<void> {
    const left = new Set<Hold>();
    for (const channel of channels) {
      const wanted = this.registry.get(channelId(channel));
      for (const hold of wanted?.users ?? []) {
        if (!drops(hold)) continue;
        this.registry.remove(channel, hold);
        left.add(hold);
      }
    }
    for (const { consumer, channels } of left) {
      if (!(consumer instanceof HandlerConsumer)) continue;
      const held = channels.some((channel) => this.#holds(channel, consumer));
      if (!held) consumer.close();
    }
    if (left.size > 0 && !this.closed) await this.reconcile();
  }

  #holds(channel: Channel, consumer: Consumer): boolean {
    const users = this.registry.get(channelId(channel))?.users;
    return users !== undefined && [...users].some((hold) => hold.consumer === consumer);
  }

  #db({ db = this.settings.database }: FamilyOptions): { db: number | "*" } {
    return { db };
  }

  #throwIfClosed(what: string): void {
    if (this.closed) throw new ClosedError(`Cannot ${what}: the notifications are closed`);
  }
}

function readArguments(
  args: readonly (ChannelLike | SubscribeOptions)[],
): { channels: readonly Channel[]; options: SubscribeOptions } {
  const last = args.at(-1);
  const hasOptions = typeof last === "object" && last !== null && !isChannelLike(last);
  const names = (hasOptions ? args.slice(0, -1) : args) as readonly ChannelLike[];
  if (names.length === 0) {
    throw new TypeError("Cannot subscribe: no channel is given");
  }
  const options = hasOptions ? last : {};
  if (options.handler !== undefined && typeof options.handler !== "function") {
    throw new TypeError("Cannot subscribe: the handler is not a function");
  }
  return { channels: names.map(readChannel), options };
}

function readChannel(name: ChannelLike, place: number): Channel {
  if (!isChannelLike(name)) {
    throw new TypeError(
      `Cannot subscribe: argument ${place} is neither a channel nor text nor bytes`,
    );
  }
  const channel = toChannel(name);
  if (channel.type === null && !channel.isPattern) {
    throw new TypeError(
      `Cannot subscribe "${channel}": no notification is ever sent there; for a key use ` +
        "subscribeKeyspace or new KeyspaceChannel(key)",
    );
  }
  return channel;
}

function isChannelLike(value: unknown): value is ChannelLike {
  return typeof value === "string" || value instanceof Uint8Array || value instanceof Channel;
}

function describeRefused(refused: readonly RefusedChannel[]): string {
  const each = refused.map(({ channel, server, error }) =>
    `"${channel}" on ${server} (${error.message})`
  );
  const more = each.length > 3 ? ` and ${each.length - 3} more` : "";
  return `Cannot subscribe ${each.slice(0, 3).join(", ")}${more}; give the user the right to ` +
    "these channels (ACL SETUSER … &pattern), the others are subscribed";
}
