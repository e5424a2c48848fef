import {
  AGGREGATE_COST,
  BYTES_COST,
  type DecoderLimits,
  ERROR_COST,
  MAX_TEXT,
  resolveLimits,
  SCALAR_COST,
  TEXT_COST,
} from "./limits.ts";
import { makeServerError, RespLimitError, RespSyntaxError, ServerError } from "./errors.ts";
import { InputBuffer, join } from "./input_buffer.ts";
import {
  bytesOf,
  contentLength,
  contentStart,
  CUT,
  emptyMessageFrame,
  layMessageFrame,
  type MessageFrame,
  readBulkHead,
  readMessageFrame,
} from "./message_frame.ts";
import { replyToText } from "./reply_to_text.ts";
import {
  isMinusOne,
  type Line,
  parseBigNumber,
  parseBoolean,
  parseDouble,
  parseInteger,
  parseLength,
  requireEnd,
  unexpected,
} from "./scalars.ts";
import { decodeText, makeText } from "../bytes/text.ts";
import { Attributed, type Reply, RespMap, RespSet, VerbatimString } from "./types.ts";
import { viewOf } from "../bytes/view.ts";

const CR = 13;
const LF = 10;
const QUESTION = 63;
const COLON = 58;

// The type bytes of RESP.
const SIMPLE_STRING = 43; // +
const SIMPLE_ERROR = 45; // -
const INTEGER = 58; // :
const BULK_STRING = 36; // $
const ARRAY = 42; // *
const NULL = 95; // _
const BOOLEAN = 35; // #
const DOUBLE = 44; // ,
const BIG_NUMBER = 40; // (
const BULK_ERROR = 33; // !
const VERBATIM_STRING = 61; // =
const MAP = 37; // %
const SET = 126; // ~
const PUSH = 62; // >
const ATTRIBUTE = 124; // |
const STREAM_PART = 59; // ;
const STREAM_END = 46; // .

/** Which bytes are the type of a reply. */
const isType: readonly boolean[] = /* @__PURE__ */ Array.from(
  { length: 256 },
  (_, byte) => "+-:$*_#,(!=%~>|.".includes(String.fromCharCode(byte)),
);

/** How many elements of a reply have places before they arrive; that halves the time of large ones. */
const MAX_PLACES = 2 ** 18;

/** A streamed string has parts until it ends. */
const UNLIMITED = 2 ** 30 - 1;

/** Strings of up to this length share blocks: a buffer for each would take four times as long. */
const SMALL = 64;

/** The length of such a block, which a string that is kept keeps alive. */
const BLOCK = 1024;

/** The longest message that waits for its rest as a message, in bytes. */
const LONGEST_CUT = 4096;

/** How many bytes of a chunk are added to a cut message first; most messages need no more. */
const FIRST_TRY = 96;

/** This many bytes of a text are collected before they become text, because every part costs memory. */
const TEXT_PART = 2 ** 15;

const NONE = /* @__PURE__ */ new Uint8Array(0);

