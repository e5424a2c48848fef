/**
 * One connection to one server: subscribes, sends commands, and passes messages on as they arrive.
 *
 * It does not reconnect, report gaps or check flags. It is for programs that do this themselves, and
 * for constrained runtimes.
 *
 * @example
 * ```ts no-run
 * import { open } from "@keywatch/keywatch/connection";
 *
 * await using connection = await open("redis://localhost:6379", {
 *   onMessage: ({ notification }) => console.log(notification?.key, notification?.eventType),
 * });
 * await connection.subscribe("__keyspace@0__:user:*");
 * console.log("closed:", (await connection.closed).message);
 * ```
 *
 * @module
 */
import { type Channel, type KeyNotification, toChannel } from "../../parse/mod.ts";
import { NotificationChannel } from "../../parse/channel.ts";
import { parseNotification } from "../../parse/notification.ts";
import { type CommandArgument, decodeText, type MessageFrame, type Reply } from "../../resp/mod.ts";
import { DEFAULT_PORT, readTarget, type ServerTarget } from "./address.ts";
import type { Connection } from "./connection.ts";
import { MessageReceiver } from "./receiver.ts";
import { fromCaller } from "./caller.ts";
import { openConnection, type ServerInfo } from "./handshake.ts";
import { checkKinds, checkMilliseconds, isPromiseLike } from "./option_checks.ts";
import {
  checkOptionNames,
  HEARTBEAT_MS,
  type OpenOptions,
  resolveOpenOptions,
  shielded,
} from "./options.ts";
import { repeat } from "./timers.ts";

export * from "./errors.ts";
export type { Credentials, ServerInfo } from "./handshake.ts";
export type {
  Address,
  Dial,
  DialOptions,
  TcpAddress,
  TlsOptions,
  Transport,
  UnixAddress,
} from "./transport.ts";
export type { ServerAddress, ServerTarget } from "./address.ts";
export { dial } from "./transports/mod.ts";
export { Channel, KeyNotification } from "../../parse/mod.ts";
export {
  type CommandArgument,
  type DecoderLimits,
  type Reply,
  ServerError,
} from "../../resp/mod.ts";
export type { OpenOptions } from "./options.ts";

/**
 * What to do with the messages of a connection.
 *
 * @example
 * ```ts no-run
 * import { type MessageOptions, open } from "@keywatch/keywatch/connection";
 *
 * const count = new Map<string, number>();
 * const options: MessageOptions = {
 *   onMessage: ({ channel }) => count.set(channel, (count.get(channel) ?? 0) + 1),
 *   onError: (error) => console.error("in onMessage:", error),
 * };
 * await using connection = await open("redis://localhost:6379", options);
 * await connection.subscribe("__keyevent@0__:*");
 * ```
 */
export interface MessageOptions {
  /** Called for each message of a subscribed channel, in the order in which the server sent them. */
  readonly onMessage?: ((message: Message) => unknown) | undefined;
  /** Called with what `onMessage` throws or rejects with. Default: `console.error`. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/**
 * A message of a channel. Its parts are views of the bytes that were read, created when they are
 * accessed. A message that is kept keeps the bytes that were read together with it in memory.
 *
 * @example
 * ```ts no-run
 * import { type Message, open } from "@keywatch/keywatch/connection";
 *
 * const print = ({ channel, data, pattern }: Message) => console.log(channel, data, pattern);
 * await using connection = await open("redis://localhost:6379", { onMessage: print });
 * await connection.subscribe("news.*");
 * ```
 */
export class Message {
  /** When it was read, in ms since the epoch. */
  readonly receivedAt: number;
  readonly #frame: MessageFrame;

  /**
   * Created by connections.
   *
   * @internal
   */
  constructor(frame: MessageFrame, receivedAt: number) {
    this.#frame = { ...frame };
    this.receivedAt = receivedAt;
  }

  /** The channel as text. */
  get channel(): string {
    return decodeText(this.channelBytes);
  }

