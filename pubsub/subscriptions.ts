import { Channel } from "../parse/mod.ts";
import { ServerError } from "../resp/mod.ts";
import type { Connection } from "./connection/connection.ts";
import type { SubscribeRefusedError } from "./errors.ts";
import { subscribeError } from "./subscribe.ts";
import type { ServerChannel } from "./connection/requests.ts";
import { channelId, type SubscriptionRegistry } from "./subscription_registry.ts";

/** The maximum of channels, and of their bytes, in one `SUBSCRIBE`. */
const BATCH_CHANNELS = 256;
const BATCH_BYTES = 64 * 1024;

/** A reconciliation under way. */
interface Run {
  /** Resolves when desired and confirmed agree. */
  done: Promise<void>;
  /** Called then, before another run can begin. */
  readonly atEnd: (() => void)[];
}

/**
 * The channels that a server has confirmed or refused on one connection. Reconciles them with the
 * desired channels. The registry notes which channels change, so no others are compared.
 */
export class Subscriptions {
  readonly #connection: Connection;
  readonly #desired: SubscriptionRegistry<unknown>;
  /** The ids of channels that have to be compared; at first of all desired channels. */
  readonly #changed: Set<string>;
  readonly #confirmed = new Map<string, ServerChannel>();
  readonly #refused: Map<string, Error>;
  readonly #whenAllowed: () => Promise<unknown> | null;
  #running: Run | null = null;

  /**
   * @param desired the desired channels
   * @param refused the channels that the server refused on earlier connections; they are requested
   * again by {@linkcode settle} and {@linkcode retry} only
   * @param whenAllowed waits until something may be subscribed; returns null if it may be at once
   */
  constructor(
    connection: Connection,
    desired: SubscriptionRegistry<unknown>,
    refused: Map<string, Error> = new Map(),
    whenAllowed: () => Promise<unknown> | null = () => null,
  ) {
    this.#connection = connection;
    this.#desired = desired;
    this.#refused = refused;
    this.#whenAllowed = whenAllowed;
    this.#changed = desired.watch();
    for (const id of refused.keys()) if (desired.get(id) === undefined) refused.delete(id);
  }

  /** Ends the noting of changes. */
  close(): void {
    this.#desired.unwatch(this.#changed);
  }

  /** The channels that the server has confirmed. */
  get confirmed(): Iterable<ServerChannel> {
    return this.#confirmed.values();
  }

  /** Whether the server has confirmed no channel. */
  get isEmpty(): boolean {
    return this.#confirmed.size === 0;
  }

  /** Whether nothing is subscribed, or about to be. */
  get isIdle(): boolean {
    return this.isEmpty && this.#running === null;
  }

  /** Whether channels have changed since the last run. */
  get isOutdated(): boolean {
    return this.#changed.size > 0;
  }

  /** Notes a confirmation of the server. */
  confirm(channel: ServerChannel, subscribed: boolean): void {
    if (subscribed) this.#confirmed.set(channelId(channel), channel);
    else this.#confirmed.delete(channelId(channel));
  }

