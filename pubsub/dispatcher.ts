import type { Channel, KeyNotification } from "../parse/mod.ts";
import { parseNotification } from "../parse/notification.ts";
import type { MessageFrame } from "../resp/mod.ts";
import { type Consumer, HandlerConsumer } from "./delivery.ts";
import { ClosedError } from "./connection/errors.ts";
import { abortable } from "./connection/timers.ts";
import type { EventAdvice } from "./advice.ts";
import type { EventDeduplicator } from "./event_deduplicator.ts";
import type { CheckedChannel } from "./flags.ts";
import { FilteredConsumer, makeFilter, passing, type User } from "./filter.ts";
import type { Flush, Gap, RolledBack } from "./gap.ts";
import type { DroppedMessages } from "./held_messages.ts";
import { subscribeError } from "./subscribe.ts";
import { Backpressure, type DeliveryOptions, type QueueCounts } from "./queue.ts";
import type { Settings } from "./options.ts";
import type { Reports } from "./reports.ts";
import type { ServerChannel } from "./connection/requests.ts";
import { channelId, type DesiredChannel, SubscriptionRegistry } from "./subscription_registry.ts";
import type { SlotSpan } from "./status.ts";
import { Stream } from "./stream.ts";
import type { SubscribeOptions, Subscription, WaitOptions } from "./subscription.ts";

/** A call of `subscribe`: the channels that it has not released, and where their notifications go. */
interface ActiveSubscription {
  /** By id. */
  readonly channels: Map<string, Channel>;
  readonly consumer: Consumer;
  /** The consumer, behind the filter that it may have; before it is admitted {@linkcode PENDING}. */
  user: User;
}

/** Uses the channels of a subscription while it is not known whether it can receive anything. */
const PENDING: Consumer = { deliver() {}, counts: { queued: 0, queuedBytes: 0, dropped: 0 } };

/** A desired channel, and the consumers of its notifications. */
export type Desired = DesiredChannel<User>;

/** A channel that a server refused. */
export interface Refusal {
  readonly channel: Desired;
  /** The server, as `host:port`. */
  readonly server: string;
  /** The error of the server. */
  readonly error: Error;
}

/** The servers: one, or the nodes of a cluster. */
export interface Servers {
  /**
   * Waits until every server has confirmed or refused desired channels.
   *
   * @param checked the same channels, with the user for whom they are subscribed
   * @param admit called once it is known that every server can deliver something on each channel
   * @throws if a server can deliver nothing on one of them
   */
  subscribe(
    channels: readonly Desired[],
    checked: readonly CheckedChannel[],
    admit: () => void,
  ): Promise<Refusal[]>;
  /** Waits until every connected server has unsubscribed channels that are not desired. */
  reconcile(): Promise<void>;
}

/** A notification, and its consumers. */
export interface Delivery {
  readonly notification: KeyNotification;
  /** Whether it begins an event; otherwise it is another message of the previous event. */
  readonly begins: boolean;
  /** Empty if each of them has received the event already. */
  readonly consumers: readonly Consumer[];
  /** The bytes that count in a queue. */
  readonly bytes: number;
  /** A time, in ms since the epoch, before which the server did not send it. */
  readonly sentAfter: number;
}

/** Filters the notifications of a connection. */
export interface Gate {
  /** Takes a notification, and delivers it now, later, or never. */
  pass(delivery: Delivery): void;
  /** Makes a call once everything that it took before is decided. */
  mark(call: () => void): void;
}

/** The source of a message. */
export interface MessageSource {
  /** When the message was read, in ms since the epoch. */
  readonly receivedAt: number;
  /** A time, in ms since the epoch, before which the server did not send it. */
  readonly sentAfter: number;
  /** Knows who has received the current event of the connection. */
  readonly deduplicator: EventDeduplicator<Consumer>;
  /** Filters its notifications; null if nothing does. */
  readonly gate: Gate | null;
}

/**
 * Delivers messages: finds the subscriptions that a message matches, and gives each event to each
 * consumer once.
 */
export class Dispatcher {
  /** The desired channels. */
  readonly registry: SubscriptionRegistry<User> = new SubscriptionRegistry();
  /** The merged stream: takes the notifications of subscriptions without a handler. */
  readonly stream: Stream;
  readonly reports: Reports;
  /** Whether consumers get what waits for them when the user closes everything. */
  drains = false;
  #stopDraining = (): void => {};
  readonly #servers: Servers;
  readonly #settings: Settings;
  readonly #delivery: DeliveryOptions;
  /** Loaded with the first subscription. */
  #advice: EventAdvice | null = null;
  readonly #subscriptions = new Set<ActiveSubscription>();
  #droppedBefore = 0;
  #gaps = 0;
  #end: Error | null = null;

  constructor(node: () => string, settings: Settings, servers: Servers) {
    this.#servers = servers;
    this.#settings = settings;
    this.#delivery = {
      onError: (error) => settings.onError(error),
      onGap: (gap) => this.#tellGap(gap),
      backpressure: new Backpressure(),
      node,
      limits: settings.queue,
      overflow: settings.overflow,
      flushes: settings.flushes !== null,
      standby: settings.standby,
      onGapLoop: () => settings.reports.areGapsRead = true,
    };
    this.stream = new Stream(this.#delivery);
    this.reports = settings.reports;
  }

