import { CUT, OTHER } from "./bulk.ts";
import { type DecoderLimits, resolveLimits } from "./limits.ts";
import { bytesOf, layMessageFrame, type MessageFrame, readMessageFrame } from "./message_frame.ts";
import { MessageReader } from "./message_reader.ts";
import { ReplyReader } from "./reply_reader.ts";
import { replyToText } from "./reply_to_text.ts";
import { decodeText } from "../bytes/text.ts";
import type { Reply } from "./types.ts";
import { ARRAY, PUSH } from "./wire.ts";

/**
 * Where a decoder puts what it has read.
 *
 * @example Confirmations to one place, messages to another
 * ```ts
 * import type { DecoderSink } from "@keywatch/keywatch/resp";
 *
 * const sink: DecoderSink = {
 *   reply: (reply) => console.log(reply),
 *   push: ([kind, ...items]) => console.log(kind, items),
 *   message: (frame) => console.log(frame.payloadEnd - frame.payloadStart, "bytes"),
 * };
 * ```
 */
export interface DecoderSink {
  /** A whole reply, in the order of the wire. */
  reply(reply: Reply): void;
  /**
   * An out-of-band push: its items; the first names its kind. It may stand between any two things
   * at the top of the stream, also between attributes and the reply they belong to.
   */
  push(items: Reply[]): void;
  /**
   * A pub/sub `message` or `pmessage`, without a value being made of it. Every such frame comes
   * here and none to `push`; without this method they go to `push` as all others. The one exception
   * is a message with a simple string that contains U+FFFD: its bytes are unknown, so it goes to
   * `push`.
   */
  message?(frame: MessageFrame): void;
}

/**
 * How a decoder reads.
 *
 * @example Text, and no reply larger than a megabyte
 * ```ts
 * import { Decoder, type DecoderOptions } from "@keywatch/keywatch/resp";
 *
 * const options: DecoderOptions = { strings: "text", maxHeldBytes: 2 ** 20 };
 * new Decoder({ reply: console.log, push: console.log }, options);
 * ```
 */
export interface DecoderOptions extends DecoderLimits {
  /**
   * What bulk strings and the values of verbatim strings become. Default `"bytes"`. As text, bytes
   * that are not UTF-8 become U+FFFD.
   */
  strings?: "bytes" | "text";
  /**
   * What becomes of attributes. `"keep"`, the default, delivers a reply that has some as
   * {@linkcode Attributed}. `"skip"` reads them, counts them against the limits, and drops them.
   */
  attributes?: "keep" | "skip";
  /** Whether arrays can be pushes; see {@linkcode Decoder.arrayPushes}. Default `false`. */
  arrayPushes?: boolean;
}

/** First elements that make a push of an array on a RESP2 connection that is subscribed. */
const ARRAY_PUSHES: ReadonlySet<string> = new Set([
  "message",
  "pmessage",
  "smessage",
  "subscribe",
  "unsubscribe",
  "psubscribe",
  "punsubscribe",
  "ssubscribe",
  "sunsubscribe",
]);

/**
 * Reads RESP2 and RESP3 as it comes, in chunks cut anywhere.
 *
 * Nothing it gives out shares memory with a chunk, so a chunk may be used again once `write` has
 * returned; only a {@linkcode MessageFrame} is a view, valid during its call.
 *
 * `write` throws when bytes are not RESP, when a reply exceeds a limit, and when the sink throws. It
 * throws at once, without reading the rest of the chunk. The decoder then stays failed: every further
 * `write` throws the same error. A sink can therefore throw to stop the decoder.
 *
 * @example
 * ```ts
 * import { Decoder } from "@keywatch/keywatch/resp";
 *
 * const decoder = new Decoder({
 *   reply: (reply) => console.log("reply", reply),
 *   push: (items) => console.log("push", items),
 * }, { strings: "text" });
 * decoder.write(new TextEncoder().encode("*2\r\n$3\r\nfoo\r\n:"));
 * decoder.write(new TextEncoder().encode("42\r\n")); // reply ["foo", 42]
 * ```
 */
export class Decoder {
  readonly #sink: DecoderSink;
  readonly #reader: ReplyReader;
  readonly #messages: MessageReader | null;
  readonly #asText: boolean;
  /** Whether the sink is being called. */
  #calling = false;
  #failure: { error: unknown } | undefined;

