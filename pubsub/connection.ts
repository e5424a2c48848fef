import {
  type CommandArgument,
  Decoder,
  type DecoderLimits,
  encodeCommand,
  type MessageFrame,
  type Reply,
  replyToText,
  ServerError,
} from "../resp/mod.ts";
import { formatAddress } from "./address.ts";
import { ConnectError, TimeoutError, UnsupportedError } from "./errors.ts";
import { channelId, type ServerChannel } from "./registry.ts";
import type { Address, Dial, Transport } from "./transport.ts";

/** A timer that fires later than this, in ms, tells of a busy process, not of a silent server. */
const LATE = 250;

const CHECK_SERVER =
  "check that a Redis server listens there, and whether it wants TLS (rediss://)";

/** What a connection tells its owner. */
export interface ConnectionEvents {
  /**
   * A message came.
   *
   * @param frame its places in its bytes; the object is used again for the next one, the bytes are
   * never written again
   * @param receivedAt when its bytes were read, in ms since the epoch
   * @param sentAfter a time, in ms since the epoch, before which the server did not send it
   */
  onMessage(frame: MessageFrame, receivedAt: number, sentAfter: number): void;
  /** The server has confirmed a channel: messages of another set of channels follow. */
  onConfirmed(channel: ServerChannel, subscribed: boolean): void;
  /**
   * Bytes came and have been worked through.
   *
   * @returns what is to be waited for before more is read; null to read on at once
   */
  onRead(): Promise<void> | null;
  /** The connection is over. Called once, and nothing else after it. */
  onClose(reason: Error): void;
}

/** How to open a connection. */
export interface ConnectionOptions {
  /** Where the server listens. */
  readonly address: Address;
  /** How to get there. */
  readonly dial: Dial;
  /** How long any one answer may take, in ms; dialling counts as one. */
  readonly timeout: number;
  /** What is accepted from the server at most. */
  readonly limits: DecoderLimits;
  /** Ends the connection, also while it is being opened. */
  readonly signal: AbortSignal;
  /** Takes what comes by itself. */
  readonly events: ConnectionEvents;
}

/** A command that waits for its answer: one reply, or as many confirmations as it has channels. */
interface Pending {
  /** The command's name, for messages. */
  readonly name: string;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
  /** When it was sent, in ms since the epoch. */
  readonly sentAt: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** The channels that are to be confirmed; null where a reply is expected. */
  readonly channels: readonly ServerChannel[] | null;
  readonly subscribed: boolean;
  confirmed: number;
}

/**
 * One socket to one server: requests and their replies in order, and the pushes between them.
 *
 * It knows nothing of what is wanted, and does not come back once it is over.
 */
export class Connection {
  /** The server, as `host:port`, for messages. */
  readonly server: string;
  /** Bytes read so far. */
  bytesReceived = 0;
  /**
   * All that the server sent before this time has been received, in ms since the epoch: when the
   * last command that has been answered was sent.
   */
  provenAt: number = Date.now();
  readonly #transport: Transport;
  readonly #options: ConnectionOptions;
  readonly #decoder: Decoder;
  // A request is answered by the oldest that waits: the server works through them in order.
  readonly #pending: Pending[] = [];
  #chunk: Uint8Array = new Uint8Array();
  #receivedAt = 0;
  #over: Error | null = null;