  /** The subscribed pattern that matches the channel; null if the channel itself is subscribed. */
  get pattern(): string | null {
    const { bytes, patternStart, patternEnd } = this.#frame;
    return patternStart < 0 ? null : decodeText(bytes, patternStart, patternEnd);
  }

  /** The payload as text. */
  get data(): string {
    return decodeText(this.dataBytes);
  }

  /** The bytes of the channel: a view. */
  get channelBytes(): Uint8Array {
    const { bytes, channelStart, channelEnd } = this.#frame;
    return bytes.subarray(channelStart, channelEnd);
  }

  /** The bytes of the payload: a view. */
  get dataBytes(): Uint8Array {
    const { bytes, payloadStart, payloadEnd } = this.#frame;
    return bytes.subarray(payloadStart, payloadEnd);
  }

  /** The message as a keyspace notification, a new one at each access; null if it is not one. */
  get notification(): KeyNotification | null {
    return parseNotification(this.#frame, this.receivedAt, null) ?? null;
  }
}

/**
 * An open connection to a server; {@linkcode open} makes it.
 *
 * @example
 * ```ts no-run
 * import { open } from "@keywatch/keywatch/connection";
 *
 * const connection = await open("redis://localhost:6379");
 * await connection.command("CONFIG", "SET", "notify-keyspace-events", "KEA");
 * connection.close();
 * ```
 */
export class PubSubConnection implements AsyncDisposable {
  /** What the server reports about itself, and the protocol. */
  readonly info: ServerInfo;
  /** Resolves with the reason when the connection is closed; never rejects. */
  readonly closed: Promise<Error>;
  readonly #connection: Connection;
  readonly #database: number;

  /**
   * Created by {@linkcode open}.
   *
   * @internal
   */
  constructor(connection: Connection, info: ServerInfo, database: number) {
    this.#connection = connection;
    this.#database = database;
    this.info = info;
    const { signal } = connection;
    this.closed = new Promise((resolve) => {
      const end = () => resolve(signal.reason);
      if (signal.aborted) end();
      else signal.addEventListener("abort", end);
    });
  }

  /** The server, as `host:port` or the path of its socket. */
  get server(): string {
    return this.#connection.server;
  }

  /**
   * Subscribes to channels and patterns.
   *
   * @param channels each a `Channel` of `./parse`, or its name; a name with glob characters is a pattern
   * @throws {ServerError} if the server refuses one; the other channels, or the other patterns, are not
   * subscribed then
   * @throws {TimeoutError} if there is no answer in time; the connection is closed then
   * @throws the reason for which the connection is closed
   */
  async subscribe(...channels: readonly (Channel | string | Uint8Array)[]): Promise<void> {
    await this.#each(channels, (some) => this.#connection.subscribe(some));
  }

  /**
   * Unsubscribes from channels and patterns. Messages may arrive until it resolves.
   *
   * @param channels as for {@linkcode subscribe}
   * @throws as {@linkcode subscribe} does
   */
  async unsubscribe(...channels: readonly (Channel | string | Uint8Array)[]): Promise<void> {
    await this.#each(channels, (some) => this.#connection.unsubscribe(some));
  }

