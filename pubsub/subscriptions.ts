import { Channel } from "../parse/mod.ts";
import { ServerError } from "../resp/mod.ts";
import type { Connection } from "./connection/connection.ts";
import type { SubscribeRefusedError } from "./errors.ts";
import { subscribeError } from "./subscribe_error.ts";
import type { ServerChannel } from "./connection/requests.ts";
import { channelId, type DesiredChannels } from "./subscription_registry.ts";

/** The most channels in one `SUBSCRIBE`, and the most bytes of channels. */
const BATCH_CHANNELS = 256;
const BATCH_BYTES = 64 * 1024;

/** What is being asked of a server. */
interface Run {
  /** Resolves when desired and confirmed agree. */
  done: Promise<void>;
  /** Called when they do, before anybody can ask for more. */
  readonly atEnd: (() => void)[];
}

/**
 * What a server has confirmed on one connection of the desired channels, and what it has refused.
 *
 * The registry notes what changes; only that is compared. At first that is all desired channels.
 */
export class Subscriptions {
  readonly #connection: Connection;
  readonly #desired: DesiredChannels;
  /** The ids of channels that came or went since they were compared with what is confirmed. */
  readonly #changed: Set<string>;
  readonly #confirmed = new Map<string, ServerChannel>();
  readonly #refused: Map<string, Error>;
  readonly #whenAllowed: () => Promise<unknown> | null;
  #running: Run | null = null;

  /**
   * @param desired the desired channels
   * @param refused what the server has refused on earlier connections, which is not asked for again
   * until somebody wants it anew, or all of it is retried
   * @param whenAllowed waits until something may be subscribed; null when it may be at once
   */
  constructor(
    connection: Connection,
    desired: DesiredChannels,
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

  /** The connection is over: changes are no longer noted. */
  close(): void {
    this.#desired.unwatch(this.#changed);
  }

  /** The channels the server has confirmed. */
  get confirmed(): Iterable<ServerChannel> {
    return this.#confirmed.values();
  }

  /** Whether the server has confirmed none. */
  get isEmpty(): boolean {
    return this.#confirmed.size === 0;
  }

  /** Whether nothing is subscribed, or about to be. */
  get isIdle(): boolean {
    return this.isEmpty && this.#running === null;
  }

  /** Whether something has changed that the server was not asked for. */
  get isOutdated(): boolean {
    return this.#changed.size > 0;
  }

  /** Takes note of what the server has confirmed. */
  confirm(channel: ServerChannel, subscribed: boolean): void {
    if (subscribed) this.#confirmed.set(channelId(channel), channel);
    else this.#confirmed.delete(channelId(channel));
  }

  /** Whether desired and confirmed agree, but for what was refused. */
  get agrees(): boolean {
    let held = 0;
    for (const { id } of this.#desired.values()) {
      if (this.#confirmed.has(id)) held++;
      else if (!this.#refused.has(id)) return false;
    }
    return held === this.#confirmed.size;
  }

  /**
   * Has channels asked for, those too that were refused before.
   *
   * @returns those that the server refuses, with its error
   * @throws the reason for which the connection is over
   */
  async settle<Channel extends { readonly id: string }>(
    channels: readonly Channel[],
  ): Promise<{ channel: Channel; error: Error }[]> {
    for (const { id } of channels) this.#askAgain(id);
    let refused: { channel: Channel; error: Error }[] = [];
    const run = this.#begin();
    // At the very end of the run: afterwards somebody may ask for the same channel again.
    run.atEnd.push(() => {
      refused = channels.flatMap((channel) => {
        const error = this.#refused.get(channel.id);
        return error === undefined ? [] : [{ channel, error }];
      });
    });
    await run.done;
    return refused;
  }

  /**
   * What the server refuses although it was promised: since then its user has lost the right, or the
   * server has come to the cluster.
   *
   * @returns null when there is nothing of the kind
   */
  withdrawn(): SubscribeRefusedError | null {
    const { server } = this.#connection;
    // In an order of their own, so that what is told twice is told alike.
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
   * Asks anew for what the server refuses although it was promised: for the rest only as long as it
   * grants some, because each that is refused takes a command of its own.
   *
   * @returns what it still refuses; null when that is nothing
   * @throws the reason for which the connection is over
   */
  async retry(): Promise<SubscribeRefusedError | null> {
    for (;;) {
      const before = this.#refused.size;
      let asked = 0;
      // Those that are refused again are the last next time.
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
   * @throws the reason for which the connection is over
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
      // At once, so that whoever comes now begins another run: this one looks no more.
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
      // A server that was busy for too long is asked again by the next run.
      for (const id of changed) this.#changed.add(id);
      throw error;
    }
  }

  /** What the server refuses to unsubscribe stays confirmed, and does not affect the others. */
  async #unsubscribe(batch: readonly ServerChannel[]): Promise<void> {
    try {
      await this.#connection.unsubscribe(batch);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
    }
  }

  /** A server refuses a command whole, so halves are tried until the refused channel is alone. */
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

/** Channels of one kind together, few commands, none of them large. */
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