  /** Whether the server has confirmed exactly the desired channels, except for refused ones. */
  get agrees(): boolean {
    let held = 0;
    for (const { id } of this.#desired.values()) {
      if (this.#confirmed.has(id)) held++;
      else if (!this.#refused.has(id)) return false;
    }
    return held === this.#confirmed.size;
  }

  /**
   * Waits until the server has confirmed or refused channels. Channels that it refused before are
   * requested again.
   *
   * @returns the refused channels, with the server's errors
   * @throws the reason for which the connection is closed
   */
  async settle<Channel extends { readonly id: string }>(
    channels: readonly Channel[],
  ): Promise<{ channel: Channel; server: string; error: Error }[]> {
    const { server } = this.#connection;
    for (const { id } of channels) this.#askAgain(id);
    let refused: { channel: Channel; server: string; error: Error }[] = [];
    const run = this.#begin();
    // At the end of the run, because the next one may request the same channel again.
    run.atEnd.push(() => {
      refused = channels.flatMap((channel) => {
        const error = this.#refused.get(channel.id);
        return error === undefined ? [] : [{ channel, server, error }];
      });
    });
    await run.done;
    return refused;
  }

  /**
   * Makes the error for channels that the server refuses although `subscribe` has resolved: the user has
   * lost the right since, or the server has joined the cluster.
   *
   * @returns null if there are none
   */
  withdrawn(): SubscribeRefusedError | null {
    const { server } = this.#connection;
    // Sorted, so that the same channels make the same message.
    const inOrder = [...this.#refused].sort(([a], [b]) => a < b ? -1 : 1);
    const refused = inOrder.flatMap(([id, error]) => {
      const desired = this.#desired.get(id);
      if (!desired?.isPromised) return [];
      return [{ channel: new Channel(desired.bytes, desired.isPattern), server, error }];
    });
    if (refused.length === 0) return null;
    return subscribeError(refused, null);
  }

  /**
   * Requests channels again that the server refuses although `subscribe` has resolved. Continues with
   * further ones only while some are granted, because each refused channel takes its own command.
   *
   * @returns the error for those that are still refused; null if there are none
   * @throws the reason for which the connection is closed
   */
  async retry(): Promise<SubscribeRefusedError | null> {
    for (;;) {
      const before = this.#refused.size;
      let asked = 0;
      // Channels that are refused again go to the end of the map.
      for (const id of [...this.#refused.keys()]) {
        if (!this.#desired.get(id)?.isPromised) continue;
        this.#askAgain(id);
        if (++asked === BATCH_CHANNELS) break;
      }
      if (asked > 0) await this.reconcile();
      if (asked < BATCH_CHANNELS || this.#refused.size >= before) return this.withdrawn();
    }
  }

  /**
   * Reconciles desired with confirmed subscriptions. Concurrent calls share one run.
   *
   * @throws the reason for which the connection is closed
   */
  reconcile(): Promise<void> {
    return this.#begin().done;
  }

  #askAgain(id: string): void {
    this.#refused.delete(id);
    this.#changed.add(id);
  }

  #begin(): Run {
    if (this.#running !== null) return this.#running;
    const run: Run = { done: Promise.resolve(), atEnd: [] };
    this.#running = run;
    run.done = this.#layOut(run);
    return run;
  }

  async #layOut(run: Run): Promise<void> {
    try {
      const wait = this.#whenAllowed();
      if (wait !== null) await wait;
      while (this.#changed.size > 0) await this.#apply([...this.#changed]);
      for (const tell of run.atEnd) tell();
    } finally {
      // Synchronously, because this run looks at no further changes.
      this.#running = null;
    }
  }

  async #apply(changed: readonly string[]): Promise<void> {
    this.#changed.clear();
    const subscribe: ServerChannel[] = [];
    const unsubscribe: ServerChannel[] = [];
    for (const id of changed) {
      const desired = this.#desired.get(id);
      const confirmed = this.#confirmed.get(id);
      if (desired === undefined) {
        this.#refused.delete(id);
        if (confirmed !== undefined) unsubscribe.push(confirmed);
      } else if (confirmed === undefined && !this.#refused.has(id)) subscribe.push(desired);
    }
    try {
      for (const batch of batches(subscribe)) await this.#subscribe(batch);
      for (const batch of batches(unsubscribe)) await this.#unsubscribe(batch);
    } catch (error) {
      // The connection may go on if the server was busy for too long: the next run tries again.
      for (const id of changed) this.#changed.add(id);
      throw error;
    }
  }

  /** A channel that the server refuses to unsubscribe stays confirmed. */
  async #unsubscribe(batch: readonly ServerChannel[]): Promise<void> {
    try {
      await this.#connection.unsubscribe(batch);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
    }
  }

  /** Halves a refused command until the refused channel is alone: a server refuses the whole command. */
  async #subscribe(batch: readonly ServerChannel[]): Promise<void> {
    try {
      await this.#connection.subscribe(batch);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (batch.length === 1) {
        this.#refused.set(channelId(batch[0]!), error);
        return;
      }
      const half = batch.length >> 1;
      await this.#subscribe(batch.slice(0, half));
      await this.#subscribe(batch.slice(half));
    }
  }
}

/** Groups channels of one kind into few commands of limited size. */
function* batches(channels: readonly ServerChannel[]): Iterable<ServerChannel[]> {
  for (const isPattern of [false, true]) {
    let batch: ServerChannel[] = [];
    let bytes = 0;
    for (const channel of channels) {
      if (channel.isPattern !== isPattern) continue;
      if (batch.length === BATCH_CHANNELS || bytes + channel.bytes.length > BATCH_BYTES) {
        if (batch.length > 0) yield batch;
        batch = [];
        bytes = 0;
      }
      batch.push(channel);
      bytes += channel.bytes.length;
    }
    if (batch.length > 0) yield batch;
  }
}