  async #each(
    channels: readonly (Channel | string | Uint8Array)[],
    send: (channels: readonly Channel[]) => Promise<void>,
  ): Promise<void> {
    const read = channels.map(toChannel).map((channel) =>
      channel instanceof NotificationChannel ? channel.inDatabase(this.#database) : channel
    );
    const kinds = [false, true].map((kind) => read.filter(({ isPattern }) => isPattern === kind));
    await Promise.all(kinds.filter(({ length }) => length > 0).map(send));
  }

  /**
   * Sends a command. In RESP2, a connection with subscriptions accepts only `PING`.
   *
   * @param command its name and arguments, such as `"GET", "key"`
   * @returns the reply, its bulk strings as text
   * @throws {ServerError} if the reply is an error
   * @throws {TimeoutError} if there is no reply in time; the connection is closed then
   * @throws the reason for which the connection is closed
   */
  async command(...command: [name: string, ...CommandArgument[]]): Promise<Reply> {
    return await this.#connection.request(...command);
  }

  /** Closes the connection at once. Pending commands reject with a `ClosedError`. */
  close(): void {
    this.#connection.close();
  }

  /** Closes the connection. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}

/**
 * Opens a connection and logs in.
 *
 * @param target the server's URL (`redis://`, `rediss://`, `redis+unix://` and their `valkey` forms), whose
 * database is selected, or its address
 * @param options how to connect, and what to do with messages
 * @returns the connection, without subscriptions
 * @throws {TypeError} if the URL or an option cannot be used
 * @throws {ConnectError} if nothing answers at the address, or the server refuses this client
 * @throws {AuthError} if the server refuses the credentials or requires some
 * @throws {TimeoutError} if an answer does not arrive in time
 * @throws {ServerError} if the server has no such database
 * @throws {UnsupportedError} if the sockets of this runtime cannot do what was requested
 *
 * @example
 * ```ts no-run
 * import { open } from "@keywatch/keywatch/connection";
 *
 * await using connection = await open({ hostname: "localhost", port: 6379 }, { timeout: 1_000 });
 * console.log(connection.info.version);
 * ```
 */
export function open(
  target: ServerTarget,
  options: OpenOptions & MessageOptions = {},
): Promise<PubSubConnection> {
  return fromCaller(open, () => openOnce(target, options));
}

async function openOnce(
  target: ServerTarget,
  options: OpenOptions & MessageOptions,
): Promise<PubSubConnection> {
  const url = readTarget("the server URL", target, DEFAULT_PORT);
  await checkOptionNames(options, ["onMessage", "onError"], ["interval"]);
  const settings = resolveOpenOptions(url, options);
  checkKinds(options, { onMessage: "function", onError: "function" });
  const { interval = HEARTBEAT_MS } = options.heartbeat ?? {};
  checkMilliseconds("heartbeat.interval", interval);
  const onError = shielded(options.onError ?? ((error) => console.error("keywatch:", error)));
  let receiver!: Receiver;
  const signal = options.signal ?? new AbortController().signal;
  const { address } = url;
  const { connection, info } = await openConnection({
    ...settings,
    address,
    signal,
    receive: () => receiver = new Receiver(options.onMessage, onError),
  });
  receiver.watch(connection, interval);
  if (url.database) {
    try {
      await connection.request("SELECT", url.database);
    } catch (error) {
      connection.close(error as Error);
      throw error;
    }
  }
  return new PubSubConnection(connection, info, url.database ?? 0);
}

/** Passes the messages of a connection to the program's callback, and sends `PING` during silence. */
class Receiver extends MessageReceiver {
  readonly #onMessage: MessageOptions["onMessage"];
  readonly #onError: (error: unknown) => void;
  #isSilent = false;

  constructor(onMessage: MessageOptions["onMessage"], onError: (error: unknown) => void) {
    super();
    this.#onMessage = onMessage;
    this.#onError = onError;
  }

  /** Checks every `interval` ms whether something arrived since the last time, and sends a `PING` if not. */
  watch(connection: Connection, interval: number): void {
    repeat(interval, connection.signal, async () => {
      // If the answer is late, the connection is closed.
      if (this.#isSilent) await connection.request("PING").catch(() => {});
      this.#isSilent = true;
    });
  }

  override message(frame: MessageFrame): void {
    if (this.#onMessage === undefined) return;
    try {
      const taken = this.#onMessage(new Message(frame, this.receivedAt));
      if (isPromiseLike(taken)) Promise.resolve(taken).catch(this.#onError);
    } catch (error) {
      this.#onError(error);
    }
  }

  override read(): null {
    this.#isSilent = false;
    return null;
  }
}