  private constructor(transport: Transport, options: ConnectionOptions) {
    this.server = formatAddress(options.address);
    this.#transport = transport;
    this.#options = options;
    this.#decoder = new Decoder({
      reply: (reply) => this.#onReply(reply),
      push: (items) => this.#onPush(items),
      message: (frame) => this.#onMessage(frame),
    }, options.limits);
    const { signal } = options;
    const abort = () => this.close(signal.reason);
    signal.addEventListener("abort", abort);
    this.#read().finally(() => signal.removeEventListener("abort", abort));
  }

  /**
   * Dials. What is said first is the caller's business.
   *
   * @throws {ConnectError} when nothing answers there
   * @throws {TimeoutError} when dialling takes longer than the timeout
   */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const { address, dial, timeout, signal } = options;
    signal.throwIfAborted();
    const attempt = new AbortController();
    const giveUp = () => attempt.abort(signal.reason);
    signal.addEventListener("abort", giveUp);
    const timer = setTimeout(() => {
      attempt.abort(
        new TimeoutError(
          `Cannot connect to ${formatAddress(address)}: nothing answered within ${timeout} ms; ` +
            "check the address, whether a firewall drops the packets, and whether TLS is spoken there",
          timeout,
        ),
      );
    }, timeout);
    try {
      const transport = await dialOrGiveUp(dial, address, attempt.signal);
      return new Connection(transport, options);
    } catch (cause) {
      if (attempt.signal.aborted) throw attempt.signal.reason;
      if (cause instanceof ConnectError || cause instanceof UnsupportedError) throw cause;
      throw new ConnectError(
        `Cannot connect to ${formatAddress(address)}: ${reasonOf(cause)}${adviceFor(cause)}`,
        { cause },
      );
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
    }
  }

  /**
   * From now on arrays that name a pub/sub message are pushes: RESP2, where a connection that has
   * subscribed gets nothing else.
   */
  speakResp2(): void {
    this.#decoder.arrayPushes = true;
  }

  /** Why the connection is over; null while it is not. */
  get over(): Error | null {
    return this.#over;
  }

  /**
   * Sends a command and waits for its reply.
   *
   * @returns the reply, its bulk strings as text
   * @throws {ServerError} when the server answers with an error
   * @throws {TimeoutError} when no answer came in time; the connection is then over, because later
   * replies could no longer be told apart
   * @throws the reason for which the connection is over
   */
  async request(...command: [name: string, ...CommandArgument[]]): Promise<Reply> {
    return replyToText(await this.#send(command, null, false));
  }

  /**
   * Sends a command and waits for its reply as long as the connection lasts: whoever asks keeps the
   * time.
   *
   * @throws as {@linkcode Connection.request} does, but for the deadline
   */
  async inquire(...command: [name: string, ...CommandArgument[]]): Promise<Reply> {
    return replyToText(await this.#send(command, null, false, Infinity));
  }

  /**
   * Subscribes channels of one kind, or patterns, in one command.
   *
   * @throws {ServerError} when the server refuses; then none of them is subscribed
   * @throws as {@linkcode Connection.request} does
   */
  async subscribe(channels: readonly ServerChannel[]): Promise<void> {
    const name = channels[0]?.isPattern ? "PSUBSCRIBE" : "SUBSCRIBE";
    await this.#send([name, ...channels.map(({ bytes }) => bytes)], channels, true);
  }

  /**
   * Takes the subscriptions of channels of one kind, or patterns, back in one command.
   *
   * @throws as {@linkcode Connection.request} does
   */
  async unsubscribe(channels: readonly ServerChannel[]): Promise<void> {
    const name = channels[0]?.isPattern ? "PUNSUBSCRIBE" : "UNSUBSCRIBE";
    await this.#send([name, ...channels.map(({ bytes }) => bytes)], channels, false);
  }

  /** Ends the connection; whatever waits for an answer gets the reason. */
  close(reason: Error): void {
    if (this.#over !== null) return;
    this.#over = reason;
    this.#transport.close();
    for (const pending of this.#pending.splice(0)) {
      clearTimeout(pending.timer);
      pending.reject(reason);
    }
    this.#options.events.onClose(reason);
  }

  #send(
    command: CommandArgument[],
    channels: readonly ServerChannel[] | null,
    subscribed: boolean,
    timeout: number = this.#options.timeout,
  ): Promise<Reply> {
    if (this.#over !== null) return Promise.reject(this.#over);
    const bytes = encodeCommand(command);
    const name = String(command[0]);
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        name,
        resolve,
        reject,
        sentAt: Date.now(),
        timer: undefined,
        channels,
        subscribed,
        confirmed: 0,
      };
      if (timeout !== Infinity) this.#expect(pending, timeout);
      this.#pending.push(pending);
      this.#transport.write(bytes).catch((cause) => this.#break("could not be written to", cause));
    });
  }

  /** Gives an answer so many ms to come. */
  #expect(pending: Pending, timeout: number, patience = 3): void {
    const due = performance.now() + timeout;
    pending.timer = setTimeout(() => {
      // A timer that fires late tells of a busy process: the answer may be there, unread.
      if (patience > 0 && performance.now() - due > LATE) {
        return this.#expect(pending, timeout, patience - 1);
      }
      this.close(
        new TimeoutError(
          `Cannot go on with ${this.server}: no answer to ${pending.name} within ${timeout} ms; ` +
            "it may be overloaded, or no Redis server at all",
          timeout,
        ),
      );
    }, timeout);
  }

  #answered(): void {
    const pending = this.#pending.shift()!;
    clearTimeout(pending.timer);
    this.provenAt = pending.sentAt;
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const chunk = await this.#transport.read();
        if (this.#over !== null) return;
        if (chunk === null) {
          const waiting = this.#pending[0];
          return this.close(
            new ConnectError(
              waiting === undefined
                ? `The connection to ${this.server} was closed by the server` +
                  (this.bytesReceived === 0 ? ` before a word was said; ${CHECK_SERVER}` : "")
                : `Cannot get an answer to ${waiting.name} from ${this.server}: ` +
                  `it closed the connection; ${CHECK_SERVER}`,
            ),
          );
        }
        this.#chunk = chunk;
        this.#receivedAt = Date.now();
        this.bytesReceived += chunk.length;
        this.#decoder.write(chunk);
        const turn = this.#over === null ? this.#options.events.onRead() : null;
        if (turn !== null) await turn;
      }
    } catch (cause) {
      if (cause instanceof ConnectError) this.close(cause);
      else if (isProtocolError(cause)) {
        this.close(
          new ConnectError(
            `Cannot understand ${this.server}: ${cause.message}; ${CHECK_SERVER}`,
            { cause },
          ),
        );
      } else this.#break("could not be read from", cause);
    }
  }

  #break(what: string, cause: unknown): void {
    this.close(
      cause instanceof ConnectError ? cause : new ConnectError(
        `The connection to ${this.server} ${what}: ${reasonOf(cause)}` +
          (this.bytesReceived === 0 ? `; ${CHECK_SERVER}` : ""),
        { cause },
      ),
    );
  }

  #onMessage(frame: MessageFrame): void {
    if (this.#over !== null) return;
    if (frame.bytes !== this.#chunk) {
      // A frame that was cut by the end of a chunk: the decoder pieced it together in memory of its
      // own, which it may use again.
      frame.bytes = frame.bytes.slice();
    }
    this.#options.events.onMessage(frame, this.#receivedAt, this.provenAt);
  }

  #onReply(reply: Reply): void {
    const pending = this.#pending[0];
    if (pending === undefined) {
      throw new ConnectError(`Cannot go on with ${this.server}: it answered what nobody asked`);
    }
    this.#answered();
    if (reply instanceof ServerError) pending.reject(reply);
    else if (pending.channels === null) pending.resolve(reply);
    else {
      const error = new ConnectError(
        `Cannot go on with ${this.server}: it answered ${pending.name} without a confirmation`,
      );
      pending.reject(error);
      throw error;
    }
  }

  #onPush(items: Reply[]): void {
    const confirmation = readConfirmation(items);
    if (confirmation === null) return;
    const { channel, subscribed } = confirmation;
    const pending = this.#pending[0];
    const awaited = pending?.channels?.[pending.confirmed];
    if (
      pending === undefined || awaited === undefined || pending.subscribed !== subscribed ||
      channelId(awaited) !== channelId(channel)
    ) {
      throw new ConnectError(
        `Cannot go on with ${this.server}: it confirmed a subscription nobody asked for`,
      );
    }
    pending.confirmed++;
    this.#options.events.onConfirmed(awaited, subscribed);
    if (pending.confirmed < pending.channels!.length) return;
    this.#answered();
    pending.resolve(null);
  }
}

