/**
 * One connection to one server: subscribes, sends commands, and hands messages on as they come.
 *
 * It does not reconnect, reports no gaps and looks at no flags: for programs that do this themselves,
 * and for runtimes with little room.
 *
 * @example
 * ```ts no-run
 * import { open } from "@keywatch/keywatch/connection";
 *
 * await using connection = await open("redis://localhost:6379", {
 *   onMessage: ({ notification }) => console.log(notification?.key, notification?.eventType),
 * });
 * await connection.subscribe("__keyspace@0__:user:*");
 * console.log("over:", (await connection.closed).message);
 * ```
 *
 * @module
 */
import { type Channel, type KeyNotification, toChannel } from "../../parse/mod.ts";
import { parseNotification } from "../../parse/notification.ts";
import { type CommandArgument, decodeText, type MessageFrame, type Reply } from "../../resp/mod.ts";
import { checkTcpAddress, parseUrl, type ServerUrl } from "./address.ts";
import { type Connection, MessageReceiver } from "./connection.ts";
import { openConnection, type ServerInfo } from "./handshake.ts";
import { checkKinds, checkMilliseconds, isPromiseLike } from "./option_checks.ts";
import type { Address, TcpAddress, UnixAddress } from "./transport.ts";
import {
  defaultsOf,
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
 * What to do with what comes on a connection.
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
  /** Takes each message of a subscribed channel, in the order in which the server sent them. */
  readonly onMessage?: (message: Message) => unknown;
  /** Takes what `onMessage` throws or rejects with, which stops nothing. Default: `console.error`. */
  readonly onError?: (error: unknown) => void;
}