  /** Why everything has ended; null while it has not. */
  get ended(): Error | null {
    return this.#end;
  }

  /** What waits for the stream and for handlers, what was dropped, and the number of gaps so far. */
  get counts(): QueueCounts & { readonly gaps: number } {
    let { queued, queuedBytes, dropped } = this.stream.counts;
    for (const { consumer } of this.#subscriptions) {
      if (consumer === this.stream) continue;
      const { counts } = consumer;
      queued += counts.queued;
      queuedBytes += counts.queuedBytes;
      dropped += counts.dropped;
    }
    return { gaps: this.#gaps, queued, queuedBytes, dropped: dropped + this.#droppedBefore };
  }

  /** Yields to consumers before more is read; null when nothing waits. */
  yield(): Promise<void> | null {
    return this.#delivery.backpressure.yield();
  }

  /** Subscribes channels for a handler, or for the stream. */
  async subscribe(
    channels: readonly Channel[],
    options: SubscribeOptions,
  ): Promise<Subscription> {
    if (this.#end !== null) throw this.#endedError("subscribe");
    const { handler, batchHandler, events, keys } = options;
    const given = handler ?? batchHandler;
    const consumer = given === undefined
      ? this.stream
      : new HandlerConsumer(given, batchHandler !== undefined, this.#delivery);
    const user: User = events === undefined && keys === undefined ? consumer : new FilteredConsumer(
      consumer,
      makeFilter(channels, options, this.#settings.keyPrefix),
      events,
    );
    const byId = new Map(channels.map((channel) => [channelId(channel), channel]));
    const subscription: ActiveSubscription = {
      channels: new Map(byId),
      consumer,
      user: PENDING,
    };
    this.#subscriptions.add(subscription);
    // Synchronously, so that an `unsubscribe` that is called later finds them.
    const desired = [...byId.values()].map((channel) => this.registry.add(channel, PENDING));
    const admit = () => {
      subscription.user = user;
      for (const channel of subscription.channels.values()) {
        this.registry.add(channel, user);
        this.registry.remove(channel, PENDING);
      }
    };
    // Other users of a channel may take other events of it.
    const checked = desired.map(({ bytes, isPattern }) => ({ bytes, isPattern, users: [user] }));
    let refused: Refusal[];
    try {
      const work = Promise.all([
        this.#servers.subscribe(desired, checked, admit),
        this.#advise(channels, events),
      ]);
      [refused] = await abortable(work, options.signal);
    } catch (error) {
      // Unsubscribes what was subscribed meanwhile; nothing waits for that.
      this.#release(channels, subscription).catch(() => {});
      throw error;
    }
    const ids = new Set(refused.map(({ channel }) => channel.id));
    for (const { id } of desired) if (!ids.has(id)) this.registry.promise(id);
    if (refused.length === 0) return this.#handle(subscription, channels);
    const named = refused.map(({ channel, ...why }) => ({
      channel: byId.get(channel.id)!,
      ...why,
    }));
    await this.#release(named.map(({ channel }) => channel), subscription);
    const others = channels.filter((channel) => !ids.has(channelId(channel)));
    throw subscribeError(named, others.length > 0 ? this.#handle(subscription, others) : null);
  }

  /**
   * Warns of events that never fire.
   *
   * @throws {TypeError} if no key of a channel can begin with the option `keyPrefix`
   */
  async #advise(channels: readonly Channel[], events: readonly string[] = []): Promise<void> {
    const { checkKeyPrefix, EventAdvice } = await import("./on_demand.ts");
    checkKeyPrefix(channels, this.#settings.keyPrefix);
    this.#advice ??= new EventAdvice(this.#settings.onWarning);
    this.#advice.consider(channels, events);
  }

  /** Releases these channels, or all, in every subscription. */
  async unsubscribe(channels: readonly ServerChannel[] | null): Promise<void> {
    await this.#release(channels ?? [...this.registry.values()], null);
  }

  /**
   * Delivers a message to each consumer that has not received its event yet.
   *
   * @returns whether the message is a well-formed notification
   */
  deliver(
    frame: MessageFrame,
    source: MessageSource,
  ): boolean {
    const { deduplicator, gate } = source;
    const { bytes, patternStart, patternEnd, channelStart, channelEnd } = frame;
    const { payloadStart, payloadEnd } = frame;
    const found = patternStart < 0
      ? this.registry.findExact(bytes, channelStart, channelEnd)
      : this.registry.findPattern(bytes, patternStart, patternEnd);
    // Nobody is subscribed any more; the server has not been asked yet to stop, or has not done so yet.
    if (found === undefined) return true;
    const subscribers = passing(found, frame);
    const { hasOverlaps } = this.registry;
    if (!hasOverlaps) deduplicator.reset();
    const begins = !hasOverlaps || deduplicator.isNewEvent(subscribers, frame);
    // A gate sees what nobody takes, too.
    if (subscribers.users.length === 0 && gate === null) return true;
    const notification = parseNotification(frame, source.receivedAt, this.#settings.keyPrefix);
    if (notification === null) return false;
    // Well-formed, but the key lacks the prefix of the option `keyPrefix`.
    if (notification === undefined) return true;
    const size = channelEnd - channelStart + payloadEnd - payloadStart;
    let { users } = subscribers;
    if (!begins) users = users.filter((consumer) => !deduplicator.hasReceived(consumer));
    if (gate !== null) {
      const { sentAfter } = source;
      gate.pass({ notification, begins, consumers: users, bytes: size, sentAfter });
      return true;
    }
    for (let index = 0; index < users.length; index++) {
      users[index]!.deliver(notification, size, source);
    }
    return true;
  }

  /** Delivers a notification that has passed a gate. */
  hand(delivery: Delivery): void {
    const { notification, consumers, bytes } = delivery;
    for (const consumer of consumers) consumer.deliver(notification, bytes, delivery);
  }

  /** Reports a gap before the next notification. */
  reportGap(gap: Gap): void {
    this.#tellGap(gap);
    this.#report(gap);
  }

  /** Reports a flush before the next notification. */
  reportFlush(flush: Flush): void {
    this.#settings.onFlush(flush);
    this.#report(flush);
  }

  /** Reports what a failover has undone, before the next notification. */
  reportRolledBack(item: RolledBack): void {
    this.#settings.onRolledBack(item);
    this.#report(item);
  }

  /** Reports messages of a server that were dropped before they reached a queue. */
  reportDropped(
    node: string,
    { from, to, count }: DroppedMessages,
    slots?: readonly SlotSpan[],
  ): void {
    this.#droppedBefore += count;
    this.reportGap({
      kind: "gap",
      reason: "overflow",
      node,
      ...(slots === undefined ? {} : { slots }),
      from,
      to,
      dropped: count,
    });
  }

  /**
   * Ends everything.
   *
   * @param reason a `ClosedError` if the user has closed it: then nothing more is delivered. Loops throw
   * any other error after the items that they still hold
   */
  end(reason: Error): void {
    const closed = reason instanceof ClosedError;
    if (this.#end !== null && !closed) return;
    this.#end = reason;
    this.stream.close(closed ? null : reason, this.drains);
    if (closed && !this.drains) this.#stop();
  }

  /** Waits, after the end, until all handlers have taken what waits for them, or nothing is to be drained. */
  async drained(): Promise<void> {
    const drained = Array.from(
      this.#subscriptions,
      ({ consumer }) => consumer instanceof HandlerConsumer ? consumer.drained() : null,
    );
    const stopped = new Promise<void>((resolve) => this.#stopDraining = resolve);
    await Promise.race([Promise.all(drained), stopped]);
    this.#stop();
  }

  #stop(): void {
    this.#stopDraining();
    this.reports.observer?.end();
    this.#delivery.backpressure.end();
    for (const { consumer } of this.#subscriptions) {
      if (consumer instanceof HandlerConsumer) consumer.close();
    }
  }

  #handle(subscription: ActiveSubscription, channels: readonly Channel[]): Subscription {
    const unsubscribe = ({ signal }: WaitOptions = {}) =>
      abortable(this.#release(channels, subscription), signal);
    this.#settings.reports.emit("subscribe", { channels });
    return { channels, unsubscribe, [Symbol.asyncDispose]: () => unsubscribe() };
  }

  /** Releases channels in one subscription, or in every one. */
  async #release(
    channels: readonly ServerChannel[],
    only: ActiveSubscription | null,
  ): Promise<void> {
    const ids = new Set(channels.map(channelId));
    let changed = false;
    for (const subscription of only === null ? [...this.#subscriptions] : [only]) {
      // The smaller of the two: there may be thousands of subscriptions, and thousands of channels.
      const { channels: held, user } = subscription;
      for (const id of held.size < ids.size ? [...held.keys()] : ids) {
        const channel = held.get(id);
        if (channel === undefined || !ids.has(id)) continue;
        changed = true;
        held.delete(id);
        this.registry.remove(channel, user);
      }
      if (subscription.channels.size === 0) this.#forget(subscription);
    }
    if (changed && this.#end === null) await this.#servers.reconcile();
  }

  #forget(subscription: ActiveSubscription): void {
    if (
      !this.#subscriptions.delete(subscription) ||
      !(subscription.consumer instanceof HandlerConsumer)
    ) return;
    this.#droppedBefore += subscription.consumer.counts.dropped;
    subscription.consumer.close();
  }

  #report(item: Gap | Flush | RolledBack): void {
    for (const { consumer } of this.#subscriptions) {
      if (consumer === this.stream) return this.stream.report(item);
    }
  }

  #tellGap(gap: Gap): void {
    this.#gaps++;
    this.#settings.onGap(gap);
  }

  #endedError(what: string): Error {
    return this.#end instanceof ClosedError
      ? new ClosedError(`Cannot ${what}: the notifications are closed`)
      : this.#end!;
  }
}