/** An aggregate that awaits elements. */
interface Open {
  /** Its type; `STREAM_PART` for a streamed string. */
  readonly type: number;
  /** The aggregate around it. */
  readonly outer: Open | null;
  /** Whether nothing is around it except attributes that wait for their reply. */
  readonly isOutermost: boolean;
  /** Whether its end is not known in advance; `remaining` then counts down from the limit. */
  readonly isStreamed: boolean;
  items: Reply[];
  /** How many of the items have arrived; those after them are empty places. */
  filled: number;
  remaining: number;
  /** Attributes that are complete, if the one element awaited is the reply they belong to. */
  attributes: RespMap | null;
}

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
const ARRAY_PUSHES: ReadonlySet<string> = /* @__PURE__ */ new Set([
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
  readonly #limits: Required<DecoderLimits>;
  readonly #asText: boolean;
  readonly #keepsAttributes: boolean;
  /** Of a bulk string. */
  readonly #maxBulkLength: number;
  /** Messages with a longer part are read as any reply; all are, if it is negative. */
  readonly #maxMessageLength: number;
  readonly #frame: MessageFrame = emptyMessageFrame();
  #arrayPushes: boolean;

  /** The place in the stream of the first byte of the chunk. */
  #base = 0;
  /** The place in the chunk of the next byte. */
  #pos = 0;
  /** What earlier chunks have of a message, of a line or of the content of a bulk. */
  readonly #buffer: InputBuffer = new InputBuffer();
  /** Whether that is the beginning of a message. */
  #isMessageCut = false;
  /** Small strings are copied into it, and how much of it is used. */
  #block: Uint8Array = NONE;
  #blockUsed = 0;
  /** The line that was read last. */
  readonly #line: Line = { bytes: NONE, start: 0, end: 0, offset: 0 };
  /** The type of the bulk whose content is awaited, or 0. */
  #bulkType = 0;
  /** How many bytes of that bulk are missing, including CR LF. */
  #missing = 0;
  /** What of that bulk is text already. */
  #text = "";
  /** How long the open streamed string is. */
  #streamedLength = 0;

  /** The top of the stack: the innermost open aggregate. */
  #open: Open | null = null;
  #depth = 0;
  /** The type of the outermost aggregate if it is a push or may turn out to be one, otherwise 0. */
  #pushType = 0;
  #held = 0;
  /** What was held before the open push. */
  #heldBefore = 0;
  /** How many places may still be made for this reply. */
  #places: number;
  readonly #maxPlaces: number;

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
    const { maxBulkLength, maxElements, maxHeldBytes } = limits;
    this.#sink = sink;
    this.#limits = limits;
    this.#asText = options.strings === "text";
    this.#keepsAttributes = options.attributes !== "skip";
    this.#arrayPushes = options.arrayPushes ?? false;
    this.#maxBulkLength = this.#asText ? Math.min(maxBulkLength, MAX_TEXT) : maxBulkLength;
    // A `pmessage` has four elements, and its three long ones share what may be held.
    const most = Math.floor((maxHeldBytes - AGGREGATE_COST - 4 * BYTES_COST - 8) / 3);
    const isRead = sink.message !== undefined && maxElements >= 4 && maxBulkLength >= 8;
    this.#maxMessageLength = isRead ? Math.min(maxBulkLength, most) : -1;
    this.#maxPlaces = Math.min(MAX_PLACES, Math.floor(maxHeldBytes / SCALAR_COST));
    this.#places = this.#maxPlaces;
  }

  /**
   * Whether an array at the top whose first element is `message`, `pmessage`, `smessage` or a
   * confirmation (`subscribe`, `unsubscribe` and their `p` and `s` kinds) is a push: so it is on a
   * RESP2 connection that has subscribed, and only there. A `pong` array stays a reply, because it
   * answers a PING in its turn. May be changed at any time, from within the sink too; it counts
   * when the head of an array is read.
   */
  get arrayPushes(): boolean {
    return this.#arrayPushes;
  }
  set arrayPushes(value: boolean) {
    // A message that is cut has begun under the old rule.
    if (this.#isMessageCut) this.#readAsReply(this.#buffer.length);
    this.#arrayPushes = value;
  }

  /** How many bytes of the stream have been read; within a call of the sink, up to what it got. */
  get offset(): number {
    return this.#base + this.#pos;
  }

  /**
   * Bytes that the incomplete reply takes, as they count against `maxHeldBytes`; 0 between replies.
   */
  get held(): number {
    return this.#held + (this.#bulkType === 0 ? this.#buffer.length : 0);
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
    const bytes = plain(chunk);
    try {
      if (this.#isMessageCut) this.#continueMessage(bytes);
      while (this.#pos < bytes.length) {
        if (this.#open === null && this.#bulkType === 0 && this.#buffer.length === 0) {
          this.#readMessages(bytes);
        }
        this.#readReply(bytes);
      }
    } catch (error) {
      this.#failure = { error };
      this.#open = null;
      this.#text = "";
      this.#buffer.clear();
      throw error;
    } finally {
      this.#base += this.#pos;
      this.#pos = 0;
      // It would keep the chunk alive.
      this.#line.bytes = NONE;
    }
  }

  /** Reads all messages that follow one another. */
  #readMessages(chunk: Uint8Array): void {
    // Constants of a module are loads, as in readMessageFrame.
    const PUSH = 62;
    const ARRAY = 42;
    const frame = this.#frame;
    const maxLength = this.#maxMessageLength;
    const sink = this.#sink;
    const size = chunk.length;
    if (maxLength < 0) return;
    let start = this.#pos;
    let end = 0;
    this.#calling = true;
    while (start < size) {
      const type = chunk[start];
      if (type !== PUSH && !(type === ARRAY && this.#arrayPushes)) break;
      end = readMessageFrame(frame, chunk, start, size, maxLength);
      if (end < 0) break;
      this.#pos = start = end;
      sink.message!(frame);
    }
    this.#calling = false;
    if (end === CUT && size - start <= LONGEST_CUT / 2) {
      this.#buffer.append(chunk, start, size);
      this.#isMessageCut = true;
      this.#pos = size;
    }
  }

  /** Reads on in a message that was cut; only as much of the chunk is copied as that takes. */
  #continueMessage(chunk: Uint8Array): void {
    const buffer = this.#buffer;
    const before = buffer.length;
    const most = Math.min(chunk.length, LONGEST_CUT - before);
    let end = CUT;
    for (let from = 0; end === CUT && from < most;) {
      const to = Math.min(most, from === 0 ? FIRST_TRY : from * 4);
      buffer.append(chunk, from, to);
      end = readMessageFrame(this.#frame, buffer.bytes, 0, before + to, this.#maxMessageLength);
      from = to;
    }
    if (end === CUT && most === chunk.length) {
      this.#pos = most;
    } else if (end < 0) {
      this.#readAsReply(before);
    } else {
      this.#isMessageCut = false;
      buffer.clear();
      this.#pos = end - before;
      this.#calling = true;
      this.#sink.message!(this.#frame);
      this.#calling = false;
    }
  }

  /** Reads the first `length` bytes of what looked like a message, and of the buffer, as a reply. */
  #readAsReply(length: number): void {
    const bytes = this.#buffer.bytes.slice(0, length);
    this.#buffer.clear();
    this.#isMessageCut = false;
    this.#base -= length;
    this.#readReply(bytes);
    this.#base += length;
    this.#pos = 0;
  }

  /** Reads until a reply or a push is complete and delivered, or the chunk ends. */
  #readReply(chunk: Uint8Array): void {
    let isDelivered = false;
    while (!isDelivered && this.#pos < chunk.length) {
      isDelivered = this.#bulkType !== 0
        ? this.#readBulk(chunk)
        : chunk[this.#pos] === BULK_STRING && this.#buffer.length === 0
        ? this.#readBulks(chunk)
        : this.#readLine(chunk);
    }
  }

  // Each of these reads at least one byte and returns whether a reply or a push was delivered.

  /** Reads bulk strings that lie completely in the chunk, then the next thing as a line. */
  #readBulks(chunk: Uint8Array): boolean {
    // Constants of a module are loads.
    const DOLLAR = 36;
    const CR_LF = 0x0a0d;
    const maxBulkLength = this.#maxBulkLength;
    const size = chunk.length;
    const isText = this.#isText;
    const cost = isText ? TEXT_COST : BYTES_COST;
    const words = viewOf(chunk);
    let open = this.#open;
    let pos = this.#pos;
    if (open !== null && open.type === STREAM_PART) return this.#readLine(chunk);
    while (pos < size && chunk[pos] === DOLLAR) {
      const head = readBulkHead(chunk, words, pos, size);
      if (head < 0) break;
      const length = contentLength(head);
      const from = contentStart(pos, head);
      const to = from + length;
      if (
        to + 1 >= size || words.getInt16(to, true) !== CR_LF || length > maxBulkLength ||
        this.#held + length + cost > this.#limits.maxHeldBytes
      ) break;
      this.#held += length + cost;
      this.#pos = pos = to + 2;
      let value: Uint8Array | string;
      if (isText) {
        // Names of fields come again and again, most values do not.
        const isName = open !== null && open.type === MAP && open.filled % 2 === 0;
        value = isName ? decodeText(chunk, from, to) : makeText(chunk, from, to);
      } else if (open === null || length > SMALL) {
        value = chunk.slice(from, to);
      } else {
        value = this.#copySmall(chunk, from, to);
      }
      if (open !== null && open.remaining > 1) {
        open.items[open.filled++] = value;
        open.remaining--;
      } else {
        if (this.#put(value, this.#base + pos)) return true;
        open = this.#open;
      }
    }
    return pos < size && this.#readLine(chunk);
  }

  #copySmall(chunk: Uint8Array, start: number, end: number): Uint8Array {
    const length = end - start;
    if (length > this.#block.length - this.#blockUsed) {
      this.#block = new Uint8Array(BLOCK);
      this.#blockUsed = 0;
    }
    const block = this.#block;
    const used = this.#blockUsed;
    for (let i = 0; i < length; i++) block[used + i] = chunk[start + i]!;
    this.#blockUsed = used + length;
    return block.subarray(used, used + length);
  }

  #readLine(chunk: Uint8Array): boolean {
    const line = this.#buffer;
    const { maxLineLength } = this.#limits;
    const start = this.#pos;
    const size = chunk.length;
    const before = line.length;
    let at = start;
    if (before === 0) this.#checkType(chunk[at++]!);
    let isEnding = before > 0 && line.bytes[before - 1] === CR;
    const most = start - before + 1 + maxLineLength;
    for (; !isEnding && at < size; at++) {
      const byte = chunk[at];
      if (byte === CR) isEnding = true;
      else if (byte === LF) throw unexpected(LF, this.#base + at, "CR LF");
      else if (at === most) {
        throw new RespLimitError("maxLineLength", maxLineLength, this.#base + at);
      }
    }
    this.#pos = at;
    if (!isEnding || at === size) {
      line.append(chunk, start, at);
      return false;
    }
    this.#expect(chunk, LF, "LF after CR");
    const whole = this.#line;
    whole.bytes = chunk;
    whole.start = start + 1;
    whole.end = at - 1;
    if (before > 0) {
      line.append(chunk, start, this.#pos);
      whole.bytes = line.take();
      whole.start = 1;
      whole.end = whole.bytes.length - 2;
    }
    whole.offset = this.#base + start - before;
    return this.#endLine(whole.bytes[whole.start - 1]!, whole);
  }

  /** Reads the content of the bulk that was announced, and the CR LF after it. */
  #readBulk(chunk: Uint8Array): boolean {
    const start = this.#pos;
    const content = this.#missing - 2;
    if (content > 0) {
      this.#pos = Math.min(chunk.length, start + content);
      if (this.#bulkType === BULK_STRING && this.#isText) this.#addText(chunk, start, this.#pos);
      else this.#buffer.append(chunk, start, this.#pos, content);
      this.#missing -= this.#pos - start;
    } else {
      const isCr = content === 0;
      this.#expect(chunk, isCr ? CR : LF, isCr ? "CR LF after a bulk" : "LF after CR");
      this.#missing--;
    }
    return this.#missing === 0 && this.#endBulk();
  }

  #expect(chunk: Uint8Array, byte: number, what: string): void {
    const found = chunk[this.#pos]!;
    if (found !== byte) throw unexpected(found, this.offset, what);
    this.#pos++;
  }

  /** Makes text of a bulk as it arrives, so that its bytes are never all held. */
  #addText(chunk: Uint8Array, start: number, end: number): void {
    const rest = this.#buffer;
    if (rest.length + end - start < TEXT_PART) return rest.append(chunk, start, end);
    // The character that the rest ends with may go on here, by three bytes at most.
    let from = start;
    while (from < end && from < start + 3 && (chunk[from]! & 0xc0) === 0x80) from++;
    rest.append(chunk, start, from);
    if (from === end) return;
    this.#text += makeText(rest.bytes, 0, rest.length);
    rest.clear();
    // The last character may be cut. After more than three such bytes it is not one character.
    let last = Math.max(from, end - 1);
    while (last > from && last > end - 4 && (chunk[last]! & 0xc0) === 0x80) last--;
    const to = chunk[last]! >= 0xc0 ? last : end;
    this.#text += makeText(chunk, from, to);
    rest.append(chunk, to, end);
  }

  /** Throws if nothing of this type may stand here. */
  #checkType(type: number): void {
    const open = this.#open;
    let expected = "";
    if (open !== null && open.type === STREAM_PART) {
      if (type !== STREAM_PART) expected = "a part of a streamed string";
    } else if (!isType[type]) {
      expected = "the type of a reply";
    } else if (type === STREAM_END) {
      if (open === null || !open.isStreamed) expected = "the type of a reply";
      else if (open.type === MAP && open.filled % 2 === 1) expected = "the value of the last key";
    } else if (type === PUSH && !this.#isOutermost) {
      expected = "an element, because a push stands between replies";
    }
    if (expected !== "") throw unexpected(type, this.offset, expected);
  }

  /** Acts on a line. */
  #endLine(type: number, line: Line): boolean {
    switch (type) {
      case SIMPLE_STRING:
        return this.#putScalar(decodeText(line.bytes, line.start, line.end));
      case SIMPLE_ERROR:
        return this.#putScalar(makeServerError(decodeText(line.bytes, line.start, line.end)));
      case INTEGER:
        return this.#putScalar(parseInteger(line));
      case DOUBLE:
        return this.#putScalar(parseDouble(line));
      case BIG_NUMBER:
        return this.#putScalar(parseBigNumber(line));
      case BOOLEAN:
        return this.#putScalar(parseBoolean(line));
      case NULL:
        requireEnd(line, line.start);
        return this.#putScalar(null);
      case ARRAY:
        return isMinusOne(line) ? this.#putScalar(null) : this.#openAggregate(type);
      case MAP:
      case SET:
      case PUSH:
      case ATTRIBUTE:
        return this.#openAggregate(type);
      case STREAM_END:
        requireEnd(line, line.start);
        return this.#endAggregate();
      case BULK_STRING:
        if (isMinusOne(line)) return this.#putScalar(null);
        return isStreamed(line) ? this.#openString() : this.#awaitBulk(type);
      default:
        return this.#awaitBulk(type);
    }
  }

  #putScalar(value: Reply): boolean {
    const { start, end, offset } = this.#line;
    this.#hold((value instanceof ServerError ? ERROR_COST : SCALAR_COST) + end - start);
    return this.#put(value, offset);
  }

  #awaitBulk(type: number): boolean {
    const { maxBulkLength } = this.#limits;
    const { offset } = this.#line;
    const length = parseLength(this.#line);
    const most = type === BULK_ERROR ? Math.min(maxBulkLength, MAX_TEXT) : this.#maxBulkLength;
    if (length + (type === STREAM_PART ? this.#streamedLength : 0) > most) {
      throw new RespLimitError("maxBulkLength", most, offset);
    }
    let cost = this.#isText && type !== STREAM_PART ? TEXT_COST : BYTES_COST;
    if (type === STREAM_PART) {
      if (length === 0) return this.#endAggregate();
      this.#streamedLength += length;
    } else if (type === BULK_ERROR) {
      cost = ERROR_COST;
    } else if (type === VERBATIM_STRING) {
      cost += AGGREGATE_COST;
      if (length < 4) {
        throw new RespSyntaxError(offset + 1, `a length of ${length}`, "at least 4, for a format");
      }
    }
    this.#hold(cost + length);
    this.#bulkType = type;
    this.#missing = length + 2;
    return false;
  }

  /** Makes of the bulk that has arrived what its type says. */
  #endBulk(): boolean {
    const type = this.#bulkType;
    this.#bulkType = 0;
    let value: Reply;
    if (type === BULK_STRING && this.#isText) {
      value = this.#text + makeText(this.#buffer.bytes, 0, this.#buffer.length);
      this.#text = "";
      this.#buffer.clear();
    } else {
      const bytes = this.#buffer.take();
      value = bytes;
      if (type === BULK_ERROR) {
        value = makeServerError(decodeText(bytes));
      } else if (type === VERBATIM_STRING) {
        const { length } = bytes;
        if (bytes[3] !== COLON) {
          throw unexpected(bytes[3]!, this.offset - length + 1, "a colon after the format");
        }
        const text = this.#isText ? makeText(bytes, 4, length) : bytes.slice(4);
        value = new VerbatimString(decodeText(bytes, 0, 3), text);
      }
    }
    return this.#put(value, this.offset);
  }

  #openAggregate(type: number): boolean {
    const { maxElements, maxDepth } = this.#limits;
    const { offset } = this.#line;
    const streams = type !== PUSH && type !== ATTRIBUTE && isStreamed(this.#line);
    let count = streams ? 0 : parseLength(this.#line);
    if (type === PUSH) {
      if (count === 0) {
        throw new RespSyntaxError(offset + 1, "a push of nothing", "at least its kind");
      }
      this.#heldBefore = this.#held;
    }
    if (type === MAP || type === ATTRIBUTE) count *= 2;
    this.#hold(AGGREGATE_COST);
    if (count > maxElements) throw new RespLimitError("maxElements", maxElements, offset);
    if (this.#depth === maxDepth) throw new RespLimitError("maxDepth", maxDepth, offset);
    if (type === PUSH || (type === ARRAY && this.#arrayPushes && this.#isOutermost)) {
      this.#pushType = type;
    }
    this.#push(type, streams, count, streams ? maxElements + 1 : count);
    return count === 0 && !streams && this.#endAggregate();
  }

  /** Opens a streamed string: an aggregate of its parts. */
  #openString(): boolean {
    this.#hold(this.#isText ? TEXT_COST : BYTES_COST);
    this.#streamedLength = 0;
    this.#push(STREAM_PART, true, 0, UNLIMITED);
    return false;
  }

  /** Strings of what may be a push stay bytes: a message frame is made of them. */
  get #isText(): boolean {
    return this.#asText && this.#pushType === 0;
  }

  /** Whether nothing is open but attributes that wait for their reply: a push may begin. */
  get #isOutermost(): boolean {
    const open = this.#open;
    return open === null || (open.isOutermost && open.attributes !== null);
  }

  /** Charges what is held from now on. */
  #hold(bytes: number): void {
    const { maxHeldBytes } = this.#limits;
    this.#held += bytes;
    if (this.#held > maxHeldBytes) {
      throw new RespLimitError("maxHeldBytes", maxHeldBytes, this.#line.offset);
    }
  }

  /** Opens an aggregate. */
  #push(type: number, isStreamed: boolean, count: number, remaining: number): void {
    const places = Math.min(count, this.#places);
    this.#places -= places;
    this.#open = {
      type,
      outer: this.#open,
      isOutermost: this.#isOutermost,
      isStreamed,
      items: new Array<Reply>(places),
      filled: 0,
      remaining,
      attributes: null,
    };
    this.#depth++;
  }

  /** Closes the innermost aggregate, which has all its elements; whether that delivered something. */
  #endAggregate(): boolean {
    const value = this.#close(this.#open!);
    return value !== undefined && this.#put(value, this.#line.offset);
  }

  /**
   * Closes the innermost aggregate.
   *
   * @returns Its value; `undefined` for attributes. Those that are kept stay open for their reply.
   * Others are forgotten: a server may have sent them with a push, and then no reply follows.
   */
  #close(open: Open): Reply | undefined {
    const { type, items, attributes } = open;
    const isText = this.#isText;
    if (type === ATTRIBUTE && attributes === null && this.#keepsAttributes) {
      open.attributes = new RespMap(items);
      open.items = [];
      open.filled = 0;
      open.remaining = 1;
      return undefined;
    }
    this.#open = open.outer;
    this.#depth--;
    if (type === MAP) return new RespMap(items);
    if (type === SET) return new RespSet(items);
    if (attributes !== null) return new Attributed(attributes, items[0]!);
    if (type === ATTRIBUTE) {
      if (this.#open === null) this.#release();
      return undefined;
    }
    if (type !== STREAM_PART) return items;
    const bytes = join(items as Uint8Array[]);
    return isText ? makeText(bytes, 0, bytes.length) : bytes;
  }

  /** Puts a value into the innermost aggregate or delivers it; whether something was delivered. */
  #put(value: Reply, offset: number): boolean {
    let part: Reply | undefined = value;
    for (let open = this.#open; open !== null; open = this.#open) {
      open.items[open.filled++] = part;
      open.remaining--;
      if (open.remaining > 0) return false;
      if (open.isStreamed) {
        throw new RespLimitError("maxElements", this.#limits.maxElements, offset);
      }
      part = this.#close(open);
      if (part === undefined) return false;
      if (open.type === PUSH) break;
    }
    this.#deliver(part);
    return true;
  }

  /** Nothing is held for the reply or the push any more. */
  #release(): void {
    this.#held = this.#heldBefore;
    this.#heldBefore = 0;
    this.#places = this.#maxPlaces;
    this.#pushType = 0;
  }

  #deliver(value: Reply): void {
    const sink = this.#sink;
    const type = this.#pushType;
    this.#release();
    const isPush = type === PUSH || (type === ARRAY && isArrayPush(value));
    if (isPush && sink.message !== undefined && layMessageFrame(this.#frame, value as Reply[])) {
      this.#calling = true;
      sink.message(this.#frame);
    } else {
      const given = type !== 0 && this.#asText ? replyToText(value) : value;
      this.#calling = true;
      if (isPush) sink.push(given as Reply[]);
      else sink.reply(given);
    }
    this.#calling = false;
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

/** Whether the length is `?`. */
function isStreamed({ bytes, start, end }: Line): boolean {
  return end - start === 1 && bytes[start] === QUESTION;
}

function isArrayPush(reply: Reply): boolean {
  const kind = Array.isArray(reply) ? bytesOf(reply[0]) : null;
  return kind !== null && ARRAY_PUSHES.has(decodeText(kind));
}