  /**
   * A decoder at the beginning of a stream: make a new one for each connection.
   *
   * @param sink Gets the replies and pushes, synchronously, during `write`.
   * @param options How to read, and the limits.
   * @throws {RangeError} When a limit is no whole number or too small.
   */
  constructor(sink: DecoderSink, options: DecoderOptions = {}) {
    const limits = resolveLimits(options);
    this.#sink = sink;
    this.#asText = options.strings === "text";
    this.#reader = new ReplyReader(
      limits,
      this.#asText,
      options.arrayPushes ?? false,
      options.attributes !== "skip",
    );
    this.#messages = sink.message === undefined ? null : new MessageReader(limits);
  }

  /**
   * Whether an array at the top whose first element is `message`, `pmessage`, `smessage` or a
   * confirmation (`subscribe`, `unsubscribe` and their `p` and `s` kinds) is a push: so it is on a
   * RESP2 connection that has subscribed, and only there. A `pong` array stays a reply, because it
   * answers a PING in its turn. May be changed at any time, from within the sink too; it counts
   * when the head of an array is read.
   */
  get arrayPushes(): boolean {
    return this.#reader.arrayPushes;
  }
  set arrayPushes(value: boolean) {
    // What is carried over has begun under the old rule.
    if (this.#messages !== null && this.#messages.carried > 0) this.#replay(this.#messages);
    this.#reader.arrayPushes = value;
  }

  /** How many bytes of the stream have been read; within a call of the sink, up to what it got. */
  get offset(): number {
    return this.#reader.offset;
  }

  /**
   * Bytes that the incomplete reply takes, as they count against `maxHeldBytes`; 0 between replies.
   */
  get held(): number {
    return this.#reader.held + (this.#messages?.carried ?? 0);
  }

  /**
   * Reads what has come.
   *
   * @param chunk The next bytes of the stream, of any length. Not kept.
   * @throws {RespSyntaxError} When the bytes are no RESP.
   * @throws {RespLimitError} When a reply exceeds a limit.
   * @throws {Error} When called from within the sink.
   * @throws {TypeError} When the chunk is no bytes. The decoder does not fail for it.
   * @throws The sink's own error when the sink throws.
   */
  write(chunk: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#calling) throw new Error("Cannot write to the decoder from within its own sink");
    const reader = this.#reader;
    const bytes = plain(chunk);
    try {
      this.#read(bytes);
    } catch (error) {
      this.#failure = { error };
      reader.clear();
      throw error;
    } finally {
      reader.base += reader.pos;
      reader.pos = 0;
    }
  }

  #read(chunk: Uint8Array): void {
    const reader = this.#reader;
    const messages = this.#messages;
    if (messages !== null && messages.carried > 0) this.#readOn(chunk, messages);
    while (reader.pos < chunk.length) {
      if (messages !== null && reader.idle) this.#readMessages(chunk, messages);
      if (reader.read(chunk)) this.#deliver(reader.take(), reader.pushType);
    }
  }

  /** The straight path: all messages that follow one another. */
  #readMessages(chunk: Uint8Array, messages: MessageReader): void {
    // Constants of a module are loads, as in readMessageFrame.
    const PUSH = 62;
    const ARRAY = 42;
    const { frame, maxLength } = messages;
    const reader = this.#reader;
    const sink = this.#sink;
    const size = chunk.length;
    let start = reader.pos;
    let end = 0;
    this.#calling = true;
    while (start < size) {
      const type = chunk[start];
      if (type !== PUSH && !(type === ARRAY && reader.arrayPushes)) break;
      end = readMessageFrame(frame, chunk, start, size, maxLength);
      if (end < 0) break;
      reader.pos = start = end;
      sink.message!(frame);
    }
    this.#calling = false;
    if (end === CUT && messages.carry(chunk, start)) reader.pos = size;
  }

  /** The straight path of a message that the last chunk cut. */
  #readOn(chunk: Uint8Array, messages: MessageReader): void {
    const end = messages.readOn(chunk);
    if (end === OTHER) {
      this.#replay(messages);
    } else if (end === CUT) {
      this.#reader.pos = chunk.length;
    } else {
      this.#reader.pos = end;
      this.#calling = true;
      this.#sink.message!(messages.frame);
      this.#calling = false;
    }
  }

  /** Gives what the straight path carried over to the general path: the beginning of a reply. */
  #replay(messages: MessageReader): void {
    const reader = this.#reader;
    const bytes = messages.take();
    reader.base -= bytes.length;
    reader.read(bytes);
    reader.base += bytes.length;
    reader.pos = 0;
  }

  #deliver(reply: Reply, pushType: number): void {
    if (pushType === PUSH || (pushType === ARRAY && isArrayPush(reply))) {
      this.#deliverPush(reply as Reply[]);
    } else {
      const value = pushType !== 0 && this.#asText ? replyToText(reply) : reply;
      this.#calling = true;
      this.#sink.reply(value);
    }
    this.#calling = false;
  }

  #deliverPush(items: Reply[]): void {
    const messages = this.#messages;
    if (messages !== null && layMessageFrame(messages.frame, items)) {
      this.#calling = true;
      this.#sink.message!(messages.frame);
    } else {
      const value = this.#asText ? replyToText(items) as Reply[] : items;
      this.#calling = true;
      this.#sink.push(value);
    }
  }
}

/**
 * The same bytes as a plain Uint8Array: a subclass may slice into a view of the same memory, and one
 * kind of array keeps the code that reads it fast.
 */
function plain(chunk: Uint8Array): Uint8Array {
  if (chunk?.constructor === Uint8Array) return chunk;
  if (!ArrayBuffer.isView(chunk)) {
    throw new TypeError(`Cannot read a chunk of type ${typeof chunk}: it must be a Uint8Array`);
  }
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

function isArrayPush(reply: Reply): boolean {
  const kind = Array.isArray(reply) ? bytesOf(reply[0]) : null;
  return kind !== null && ARRAY_PUSHES.has(decodeText(kind));
}