/** Dials, and does not wait for a dial that takes no notice of its signal. */
function dialOrGiveUp(dial: Dial, address: Address, signal: AbortSignal): Promise<Transport> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    dial(address, { signal }).then(
      (transport) => signal.aborted ? transport.close() : resolve(transport),
      reject,
    );
  });
}

/** The channel that a push confirms, or null for a push of another kind. */
function readConfirmation(
  items: readonly Reply[],
): { channel: ServerChannel; subscribed: boolean } | null {
  const [kind, bytes] = items;
  if (!(bytes instanceof Uint8Array)) return null;
  switch (kind instanceof Uint8Array ? replyToText(kind) : kind) {
    case "subscribe":
      return { channel: { bytes, isPattern: false }, subscribed: true };
    case "psubscribe":
      return { channel: { bytes, isPattern: true }, subscribed: true };
    case "unsubscribe":
      return { channel: { bytes, isPattern: false }, subscribed: false };
    case "punsubscribe":
      return { channel: { bytes, isPattern: true }, subscribed: false };
    default:
      return null;
  }
}

function isProtocolError(error: unknown): error is Error {
  return error instanceof Error &&
    (error.name === "RespSyntaxError" || error.name === "RespLimitError");
}

/** What went wrong, in words. Of a name with several addresses, each may have failed in its way. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(", ");
  return error instanceof Error ? error.message : String(error);
}

/** What the reader can do about a connection that could not be made. */
function adviceFor(error: unknown): string {
  // Deno's errors say themselves which permission is missing.
  if (error instanceof Error && error.name === "NotCapable") return "";
  return "; check that a server listens there";
}
