import {
  type CommandArgument,
  Decoder,
  type DecoderLimits,
  encodeCommand,
  encodePipeline,
  type MessageFrame,
  type Reply,
  RespLimitError,
  RespSyntaxError,
} from "../../resp/mod.ts";
import { replyToText } from "../../resp/types.ts";
import type { Product } from "../../events/flags.ts";
import { ClosedError, ConnectError, TimeoutError } from "./errors.ts";
import { reasonOf } from "./printable.ts";
import { MessageReceiver } from "./receiver.ts";
import { isBusy } from "./refusal.ts";
import { readConfirmation, type ReplyTaker, Requests, type ServerChannel } from "./requests.ts";
import type { Secrets } from "./secrets.ts";
import { delay } from "./timers.ts";
import { type Address, type Dial, formatAddress, type Transport } from "./transport.ts";

/** How long to wait before a command is repeated because the server was busy, in ms. */
const BUSY_POLL = 100;

const CHECK_SERVER =
  "check that a Redis server listens there, and whether it expects TLS (rediss://)";

/** How to open a connection. */
export interface ConnectionOptions {
  /** Where the server listens. */
  readonly address: Address;
  /** Opens the byte stream. */
  readonly dial: Dial;
  /** How long dialing, and each answer, may take, in ms. */
  readonly timeout: number;
  /** The limits of what is accepted from the server. */
  readonly limits: DecoderLimits;
  /** Closes the connection, also while it is being opened. */
  readonly signal: AbortSignal;
  /** The passwords that no text may contain. Default: that of this connection. */
  readonly secrets?: Secrets;
  /** Makes the receiver of everything that the connection reports; not needed without subscriptions. */
  readonly receive?: ((connection: Connection) => MessageReceiver) | undefined;
}

/**
 * One socket to one server: requests, their replies in order, and the pushes between them. It does not
 * reconnect.
 */
export class Connection {
  /** The server, as `host:port`, for messages. */
  readonly server: string;
  /** The passwords that no text may contain, including the one that was sent. */
  readonly secrets: Secrets;
  /** The software of the server, as it reports it in the handshake. */
  product: Product = { software: null, version: null };
  /** Bytes read so far. */
  bytesReceived = 0;
  /** Whether shard channels were subscribed; in RESP2 other commands are then refused. */
  hasShardChannels = false;
  /** Bytes handed to the transport that it has not sent yet. */
  #unsent = 0;
  readonly #transport: Transport;
  readonly #options: ConnectionOptions;
  readonly #decoder: Decoder;
  readonly #requests: Requests;
  readonly #receiver: MessageReceiver;
  #chunk: Uint8Array = new Uint8Array();
  #closedReason: Error | null = null;
  readonly #life = new AbortController();

