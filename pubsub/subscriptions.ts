import { Channel } from "../parse/mod.ts";
import { ServerError } from "../resp/mod.ts";
import type { Connection } from "./connection/connection.ts";
import { SubscribeRefusedError } from "./errors.ts";
import { describeRefused } from "./refusal.ts";
import type { ServerChannel } from "./connection/requests.ts";
import { channelId, difference, type WantedChannels } from "./registry.ts";

/** The most channels in one `SUBSCRIBE`, and the most bytes of channels. */
const BATCH_CHANNELS = 256;
const BATCH_BYTES = 64 * 1024;

/** What is being asked of a server. */
interface Run {
  readonly connection: Connection;
  /** Resolves when wanted and confirmed agree. */
  done: Promise<void>;
  /** Called when they do, before anybody can ask for more. */
  readonly atEnd: (() => void)[];
}

/** What one server has confirmed of what is wanted, and what it has refused. */
export class Subscriptions {
  readonly #wanted: WantedChannels;
  readonly #confirmed = new Map<string, ServerChannel>();
  readonly #refused = new Map<string, Error>();
  readonly #whenAllowed: () => Promise<unknown> | null;
  #stale = false;
  #running: Run | null = null;

  /**
   * @param wanted what is wanted
   * @param whenAllowed waits until something may be subscribed; null when it may be at once
   */
  constructor(wanted: WantedChannels, whenAllowed: () => Promise<unknown> | null = () => null) {
    this.#wanted = wanted;
    this.#whenAllowed = whenAllowed;
  }

  /** The channels the server has confirmed. */
  get confirmed(): Iterable<ServerChannel> {
    return this.#confirmed.values();
  }

  /** Whether nothing is subscribed, or about to be. */
  get idle(): boolean {
    return this.#confirmed.size === 0 && this.#running === null;
  }

  /** Takes note of what the server has confirmed. */
  confirm(channel: ServerChannel, subscribed: boolean): void {
    if (subscribed) this.#confirmed.set(channelId(channel), channel);
    else this.#confirmed.delete(channelId(channel));
  }

  /**
   * Nothing is confirmed any more: the connection is over.
   *
   * @returns whether anything was
   */
  clear(): boolean {
    const { size } = this.#confirmed;
    this.#confirmed.clear();
    return size > 0;
  }

  /** What is wanted has changed: a run that is under way looks again before it ends. */
  outdate(): void {
    this.#stale = true;
  }

  /** Whether wanted and confirmed agree, but for what was refused. */
  get agrees(): boolean {
    const { subscribe, unsubscribe } = this.#difference();
    return subscribe.length === 0 && unsubscribe.length === 0;
  }

  /**
   * Has channels asked for, those too that were refused before.
   *
   * @returns those that the server refuses, with its error
   * @throws the reason for which the connection is over
   */
  async settle<Channel extends { readonly id: string }>(
    connection: Connection,
    channels: readonly Channel[],
  ): Promise<{ channel: Channel; error: Error }[]> {
    for (const { id } of channels) this.#refused.delete(id);
    let refused: { channel: Channel; error: Error }[] = [];
    const run = this.#begin(connection);
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
  withdrawn({ server }: Connection): SubscribeRefusedError | null {
    // In an order of their own, so that what is told twice is told alike.
    const inOrder = [...this.#refused].sort(([a], [b]) => a < b ? -1 : 1);
    const refused = inOrder.flatMap(([id, error]) => {
      const wanted = this.#wanted.get(id);
      if (!wanted?.isPromised) return [];
      return [{ channel: new Channel(wanted.bytes, wanted.isPattern), server, error }];
    });
    if (refused.length === 0) return null;
    return new SubscribeRefusedError(describeRefused(refused, false), refused, null);
  }

  /**
   * Asks anew for what the server refuses although it was promised: for the rest only as long as it
   * grants some, because each that is refused takes a command of its own.
   *
   * @returns what it still refuses; null when that is nothing
   * @throws the reason for which the connection is over
   */
  async retry(connection: Connection): Promise<SubscribeRefusedError | null> {
    for (;;) {
      const before = this.#refused.size;
      let asked = 0;
      // Those that are refused again are the last next time.
      for (const id of [...this.#refused.keys()]) {
        if (!this.#wanted.get(id)?.isPromised) continue;
        this.#refused.delete(id);
        if (++asked === BATCH_CHANNELS) break;
      }
      if (asked > 0) await this.reconcile(connection);
      if (asked < BATCH_CHANNELS || this.#refused.size >= before) return this.withdrawn(connection);
    }
  }

  /**
   * Lays wanted against confirmed until they agree; one run serves all who call meanwhile.
   *
   * @throws the reason for which the connection is over
   */
  reconcile(connection: Connection): Promise<void> {
    return this.#begin(connection).done;
  }

  #begin(connection: Connection): Run {
    this.outdate();
    if (this.#running?.connection === connection) return this.#running;
    const run: Run = { connection, done: Promise.resolve(), atEnd: [] };
    this.#running = run;
    run.done = this.#layOut(run);
    return run;
  }

  #difference(): ReturnType<typeof difference> {
    return difference(this.#wanted, this.#confirmed, this.#refused);
  }

  async #layOut(run: Run): Promise<void> {
    const { connection } = run;
    try {
      const wait = this.#whenAllowed();
      if (wait !== null) await wait;
      while (this.#stale) {
        this.#stale = false;
        for (const id of this.#refused.keys()) {
          if (this.#wanted.get(id) === undefined) this.#refused.delete(id);
        }
        const { subscribe, unsubscribe } = this.#difference();
        for (const batch of batches(subscribe)) await this.#subscribe(connection, batch);
        for (const batch of batches(unsubscribe)) await this.#unsubscribe(connection, batch);
      }
      for (const tell of run.atEnd) tell();
    } finally {
      // At once, so that whoever comes now begins another run: this one looks no more.
      if (this.#running === run) this.#running = null;
    }
  }

  /** What the server refuses to unsubscribe stays confirmed, and does not affect the others. */
  async #unsubscribe(connection: Connection, batch: readonly ServerChannel[]): Promise<void> {
    try {
      await connection.unsubscribe(batch);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
    }
  }

  /** A server refuses a command whole, so halves are tried until the refused channel is alone. */
  async #subscribe(connection: Connection, batch: readonly ServerChannel[]): Promise<void> {
    try {
      await connection.subscribe(batch);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (batch.length === 1) {
        this.#refused.set(channelId(batch[0]!), error);
        return;
      }
      const half = batch.length >> 1;
      await this.#subscribe(connection, batch.slice(0, half));
      await this.#subscribe(connection, batch.slice(half));
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
