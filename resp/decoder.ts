import { ByteBuffer } from "./byte_buffer.ts";
import { RespLimitError, RespSyntaxError, ServerError } from "./errors.ts";
import { type DecoderLimits, resolveLimits } from "./limits.ts";
import { layMessageFrame, type MessageFrame, readMessageFrame } from "./message_frame.ts";
import { parseBigNumber, parseDouble, parseInteger, parseLength } from "./numbers.ts";
import { replyToText } from "./reply_to_text.ts";
import { decodeText } from "./text.ts";
import { Attributed, type Reply, RespMap, RespSet, VerbatimString } from "./types.ts";
import { unexpected } from "./unexpected.ts";
import * as wire from "./wire.ts";

const { CR, LF, ZERO } = wire;
const COLON = 58;
const TRUE = 116;
const FALSE = 102;

/** Where a decoder puts what it has read. */
export interface DecoderSink {
  /** A whole reply, in the order of the wire. */
  reply(reply: Reply): void;
  /** An out-of-band push: its items; the first names its kind. */
  push(items: Reply[]): void;
  /**
   * A pub/sub `message` or `pmessage`, without a value being made of it. Every such frame comes
   * here and none to `push`; without this method they go to `push` as all others.
   */
  message?(frame: MessageFrame): void;
}

/** How a decoder reads. */
export interface DecoderOptions extends DecoderLimits {
  /**
   * What bulk strings and the values of verbatim strings become. Default `"bytes"`. As text, bytes
   * that are not UTF-8 become U+FFFD.
   */
  strings?: "bytes" | "text";
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

/** Flat charges against maxHeldBytes: what a value takes beside its bytes, roughly. */
const VALUE_COST = 64;
const ERROR_COST = 1024;
const MESSAGE_COST = 5 * VALUE_COST;

/** A length with more digits is left to the exact path. */
const FAST_DIGITS = 9;

/** An aggregate that still awaits elements. */
interface Open {
  type: number;
  items: Reply[];
  /** Elements awaited; below zero in a streamed aggregate: -1 less what has come. */
  remaining: number;
  /** Read already, when the element awaited is the reply they belong to. */
  attributes: RespMap | null;
}

/**
 * Reads RESP2 and RESP3 as it comes, in chunks cut anywhere.
 *
 * Nothing it gives out shares memory with a chunk, so a chunk may be used again once `write` has
 * returned; only a {@linkcode MessageFrame} is a view, valid during its call.
 *
 * Bytes that are no RESP and replies beyond a limit throw. The decoder then stays failed: every
 * further `write` throws the same error, because the place of the next reply is lost.
 *
 * What a sink throws comes out of `write` and does no harm: the decoder first reads the chunk to
 * its end, giving the sink everything in it, and then throws what the sink threw first.
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
  /**
   * Whether an array at the top whose first element is `message`, `pmessage`, `smessage` or a
   * confirmation (`subscribe`, `unsubscribe` and their `p` and `s` kinds) is a push: so it is on a
   * RESP2 connection that has subscribed, and only there. A `pong` array stays a reply, because it
   * answers a PING in its turn. May be changed at any time, from within the sink too; it counts
   * when the head of an array is read.
   */
  arrayPushes: boolean;

  readonly #sink: DecoderSink;
  readonly #limits: Required<DecoderLimits>;
  readonly #frame: MessageFrame | null;
  readonly #asText: boolean;

  /** Place in the stream of the first byte of the current chunk. */
  #base = 0;
  /** Place in the chunk after all that was read. Set before the sink is called. */
  #pos = 0;
  #calling = false;
  #failure: Error | undefined;

  /** Open aggregates, the outermost first. */
  readonly #stack: Open[] = [];
  #held = 0;
  /**
   * Type of the aggregate being read if it is a push or may turn out to be one, else 0. Its strings
   * stay bytes till that is known, because the parts of a message frame are bytes.
   */
  #pushing = 0;
  #text: boolean;

  /** A line that is cut, its type included. */
  readonly #line: ByteBuffer = new ByteBuffer();
  #lineEnding = false;