/**
 * A message of a channel. Its parts are views of what was read, and made when they are looked at: one
 * that is kept keeps the bytes that were read together with it.
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
   * Made by connections alone.
   *
   * @internal
   */
  constructor(frame: MessageFrame, receivedAt: number) {
    this.#frame = { ...frame };
    this.receivedAt = receivedAt;
  }

  /** The channel as text. */
  get channel(): string {
    const { bytes, channelStart, channelEnd } = this.#frame;
    return decodeText(bytes, channelStart, channelEnd);
  }

  /** The pattern by which it came; null if the channel itself is subscribed. */
  get pattern(): string | null {
    const { bytes, patternStart, patternEnd } = this.#frame;
    return patternStart < 0 ? null : decodeText(bytes, patternStart, patternEnd);
  }

  /** The payload as text. */
  get data(): string {
    const { bytes, payloadStart, payloadEnd } = this.#frame;
    return decodeText(bytes, payloadStart, payloadEnd);
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

  /** The keyspace notification that it is; null if it is none. A new one at each call. */
  get notification(): KeyNotification | null {
    const { bytes, channelStart, channelEnd, payloadStart, payloadEnd } = this.#frame;
    return parseNotification(
      bytes,
      channelStart,
      channelEnd,
      payloadStart,
      payloadEnd,
      this.receivedAt,
      null,
    ) ?? null;
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
  /** What the server says that it is, and the protocol that is spoken. */
  readonly info: ServerInfo;
  /** Resolves with the reason once the connection is over; never rejects. */
  readonly closed: Promise<Error>;
  readonly #connection: Connection;

  /**
   * Made by {@linkcode open} alone.
   *
   * @internal
   */
  constructor(connection: Connection, info: ServerInfo, closed: Promise<Error>) {
    this.#connection = connection;
    this.info = info;
    this.closed = closed;
  }

  /** The server, as `host:port` or the path of its socket. */
  get server(): string {
    return this.#connection.server;
  }

  /**
   * Subscribes channels and patterns.
   *
   * @param channels each a `Channel` of `./parse`, or one as it stands: what holds glob characters is a
   * pattern
   * @throws {ServerError} if the server refuses one; the others of its kind are not subscribed then
   * @throws {TimeoutError} if no answer comes in time; the connection is over then
   * @throws the reason for which the connection is over
   */
  async subscribe(...channels: readonly (Channel | string | Uint8Array)[]): Promise<void> {
    await this.#each(channels, (some) => this.#connection.subscribe(some));
  }

  /**
   * Takes subscriptions back. Messages may come until it resolves.
   *
   * @param channels those to {@linkcode subscribe}, in the same form
   * @throws as {@linkcode subscribe} does
   */
  async unsubscribe(...channels: readonly (Channel | string | Uint8Array)[]): Promise<void> {
    await this.#each(channels, (some) => this.#connection.unsubscribe(some));
  }

  async #each(
    channels: readonly (Channel | string | Uint8Array)[],
    send: (channels: readonly Channel[]) => Promise<void>,
  ): Promise<void> {
    const read = channels.map(toChannel);
    const kinds = [false, true].map((kind) => read.filter(({ isPattern }) => isPattern === kind));
    await Promise.all(kinds.filter(({ length }) => length > 0).map(send));
  }

  /**
   * Sends a command. In RESP2 a connection with subscriptions takes `PING` alone.
   *
   * @param command its name and arguments, such as `"GET", "key"`
   * @returns the reply, its bulk strings as text
   * @throws {ServerError} if the server answers with an error
   * @throws {TimeoutError} if no answer comes in time; the connection is over then
   * @throws the reason for which the connection is over
   */
  async command(...command: [name: string, ...CommandArgument[]]): Promise<Reply> {
    return await this.#connection.request(...command);
  }

  /** Closes the connection at once. What waits for an answer is rejected with a `ClosedError`. */
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
 * @param options how to connect, and what to do with what comes
 * @returns the connection, on which nothing is subscribed yet
 * @throws {TypeError} if the URL or an option cannot be used
 * @throws {ConnectError} if nothing answers there, or the server refuses this client
 * @throws {AuthError} if the server refuses the credentials or requires some
 * @throws {TimeoutError} if an answer does not come in time
 * @throws {ServerError} if the server has no such database
 * @throws {UnsupportedError} if the sockets of this runtime cannot do what was asked
 *
 * @example
 * ```ts no-run
 * import { open } from "@keywatch/keywatch/connection";
 *
 * await using connection = await open({ hostname: "localhost", port: 6379 }, { timeout: 1_000 });
 * console.log(connection.info.version);
 * ```
 */
export async function open(
  target: string | URL | Address,
  options: OpenOptions & MessageOptions = {},
): Promise<PubSubConnection> {
  const url: ServerUrl = typeof target === "string" || target instanceof URL
    ? parseUrl(target)
    : { address: readAddress(target) };
  const settings = resolveOpenOptions(defaultsOf(url), options);
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
  }, settings);
  receiver.watch(connection, interval);
  if (url.database) {
    try {
      await connection.request("SELECT", url.database);
    } catch (error) {
      connection.close(error as Error);
      throw error;
    }
  }
  return new PubSubConnection(connection, info, receiver.end);
}

/** Hands what comes on a connection to the program's callback, and keeps watch over the connection. */
class Receiver extends MessageReceiver {
  /** Resolves with the reason once the connection is over. */
  readonly end: Promise<Error>;
  readonly #onMessage: MessageOptions["onMessage"];
  readonly #onError: (error: unknown) => void;
  readonly #life = new AbortController();
  #resolve!: (reason: Error) => void;
  #isSilent = false;

  constructor(onMessage: MessageOptions["onMessage"], onError: (error: unknown) => void) {
    super();
    this.#onMessage = onMessage;
    this.#onError = onError;
    this.end = new Promise((resolve) => this.#resolve = resolve);
  }

  /** Begins to look, so many ms apart, whether something has come, and sends a `PING` if not. */
  watch(connection: Connection, interval: number): void {
    repeat(interval, this.#life.signal, async () => {
      // An answer that is late ends the connection.
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

  override closed(reason: Error): void {
    this.#life.abort(reason);
    this.#resolve(reason);
  }
}

/** Checks an address that a program gives. */
function readAddress(address: Address): Address {
  const given: Partial<TcpAddress & UnixAddress> = address ?? {};
  if (typeof given.path === "string" && given.path.startsWith("/")) return { path: given.path };
  return checkTcpAddress(
    given,
    (why) =>
      new TypeError(`Cannot use the address: ${why}; give a URL, { hostname, port } or { path }`),
  );
}
