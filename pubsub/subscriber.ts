import { type MessageFrame, RespMap, ServerError } from "../resp/mod.ts";
import { formatAddress } from "./address.ts";
import { Connection, type ConnectionEvents } from "./connection.ts";
import { ClosedError } from "./errors.ts";
import { handshake, type HandshakeOptions, type ServerInfo } from "./handshake.ts";
import { channelId, difference, type ServerChannel } from "./registry.ts";
import type { Address, Dial } from "./transport.ts";

/** The most channels in one `SUBSCRIBE`, and the most bytes of channels. */
const BATCH_CHANNELS = 256;
const BATCH_BYTES = 64 * 1024;

/** What a subscriber tells its owner. */
export interface SubscriberEvents {
  /** A message came; the frame's object is used again, its bytes are not. */
  onMessage(frame: MessageFrame, receivedAt: number): void;
  /** The set of channels whose messages come has changed. */
  onConfirmed(): void;
  /** The connection is over. */
  onClose(reason: Error): void;
}

/** How to reach a server, and what to subscribe there. */
export interface SubscriberOptions extends HandshakeOptions {
  /** Where it listens. */
  readonly address: Address;
  /** How to get there. */
  readonly dial: Dial;
  /** How long any one answer may take, in ms. */
  readonly timeout: number;
  /** Ends everything, also while connecting. */
  readonly signal: AbortSignal;
  /** The register of what is wanted. */
  readonly wanted: {
    values(): Iterable<ServerChannel & { readonly id: string }>;
    get(id: string): unknown;
  };
  /** Takes what comes. */
  readonly events: SubscriberEvents;
}

/** One server, on which what is wanted is laid against what it has confirmed. */
export class Subscriber {
  /** The server, as `host:port`. */
  readonly node: string;
  /** What the server says of itself; null before it was reached. */
  info: ServerInfo | null = null;
  readonly #options: SubscriberOptions;
  readonly #confirmed = new Map<string, ServerChannel>();
  readonly #refused = new Map<string, Error>();
  #connection: Connection | null = null;
  #stale = false;
  #reconciling: Promise<void> | null = null;

  constructor(options: SubscriberOptions) {
    this.node = formatAddress(options.address);
    this.#options = options;
  }

  /**
   * Connects and shakes hands.
   *
   * @throws {ConnectError} when there is no server there that understands
   * @throws {AuthError} when it refuses the credentials or wants some
   * @throws {TimeoutError} when it does not answer in time
   */
  async start(): Promise<void> {
    const { events } = this.#options;
    let ready = false;
    const { connection, info } = await openConnection(this.#options, {
      onMessage: (frame, receivedAt) => events.onMessage(frame, receivedAt),
      onConfirmed: (channel, subscribed) => {
        if (subscribed) this.#confirmed.set(channelId(channel), channel);
        else this.#confirmed.delete(channelId(channel));
        events.onConfirmed();
      },
      onClose: (reason) => {
        this.#confirmed.clear();
        // Before the hands are shaken it is `start` that fails.
        if (ready) events.onClose(reason);
      },
    });
    // It may have ended between its last answer and here.
    if (connection.over !== null) throw connection.over;
    ready = true;
    this.#connection = connection;
    this.info = info;
  }

  /** The channels the server has confirmed. */
  get confirmed(): Iterable<ServerChannel> {
    return this.#confirmed.values();
  }

  /** Bytes read so far. */
  get bytesReceived(): number {
    return this.#connection?.bytesReceived ?? 0;
  }

  /**
   * Waits until the server has confirmed channels that are wanted, or refused them.
   *
   * @param channels wanted channels
   * @returns those it refused, with its error; a refused channel spoils no other
   * @throws the reason for which the connection is over
   */
  async settle<Channel extends { readonly id: string }>(
    channels: readonly Channel[],
  ): Promise<{ channel: Channel; error: Error }[]> {
    for (const { id } of channels) this.#refused.delete(id);
    await this.reconcile();
    return channels.flatMap((channel) => {
      const error = this.#refused.get(channel.id);
      return error === undefined ? [] : [{ channel, error }];
    });
  }

  /** Lays wanted against confirmed until they agree; one run serves all who call meanwhile. */
  reconcile(): Promise<void> {
    this.#stale = true;
    this.#reconciling ??= this.#reconcile().finally(() => this.#reconciling = null);
    return this.#reconciling;
  }

  /**
   * Reads the server's `notify-keyspace-events`.
   *
   * @returns its letters; null when the server will not tell
   * @throws the reason for which the connection is over
   */
  async readFlags(): Promise<string | null> {
    // A RESP2 connection that has subscribed takes no other command.
    const busy = this.info?.protocol === 2 &&
      (this.#confirmed.size > 0 || this.#reconciling !== null);
    if (!busy) return await readFlags(this.#live());
    const ignore = { onMessage() {}, onConfirmed() {}, onClose() {} };
    const { connection } = await openConnection(this.#options, ignore);
    try {
      return await readFlags(connection);
    } finally {
      connection.close(new ClosedError(`The connection to ${this.node} served its purpose`));
    }
  }

  /** Ends the connection, and every wait for it with the reason. */
  close(reason: Error): void {
    this.#connection?.close(reason);
  }

  #live(): Connection {
    if (this.#connection === null) throw new Error(`${this.node} has not been connected to`);
    return this.#connection;
  }

  async #reconcile(): Promise<void> {
    while (this.#stale) {
      this.#stale = false;
      for (const id of this.#refused.keys()) {
        if (this.#options.wanted.get(id) === undefined) this.#refused.delete(id);
      }
      const { subscribe, unsubscribe } = difference(
        this.#options.wanted.values(),
        this.#confirmed,
        this.#refused,
      );
      for (const batch of batches(subscribe)) await this.#subscribe(batch);
      for (const batch of batches(unsubscribe)) await this.#live().unsubscribe(batch);
    }
  }

  /** A server refuses a command whole, so halves are tried until the refused channel is alone. */
  async #subscribe(batch: readonly ServerChannel[]): Promise<void> {
    try {
      await this.#live().subscribe(batch);
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

async function openConnection(
  options: SubscriberOptions,
  events: ConnectionEvents,
): Promise<{ connection: Connection; info: ServerInfo }> {
  const { address, dial, timeout, signal } = options;
  const connection = await Connection.open({ address, dial, timeout, signal, events });
  try {
    return { connection, info: await handshake(connection, options) };
  } catch (error) {
    connection.close(error as Error);
    throw error;
  }
}

async function readFlags(connection: Connection): Promise<string | null> {
  try {
    const reply = await connection.request("CONFIG", "GET", "notify-keyspace-events");
    // A map in RESP3, a flat array in RESP2.
    const flags = reply instanceof RespMap
      ? reply.get("notify-keyspace-events")
      : Array.isArray(reply)
      ? reply[1]
      : null;
    return typeof flags === "string" ? flags : null;
  } catch (error) {
    if (error instanceof ServerError) return null;
    throw error;
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