  /** Type of the bulk whose bytes are awaited, or 0. */
  #bulkType = 0;
  #bulkMissing = 0;
  readonly #bulk: ByteBuffer = new ByteBuffer();
  #bulkEnding = false;
  /** Inside a streamed string. */
  #streaming = false;
  readonly #stream: ByteBuffer = new ByteBuffer();

  /**
   * A decoder at the beginning of a stream: make a new one for each connection.
   *
   * @param sink Gets the replies and pushes, synchronously, during `write`.
   * @param options How to read, and the limits.
   * @throws {RangeError} When a limit is no whole number or less than 1.
   */
  constructor(sink: DecoderSink, options: DecoderOptions = {}) {
    this.#sink = sink;
    this.#limits = resolveLimits(options);
    this.#asText = options.strings === "text";
    this.#text = this.#asText;
    this.arrayPushes = options.arrayPushes ?? false;
    this.#frame = sink.message === undefined ? null : {
      bytes: new Uint8Array(0),
      patternStart: -1,
      patternEnd: -1,
      channelStart: 0,
      channelEnd: 0,
      payloadStart: 0,
      payloadEnd: 0,
    };
  }

  /** How many bytes of the stream have been read; within a call of the sink, up to what it got. */
  get offset(): number {
    return this.#base + this.#pos;
  }

  /**
   * Reads what has come.
   *
   * @param chunk The next bytes of the stream, of any length. Not kept.
   * @throws {RespSyntaxError} When the bytes are no RESP.
   * @throws {RespLimitError} When a reply exceeds a limit.
   * @throws {Error} When called from within the sink.
   */
  write(chunk: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#calling) throw new Error("Cannot write to the decoder from within its own sink");
    this.#pos = 0;
    let thrown: { error: unknown } | undefined;
    while (this.#pos < chunk.length) {
      try {
        this.#read(chunk);
      } catch (error) {
        if (!this.#calling) throw this.#fail(error as Error);
        this.#calling = false;
        thrown ??= { error };
      }
    }
    this.#base += chunk.length;
    this.#pos = 0;
    if (thrown !== undefined) throw thrown.error;
  }

  #fail(error: Error): Error {
    this.#failure = error;
    this.#stack.length = 0;
    this.#line.clear();
    this.#bulk.clear();
    this.#stream.clear();
    return error;
  }

  #read(chunk: Uint8Array): void {
    while (this.#pos < chunk.length) {
      if (this.#bulkType !== 0) {
        this.#readBulk(chunk);
      } else if (this.#line.length > 0) {
        this.#continueLine(chunk);
      } else if (!this.#readMessage(chunk) && !this.#readWholeBulk(chunk)) {
        this.#readLine(chunk);
      }
    }
  }

  /** The straight path of messages: whether one was read. */
  #readMessage(chunk: Uint8Array): boolean {
    const frame = this.#frame;
    if (frame === null || this.#stack.length > 0 || this.#streaming) return false;
    const start = this.#pos;
    const type = chunk[start];
    if (type !== wire.PUSH && !(type === wire.ARRAY && this.arrayPushes)) return false;
    const { maxBulkLength, maxHeldBytes } = this.#limits;
    const end = readMessageFrame(frame, chunk, start, maxBulkLength);
    if (end < 0 || end - start + MESSAGE_COST > maxHeldBytes) return false;
    this.#pos = end;
    this.#calling = true;
    this.#sink.message!(frame);
    this.#calling = false;
    return true;
  }

  /** The straight path of bulk strings: whether one was read. */
  #readWholeBulk(chunk: Uint8Array): boolean {
    const start = this.#pos;
    if (chunk[start] !== wire.BULK_STRING || this.#streaming) return false;
    let at = start + 1;
    let length = 0;
    for (; at < chunk.length; at++) {
      const digit = chunk[at]! - ZERO;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    const digits = at - start - 1;
    if (digits === 0 || digits > FAST_DIGITS) return false;
    const body = at + 2;
    const end = body + length;
    const held = this.#held + length + VALUE_COST;
    if (
      end + 2 > chunk.length || chunk[at] !== CR || chunk[at + 1] !== LF ||
      chunk[end] !== CR || chunk[end + 1] !== LF ||
      digits > this.#limits.maxLineLength || length > this.#limits.maxBulkLength ||
      held > this.#limits.maxHeldBytes
    ) return false;
    this.#held = held;
    this.#pos = end + 2;
    this.#complete(this.#text ? decodeText(chunk, body, end) : copy(chunk, body, end));
    return true;
  }

  /** Begins a line, and ends it if it lies whole in the chunk. */
  #readLine(chunk: Uint8Array): void {
    const start = this.#pos;
    this.#checkType(chunk[start]!, this.offset);
    const at = this.#findLineEnd(chunk, start + 1, 0);
    if (at + 1 >= chunk.length) {
      this.#line.append(chunk, start, chunk.length, 0);
      this.#lineEnding = at < chunk.length;
      this.#pos = chunk.length;
      return;
    }
    this.#checkLf(chunk, at + 1);
    this.#pos = at + 2;
    this.#endLine(chunk, start, at, this.#base + start);
  }

  #continueLine(chunk: Uint8Array): void {
    const start = this.#pos;
    if (!this.#lineEnding) {
      const at = this.#findLineEnd(chunk, start, this.#line.length - 1);
      this.#lineEnding = at < chunk.length;
      this.#pos = this.#lineEnding ? at + 1 : at;
      this.#line.append(chunk, start, this.#pos, 0);
      return;
    }
    this.#checkLf(chunk, start);
    const line = this.#line.take();
    this.#lineEnding = false;
    this.#pos = start + 1;
    this.#endLine(line, 0, line.length - 1, this.#base + start - line.length);
  }

  /**
   * The place of the CR that ends a line, or the end of the chunk.
   *
   * @param seen How many bytes of the line were searched before: none is searched twice.
   */
  #findLineEnd(chunk: Uint8Array, start: number, seen: number): number {
    const { maxLineLength } = this.#limits;
    const most = start + maxLineLength - seen;
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === CR) return at;
      if (byte === LF) throw unexpected(LF, this.#base + at, "CR LF");
      if (at === most) {
        throw new RespLimitError("maxLineLength", maxLineLength, this.#base + at);
      }
    }
    return chunk.length;
  }

  #checkLf(chunk: Uint8Array, at: number): void {
    if (chunk[at] !== LF) throw unexpected(chunk[at]!, this.#base + at, "LF after CR");
  }

  /** Whether something of this type may stand here. */
  #checkType(type: number, offset: number): void {
    if (this.#streaming) {
      if (type === wire.STREAM_PART) return;
      throw unexpected(type, offset, "a part of a streamed string");
    }
    if (!wire.isType(type) || type === wire.STREAM_PART) {
      throw unexpected(type, offset, "the type of a reply");
    }
    if (type === wire.PUSH && this.#stack.length > 0) {
      throw unexpected(type, offset, "an element, because a push stands between replies");
    }
    if (type === wire.STREAM_END) {
      const top = this.#stack.at(-1);
      if (top === undefined || top.remaining >= 0) {
        throw unexpected(type, offset, "the type of a reply");
      }
      if (top.type === wire.MAP && top.items.length % 2 === 1) {
        throw unexpected(type, offset, "the value of the last key");
      }
    }
  }

  /**
   * Makes of a line what it says.
   *
   * @param bytes Holds it, and the CR after it.
   * @param start Where its type stands.
   * @param end Where the CR stands.
   * @param offset Place of the type in the stream.
   */
  #endLine(bytes: Uint8Array, start: number, end: number, offset: number): void {
    const type = bytes[start]!;
    const from = start + 1;
    this.#hold(VALUE_COST, offset);
    switch (type) {
      case wire.SIMPLE_STRING:
        this.#hold(end - from, offset);
        return this.#complete(decodeText(bytes, from, end));
      case wire.SIMPLE_ERROR:
        this.#hold(end - from + ERROR_COST, offset);
        return this.#complete(new ServerError(decodeText(bytes, from, end)));
      case wire.INTEGER:
        return this.#complete(parseInteger(bytes, from, end, offset + 1));
      case wire.DOUBLE:
        return this.#complete(parseDouble(bytes, from, end, offset + 1));
      case wire.BIG_NUMBER:
        this.#hold(end - from, offset);
        return this.#complete(parseBigNumber(bytes, from, end, offset + 1));
      case wire.BOOLEAN:
        return this.#complete(parseBoolean(bytes, from, end, offset + 1));
      case wire.NULL:
        if (from < end) throw unexpected(bytes[from]!, offset + 1, "CR LF");
        return this.#complete(null);
      case wire.STREAM_END:
        if (from < end) throw unexpected(bytes[from]!, offset + 1, "CR LF");
        return this.#closeAndComplete();
      case wire.BULK_STRING:
      case wire.BULK_ERROR:
      case wire.VERBATIM_STRING:
      case wire.STREAM_PART:
        return this.#announceBulk(type, bytes, from, end, offset);
      default:
        return this.#announceAggregate(type, bytes, from, end, offset);
    }
  }

  #announceBulk(type: number, bytes: Uint8Array, from: number, end: number, offset: number): void {
    if (type === wire.BULK_STRING) {
      if (isNull(bytes, from, end)) return this.#complete(null);
      if (isStreamed(bytes, from, end)) {
        this.#streaming = true;
        return;
      }
    }
    const length = parseLength(bytes, from, end, offset + 1);
    if (this.#stream.length + length > this.#limits.maxBulkLength) {
      throw new RespLimitError("maxBulkLength", this.#limits.maxBulkLength, offset);
    }
    if (type === wire.VERBATIM_STRING && length < 4) {
      throw new RespSyntaxError(offset + 1, `a length of ${length}`, "at least 4, for a format");
    }
    if (type === wire.STREAM_PART && length === 0) {
      this.#streaming = false;
      const string = this.#stream.take();
      return this.#complete(this.#text ? decodeText(string) : string);
    }
    this.#hold(type === wire.BULK_ERROR ? length + ERROR_COST : length, offset);
    this.#bulkType = type;
    this.#bulkMissing = length;
  }

  #announceAggregate(
    type: number,
    bytes: Uint8Array,
    from: number,
    end: number,
    offset: number,
  ): void {
    if (type === wire.ARRAY && isNull(bytes, from, end)) return this.#complete(null);
    const streamed = type !== wire.PUSH && type !== wire.ATTRIBUTE &&
      isStreamed(bytes, from, end);
    const announced = streamed ? 0 : parseLength(bytes, from, end, offset + 1);
    const count = type === wire.MAP || type === wire.ATTRIBUTE ? announced * 2 : announced;
    if (count > this.#limits.maxElements) {
      throw new RespLimitError("maxElements", this.#limits.maxElements, offset);
    }
    const depth = this.#stack.length;
    if (depth === this.#limits.maxDepth) {
      throw new RespLimitError("maxDepth", this.#limits.maxDepth, offset);
    }
    if (type === wire.PUSH && count === 0) {
      throw new RespSyntaxError(offset + 1, "a push of nothing", "at least its kind");
    }
    if (depth === 0) {
      const pushing = type === wire.PUSH || (type === wire.ARRAY && this.arrayPushes);
      this.#pushing = pushing ? type : 0;
      this.#text = this.#asText && !pushing;
    }
    this.#stack.push({ type, items: [], remaining: streamed ? -1 : count, attributes: null });
    if (count === 0 && !streamed) this.#closeAndComplete();
  }

  /** Reads bytes of the bulk that was announced, and what ends it. */
  #readBulk(chunk: Uint8Array): void {
    const start = this.#pos;
    if (this.#bulkMissing > 0) {
      const end = Math.min(chunk.length, start + this.#bulkMissing);
      const target = this.#bulkType === wire.STREAM_PART ? this.#stream : this.#bulk;
      target.append(chunk, start, end, this.#bulkMissing);
      this.#bulkMissing -= end - start;
      this.#pos = end;
    } else if (!this.#bulkEnding) {
      if (chunk[start] !== CR) {
        throw unexpected(chunk[start]!, this.offset, "CR LF after a bulk");
      }
      this.#bulkEnding = true;
      this.#pos = start + 1;
    } else {
      this.#checkLf(chunk, start);
      this.#bulkEnding = false;
      this.#pos = start + 1;
      this.#endBulk();
    }
  }

  #endBulk(): void {
    const type = this.#bulkType;
    this.#bulkType = 0;
    if (type === wire.STREAM_PART) return;
    const bytes = this.#bulk.take();
    if (type === wire.BULK_STRING) {
      this.#complete(this.#text ? decodeText(bytes) : bytes);
    } else if (type === wire.BULK_ERROR) {
      this.#complete(new ServerError(decodeText(bytes)));
    } else {
      const colon = bytes[3]!;
      if (colon !== COLON) {
        throw unexpected(colon, this.offset - bytes.length + 1, "a colon after the format");
      }
      const value = this.#text ? decodeText(bytes, 4) : bytes.slice(4);
      this.#complete(new VerbatimString(decodeText(bytes, 0, 3), value));
    }
  }

  /** Charges what is about to be held for the reply. */
  #hold(bytes: number, offset: number): void {
    this.#held += bytes;
    if (this.#held > this.#limits.maxHeldBytes) {
      throw new RespLimitError("maxHeldBytes", this.#limits.maxHeldBytes, offset);
    }
  }

  /** Puts a value where it belongs: into the innermost aggregate, which it may end, or out. */
  #complete(value: Reply): void {
    let whole = value;
    for (let top = this.#stack.at(-1); top !== undefined; top = this.#stack.at(-1)) {
      top.items.push(whole);
      top.remaining--;
      if (top.remaining > 0) return;
      if (top.remaining < 0) return this.#checkStreamed(top);
      const closed = this.#close(top);
      if (closed === undefined) return;
      whole = closed;
    }
    this.#deliver(whole);
  }

  #closeAndComplete(): void {
    const closed = this.#close(this.#stack.at(-1)!);
    if (closed !== undefined) this.#complete(closed);
  }

  /** The value of an aggregate that has all its elements; `undefined` for attributes, which stay. */
  #close(top: Open): Reply | undefined {
    if (top.type === wire.ATTRIBUTE && top.attributes === null) {
      top.attributes = new RespMap(top.items);
      top.items = [];
      top.remaining = 1;
      return undefined;
    }
    this.#stack.pop();
    if (top.attributes !== null) return new Attributed(top.attributes, top.items[0]!);
    if (top.type === wire.MAP) return new RespMap(top.items);
    if (top.type === wire.SET) return new RespSet(top.items);
    return top.items;
  }

  #checkStreamed(top: Open): void {
    if (top.items.length > this.#limits.maxElements) {
      throw new RespLimitError("maxElements", this.#limits.maxElements, this.offset);
    }
  }

  /** Hands a whole reply or push to the sink. */
  #deliver(value: Reply): void {
    const pushing = this.#pushing;
    this.#held = 0;
    this.#pushing = 0;
    this.#text = this.#asText;
    if (pushing === 0) {
      this.#calling = true;
      this.#sink.reply(value);
    } else {
      const items = value as Reply[];
      if (pushing === wire.PUSH || isArrayPush(items)) this.#deliverPush(items);
      else {
        this.#calling = true;
        this.#sink.reply(this.#asText ? replyToText(items) : items);
      }
    }
    this.#calling = false;
  }

  #deliverPush(items: Reply[]): void {
    const frame = this.#frame;
    if (frame !== null && layMessageFrame(frame, items)) {
      this.#calling = true;
      this.#sink.message!(frame);
    } else {
      this.#calling = true;
      this.#sink.push(this.#asText ? replyToText(items) as Reply[] : items);
    }
  }
}

function isArrayPush(items: Reply[]): boolean {
  const kind = items[0];
  return kind instanceof Uint8Array && ARRAY_PUSHES.has(decodeText(kind));
}

function parseBoolean(bytes: Uint8Array, from: number, end: number, offset: number): boolean {
  const byte = bytes[from]!;
  if (byte !== TRUE && byte !== FALSE) throw unexpected(byte, offset, "t or f");
  if (from + 1 < end) throw unexpected(bytes[from + 1]!, offset + 1, "CR LF");
  return byte === TRUE;
}

function copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const own = new Uint8Array(end - start);
  own.set(bytes.subarray(start, end));
  return own;
}

function isNull(bytes: Uint8Array, from: number, end: number): boolean {
  return end - from === 2 && bytes[from] === wire.MINUS && bytes[from + 1] === ZERO + 1;
}

function isStreamed(bytes: Uint8Array, from: number, end: number): boolean {
  return end - from === 1 && bytes[from] === wire.QUESTION;
}