  /**
   * @param transport the open byte stream
   * @param secrets the passwords that no text may contain
   */
  constructor(transport: Transport, options: ConnectionOptions, secrets: Secrets) {
    this.server = formatAddress(options.address);
    this.secrets = secrets;
    this.#transport = transport;
    this.#options = options;
    this.#requests = new Requests(this.server, (error) => this.close(error));
    this.#receiver = options.receive?.(this) ?? new MessageReceiver();
    // Once the connection is closed, each method throws, which stops the decoder within a chunk.
    this.#decoder = new Decoder({
      reply: (reply) => {
        if (this.#closedReason !== null) throw this.#closedReason;
        // Cleaned here, so that no code sees the original text of an error.
        this.#requests.answer(secrets.clean(reply));
        this.#receiver.sentAfter = this.lastAckAt;
      },
      push: (items) => this.#onPush(items),
      message: (frame) => this.#onMessage(frame),
    }, options.limits);
    const { signal } = options;
    const abort = () => this.close(signal.reason);
    signal.addEventListener("abort", abort);
    this.#read().finally(() => signal.removeEventListener("abort", abort));
  }

  /**
   * When the last acknowledged command was sent, in ms since the epoch. Everything that the server
   * sent before that was received.
   */
  get lastAckAt(): number {
    return this.#requests.lastAckAt;
  }

  /**
   * Treats arrays with the name of a pub/sub message as pushes. RESP2 has no other form of them, and
   * no other use of such arrays once something is subscribed.
   */
  enableResp2Pushes(): void {
    this.#decoder.arrayPushes = true;
  }

  /** Bytes in memory: unread ones, those of an incomplete reply, and unsent ones. */
  get buffered(): number {
    return (this.#transport.unread ?? 0) + this.#decoder.held + this.#unsent;
  }

  /** Aborted when the connection is closed. */
  get signal(): AbortSignal {
    return this.#life.signal;
  }

  /** Why the connection is closed; null while it is open. */
  get closedReason(): Error | null {
    return this.#closedReason;
  }

  /**
   * Sends a command and waits for its reply. While the server loads its data or runs a script, the
   * command is repeated until the timeout.
   *
   * @returns the reply, its bulk strings as text
   * @throws {ServerError} if the reply is an error
   * @throws {TimeoutError} if there is no reply in time; the connection is then closed, because later
   * replies could not be matched. Also if the server was busy all the time; the connection stays open
   * @throws the reason for which the connection is closed
   */
  async request(...command: [name: string, ...CommandArgument[]]): Promise<Reply> {
    return replyToText(await this.#sendUntilFree(command, null));
  }

  /**
   * Sends a command and waits for its reply without a deadline, until the connection is closed.
   *
   * @throws as {@linkcode Connection.request} does, but for the deadline
   */
  async send(...command: [name: string, ...CommandArgument[]]): Promise<Reply> {
    return replyToText(await this.#sendOnce(command, null, Infinity));
  }

  /**
   * Subscribes to channels, or to patterns, by one command.
   *
   * @throws {ServerError} if the server refuses one; none of them is subscribed then
   * @throws as {@linkcode Connection.request} does
   */
  subscribe(channels: readonly ServerChannel[]): Promise<void> {
    return this.#change("SUBSCRIBE", channels);
  }

  /**
   * Unsubscribes from channels, or from patterns, by one command.
   *
   * @throws as {@linkcode Connection.request} does
   */
  unsubscribe(channels: readonly ServerChannel[]): Promise<void> {
    return this.#change("UNSUBSCRIBE", channels);
  }

  async #change(name: string, channels: readonly ServerChannel[]): Promise<void> {
    const command = channels[0]?.isPattern ? `P${name}` : name;
    await this.#sendUntilFree([command, ...channels.map(({ bytes }) => bytes)], channels);
  }

  /**
   * Subscribes to shard channels, each by its own command, because they belong to different slots.
   *
   * @param onAnswer called for each in order, before messages that follow the answer: with null if it is
   * subscribed, or with the error of the server or of the end of the connection
   */
  subscribeShard(
    channels: readonly Uint8Array[],
    onAnswer: (channel: Uint8Array, error: Error | null) => void,
  ): void {
    if (this.#closedReason !== null) {
      for (const channel of channels) onAnswer(channel, this.#closedReason);
      return;
    }
    if (channels.length === 0) return;
    this.hasShardChannels = true;
    const name = "SSUBSCRIBE";
    for (const bytes of channels) {
      this.#requests.take({ name, channels: [{ bytes, isPattern: false }] }, Infinity, {
        answer: () => onAnswer(bytes, null),
        fail: (error) => onAnswer(bytes, error),
      });
    }
    this.#write(encodePipeline(channels.map((channel) => [name, channel])));
  }

  /**
   * Sends a command without a deadline. Its reply is taken in order with the messages: before those that
   * the server sent after it.
   */
  sendInOrder(command: readonly CommandArgument[], taker: ReplyTaker): void {
    this.#put(command, null, Infinity, taker);
  }

  /** Closes the connection. Pending commands fail with the reason. */
  close(reason: Error = new ClosedError(`The connection to ${this.server} was closed`)): void {
    if (this.#closedReason !== null) return;
    this.#closedReason = reason;
    try {
      this.#transport.close();
    } catch {
      // It is of the caller's own dial, and there is nothing more to do with it.
    }
    this.#requests.end(reason);
    this.#life.abort(reason);
    this.#receiver.closed(reason);
  }

  async #sendUntilFree(
    command: CommandArgument[],
    channels: readonly ServerChannel[] | null,
  ): Promise<Reply> {
    const deadline = performance.now() + this.#options.timeout;
    for (;;) {
      try {
        return await this.#sendOnce(command, channels);
      } catch (error) {
        if (!isBusy(error)) throw error;
        const left = deadline - performance.now();
        if (left <= 0) {
          const { timeout } = this.#options;
          throw new TimeoutError(
            "SERVER_BUSY",
            `Cannot go on with ${this.server}: it has been busy for ${timeout} ms (` +
              `${(error as Error).message})`,
            timeout,
            { server: this.server, cause: error },
          );
        }
        await delay(Math.min(left, BUSY_POLL), this.signal);
      }
    }
  }

  #sendOnce(
    command: CommandArgument[],
    channels: readonly ServerChannel[] | null,
    timeout: number = this.#options.timeout,
  ): Promise<Reply> {
    return new Promise((answer, fail) => {
      this.#put(command, channels, timeout, { answer, fail });
    });
  }

  #put(
    command: readonly CommandArgument[],
    channels: readonly ServerChannel[] | null,
    timeout: number,
    taker: ReplyTaker,
  ): void {
    if (this.#closedReason !== null) return taker.fail(this.#closedReason);
    const bytes = encodeCommand(command);
    this.#requests.take({ name: String(command[0]), channels }, timeout, taker);
    this.#write(bytes);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#unsent += bytes.length;
    try {
      await this.#transport.write(bytes);
    } catch (cause) {
      // An unread error of the server may say why; it is found when reading ends.
      if (!isPeersEnd(cause)) this.#lose("could not be written to", cause);
    }
    this.#unsent -= bytes.length;
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const read = await this.#transport.read();
        if (this.#closedReason !== null) return;
        if (read === null) return this.#lose("was closed by the server");
        const chunk = plain(read);
        // Endless empty chunks would be read forever.
        if (chunk.length === 0) throw new TypeError("its transport gave a chunk without bytes");
        this.#chunk = chunk;
        this.#receiver.receivedAt = Date.now();
        this.#receiver.sentAfter = this.lastAckAt;
        this.bytesReceived += chunk.length;
        this.#decoder.write(chunk);
        if (this.#closedReason !== null) return;
        const turn = this.#receiver.read();
        if (turn !== null) await turn;
      }
    } catch (cause) {
      if (this.#closedReason !== null) return;
      if (cause instanceof RespSyntaxError || cause instanceof RespLimitError) {
        this.close(
          new ConnectError(
            "PROTOCOL_ERROR",
            `Cannot understand ${this.server}: ${cause.message}; ${CHECK_SERVER}`,
            { server: this.server, cause },
          ),
        );
      } else this.#lose("could not be read from", cause);
    }
  }

  /** Closes the connection because the server closed it, or because it broke. */
  #lose(what: string, thrown?: unknown): void {
    const { server } = this;
    const cause = thrown === undefined ? null : this.secrets.ownError(thrown);
    if (cause instanceof ConnectError) return this.close(cause);
    const { oldest, lastWords } = this.#requests;
    const why = cause !== null
      ? `: ${reasonOf(cause)}`
      : oldest === null
      ? ""
      : ` without an answer to ${oldest}`;
    const isAtOnce = this.bytesReceived === 0 || (cause === null && oldest !== null);
    const hint = lastWords ?? (isAtOnce ? `; ${CHECK_SERVER}` : "");
    this.close(
      new ConnectError("CONNECTION_LOST", `The connection to ${server} ${what}${why}${hint}`, {
        server,
        ...(cause === null ? {} : { cause }),
      }),
    );
  }

  #onMessage(frame: MessageFrame): void {
    if (this.#closedReason !== null) throw this.#closedReason;
    if (frame.bytes !== this.#chunk) {
      // The frame spans chunks, and the decoder may reuse the memory in which it was assembled.
      frame.bytes = frame.bytes.slice();
    }
    this.#receiver.message(frame);
  }

  #onPush(items: Reply[]): void {
    if (this.#closedReason !== null) throw this.#closedReason;
    const confirmation = readConfirmation(items);
    const receiver = this.#receiver;
    if (confirmation === null) return receiver.unusable(items);
    const { command } = confirmation;
    // It is never sent: its reply could not be distinguished from the end of a fence.
    if (command === "SUNSUBSCRIBE") {
      return receiver.released(confirmation.bytes ?? new Uint8Array());
    }
    const channel = this.#requests.confirm(confirmation);
    receiver.sentAfter = this.lastAckAt;
    if (command !== "SSUBSCRIBE") receiver.confirmed(channel, !command.includes("UNSUB"));
  }
}

/** Views a `Buffer` as the decoder does, so that messages within the chunk are recognised by their array. */
function plain(chunk: Uint8Array): Uint8Array {
  if (chunk.constructor === Uint8Array) return chunk;
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

/** Whether an error says that the peer has closed the connection: its words differ by runtime. */
function isPeersEnd(error: unknown): boolean {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return /EPIPE|ECONNRESET|BrokenPipe|ConnectionReset/.test(`${code} ${name}`);
}
