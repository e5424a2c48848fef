import { decodeText, makeText } from "../bytes/text.ts";
import { viewOf } from "../bytes/view.ts";
import { makeServerError, RespLimitError, RespSyntaxError, ServerError } from "./errors.ts";
import { InputBuffer } from "./input_buffer.ts";
import { contentLength, contentStart, readBulkHead, readMessageFrame } from "./message_frame.ts";
import {
  AGGREGATE_COST,
  BYTES_COST,
  type DecoderLimits,
  type DecoderOptions,
  type DecoderSink,
  ERROR_COST,
  MAX_TEXT,
  resolveLimits,
  SCALAR_COST,
  TEXT_COST,
} from "./options.ts";
import { ReplyBuilder } from "./reply_builder.ts";
import {
  isMinusOne,
  isQuestionMark,
  type Line,
  parseBigNumber,
  parseBoolean,
  parseDouble,
  parseInteger,
  parseLength,
  requireEnd,
  unexpected,
} from "./scalars.ts";
import * as TYPE from "./type_bytes.ts";
import { type Reply, VerbatimString } from "./types.ts";

const CR = 13;
const LF = 10;
const COLON = 58;

/** How much of a chunk is appended to an incomplete message first; most need no more. */
const FIRST_TRY = 96;

const NONE = /* @__PURE__ */ new Uint8Array(0);

/**
 * Decodes RESP2 and RESP3 from chunks of any size.
 *
 * What it delivers shares no memory with a chunk, so a chunk may be reused once `write` has returned.
 * Only a {@linkcode MessageFrame} is a view, valid during its call.
 *
 * `write` throws when the input is not RESP, when a reply exceeds a limit, and when the sink throws.
 * It does not read the rest of the chunk, and every later `write` throws the same error. A sink can
 * therefore throw to stop the decoder.
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
  /** For a string of the requested kind. */
  readonly #maxBulkLength: number;
  /** No message of up to this length exceeds a limit. Longer ones are read as any push. */
  readonly #maxMessageLength: number;
  readonly #builder: ReplyBuilder;
  #arrayPushes: boolean;

  /** Offset in the stream of the first byte of the chunk. */
  #base = 0;
  /** Index in the chunk of the next byte. */
  #pos = 0;
  /** The start of a message, of a line or of the content of a bulk, from earlier chunks. */
  readonly #buffer: InputBuffer = new InputBuffer();
  /** Whether the buffer holds the start of a message. */
  #isMessageCut = false;
  /** The last line. */
  readonly #line: Line = { bytes: NONE, start: 0, end: 0, offset: 0 };
  /** The type of the bulk whose content is awaited, or 0. */
  #bulkType = 0;
  /** How many bytes of that bulk are missing, with its CR LF; of an incomplete message, at least. */
  #missing = 0;
  /** The length of the open streamed string so far. */
  #streamedLength = 0;

  #isWriting = false;
  #failure: { error: unknown } | null = null;

  /**
   * Creates a decoder at the beginning of a stream. Each connection needs its own.
   *
   * @param sink Receives replies and pushes synchronously during `write`.
   * @param options How to decode, and the limits.
   * @throws {RangeError} If a limit is not a whole number or out of range.
   */
  constructor(sink: DecoderSink, options: DecoderOptions = {}) {
    const limits = resolveLimits(options);
    const { maxBulkLength } = limits;
    this.#sink = sink;
    this.#limits = limits;
    this.#builder = new ReplyBuilder(sink, limits, options);
    this.#arrayPushes = options.arrayPushes ?? false;
    this.#maxBulkLength = options.strings === "text"
      ? Math.min(maxBulkLength, MAX_TEXT)
      : maxBulkLength;
    // What a pmessage counts as besides its bytes.
    const cost = AGGREGATE_COST + 4 * BYTES_COST;
    const canBeRead = sink.message !== undefined && limits.maxElements >= 4 &&
      maxBulkLength >= "pmessage".length;
    this.#maxMessageLength = canBeRead ? Math.min(maxBulkLength, limits.maxHeldBytes - cost) : -1;
  }

  /**
   * Whether an array at the top level is a push if its first element is `message`, `pmessage`,
   * `smessage` or a confirmation (`subscribe`, `unsubscribe` and their `p` and `s` forms). Set it on
   * a RESP2 connection that has subscribed, and only there. A `pong` array stays a reply, because it
   * answers a PING. May be changed at any time, also by the sink. It applies when the head of an
   * array is read.
   */
  get arrayPushes(): boolean {
    return this.#arrayPushes;
  }
  set arrayPushes(value: boolean) {
    // An incomplete message has begun under the old rule.
    if (this.#isMessageCut) this.#readAsReply(this.#buffer.length);
    this.#arrayPushes = value;
  }

  /** How many bytes of the stream have been read; during a call of the sink, including its input. */
  get offset(): number {
    return this.#base + this.#pos;
  }

  /** Bytes that the incomplete reply holds, as counted against `maxHeldBytes`; 0 between replies. */
  get held(): number {
    return this.#builder.held + (this.#bulkType === 0 ? this.#buffer.length : 0);
  }

  /**
   * Decodes a chunk.
   *
   * @param chunk The next bytes of the stream, of any length. Not kept.
   * @throws {RespSyntaxError} If the input is not RESP.
   * @throws {RespLimitError} If a reply exceeds a limit.
   * @throws {Error} If called by the sink.
   * @throws {TypeError} If the chunk is not bytes. This does not fail the decoder.
   * @throws The sink's own error if the sink throws.
   */
  write(chunk: Uint8Array): void {
    if (this.#failure !== null) throw this.#failure.error;
    if (this.#isWriting) throw new Error("Cannot write to the decoder from within its own sink");
    const bytes = plain(chunk);
    this.#isWriting = true;
    try {
      if (this.#isMessageCut) this.#continueMessage(bytes);
      while (this.#pos < bytes.length) this.#readNext(bytes);
    } catch (error) {
      this.#failure = { error };
      this.#builder.open = null;
      this.#buffer.clear();
      throw error;
    } finally {
      this.#base += this.#pos;
      this.#pos = 0;
      this.#isWriting = false;
      // It would keep the chunk alive.
      this.#line.bytes = NONE;
    }
  }

  /** Reads at least one byte. */
  #readNext(chunk: Uint8Array): void {
    if (this.#bulkType !== 0) {
      this.#readContent(chunk);
    } else if (this.#buffer.length > 0) {
      this.#readLine(chunk);
    } else if (chunk[this.#pos] === TYPE.BULK_STRING) {
      this.#readBulks(chunk);
    } else if (this.#builder.open !== null || !this.#readMessages(chunk)) {
      this.#readLine(chunk);
    }
  }

  /** Reads consecutive messages. Returns whether there were any. */
  #readMessages(chunk: Uint8Array): boolean {
    const frame = this.#builder.frame;
    const sink = this.#sink;
    const most = this.#maxMessageLength;
    const size = chunk.length;
    const first = this.#pos;
    let start = first;
    let end = 0;
    if (most < 0) return false;
    while (start < size) {
      const type = chunk[start];
      if (type !== TYPE.PUSH && !(type === TYPE.ARRAY && this.#arrayPushes)) break;
      end = readMessageFrame(frame, chunk, start, size, most);
      if (end <= 0) break;
      this.#pos = start = end;
      sink.message!(frame);
    }
    if (end < 0) {
      this.#buffer.append(chunk, start, size, size - start - end);
      this.#isMessageCut = true;
      this.#missing = -end;
      this.#pos = size;
    }
    return this.#pos > first;
  }

  /** Reads on in an incomplete message. Little more of the chunk is copied than belongs to it. */
  #continueMessage(chunk: Uint8Array): void {
    const buffer = this.#buffer;
    const before = buffer.length;
    const most = this.#maxMessageLength;
    let end = -this.#missing;
    for (let from = 0; end < 0 && from < chunk.length;) {
      const to = Math.min(chunk.length, Math.max(FIRST_TRY, from - end));
      const isEnough = to - from + end >= 0;
      // One more than is known to be missing, for the LF.
      buffer.append(chunk, from, to, 1 - end);
      end = isEnough
        ? readMessageFrame(this.#builder.frame, buffer.bytes, 0, before + to, most)
        : end + to - from;
      from = to;
    }
    if (end < 0) {
      this.#missing = -end;
      this.#pos = chunk.length;
    } else if (end === 0) {
      this.#readAsReply(before);
    } else {
      this.#isMessageCut = false;
      buffer.clear();
      this.#pos = end - before;
      this.#sink.message!(this.#builder.frame);
    }
  }

  /** Reads the first `length` bytes of what looked like a message as a reply. */
  #readAsReply(length: number): void {
    const bytes = this.#buffer.bytes.slice(0, length);
    this.#buffer.clear();
    this.#isMessageCut = false;
    this.#base -= length;
    // Its head as a line: nothing is a message once an aggregate is open.
    this.#readLine(bytes);
    while (this.#pos < length) this.#readNext(bytes);
    this.#base += length;
    this.#pos = 0;
  }

  /**
   * Reads consecutive bulk strings that are complete in the chunk and have nothing wrong with them,
   * and what follows in the same aggregate as a line.
   */
  #readBulks(chunk: Uint8Array): void {
    const builder = this.#builder;
    const words = viewOf(chunk);
    const size = chunk.length;
    const { open, isText } = builder;
    const cost = isText ? TEXT_COST : BYTES_COST;
    let pos = this.#pos;
    if (open?.type === TYPE.STREAM_PART) return this.#readLine(chunk);
    while (pos < size) {
      const head = readBulkHead(chunk, words, pos, size);
      if (head <= 0) break;
      const length = contentLength(head);
      const start = contentStart(pos, head);
      const end = start + length;
      if (
        end + 1 >= size || words.getInt16(end, true) !== 0x0a0d || length > this.#maxBulkLength ||
        builder.held + length + cost > this.#limits.maxHeldBytes
      ) break;
      builder.held += length + cost;
      this.#pos = pos = end + 2;
      const value = builder.stringOf(chunk, start, end, isText);
      if (open === null || open.remaining === 1) return builder.put(value, this.offset);
      open.items[open.filled++] = value;
      open.remaining--;
    }
    if (pos < size) this.#readLine(chunk);
  }

  /** Reads a line, or as much of it as is in the chunk. */
  #readLine(chunk: Uint8Array): void {
    const buffer = this.#buffer;
    const { maxLineLength } = this.#limits;
    const start = this.#pos;
    const size = chunk.length;
    const before = buffer.length;
    let at = start;
    if (before === 0) this.#checkType(chunk[at++]!);
    let isEnding = before > 0 && buffer.bytes[before - 1] === CR;
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
    if (!isEnding || at === size) return buffer.append(chunk, start, at);
    this.#expect(chunk, LF, "LF after CR");
    const line = this.#line;
    line.bytes = chunk;
    line.start = start + 1;
    line.end = at - 1;
    line.offset = this.#base + start - before;
    if (before > 0) {
      buffer.append(chunk, start, this.#pos);
      line.bytes = buffer.take();
      line.start = 1;
      line.end = line.bytes.length - 2;
    }
    this.#endLine(line.bytes[line.start - 1]!, line);
  }

  /** Throws if nothing of this type may stand here. */
  #checkType(type: number): void {
    const open = this.#builder.open;
    let expected = "";
    if (open?.type === TYPE.STREAM_PART) {
      if (type !== TYPE.STREAM_PART) expected = "a part of a streamed string";
    } else if (!TYPE.isElementType[type]) {
      expected = "the type of a reply";
    } else if (type === TYPE.STREAM_END) {
      if (!open?.isStreamed) expected = "the type of a reply";
      else if (open.type === TYPE.MAP && open.filled % 2 === 1) {
        expected = "the value of the last key";
      }
    } else if (type === TYPE.PUSH && !this.#builder.isOutermost) {
      expected = "an element, because a push stands between replies";
    }
    if (expected !== "") throw unexpected(type, this.offset, expected);
  }

  /** Acts on a complete line. */
  #endLine(type: number, line: Line): void {
    switch (type) {
      case TYPE.SIMPLE_STRING:
        return this.#putScalar(decodeText(line.bytes, line.start, line.end), line);
      case TYPE.SIMPLE_ERROR:
        return this.#putScalar(makeServerError(decodeText(line.bytes, line.start, line.end)), line);
      case TYPE.INTEGER:
        return this.#putScalar(parseInteger(line), line);
      case TYPE.DOUBLE:
        return this.#putScalar(parseDouble(line), line);
      case TYPE.BIG_NUMBER:
        return this.#putScalar(parseBigNumber(line), line);
      case TYPE.BOOLEAN:
        return this.#putScalar(parseBoolean(line), line);
      case TYPE.NULL:
        requireEnd(line, line.start);
        return this.#putScalar(null, line);
      case TYPE.ARRAY:
      case TYPE.MAP:
      case TYPE.SET: {
        if (type === TYPE.ARRAY && isMinusOne(line)) return this.#putScalar(null, line);
        const length = isQuestionMark(line) ? null : parseLength(line);
        return this.#builder.begin(type, length, line.offset, this.#arrayPushes);
      }
      case TYPE.PUSH:
      case TYPE.ATTRIBUTE:
        return this.#builder.begin(type, parseLength(line), line.offset, false);
      case TYPE.STREAM_END:
        requireEnd(line, line.start);
        return this.#builder.end(line.offset);
      case TYPE.BULK_STRING:
        if (isMinusOne(line)) return this.#putScalar(null, line);
        if (!isQuestionMark(line)) return this.#awaitContent(type, line);
        this.#streamedLength = 0;
        return this.#builder.beginString(line.offset);
      default:
        return this.#awaitContent(type, line);
    }
  }

  #putScalar(value: Reply, { start, end, offset }: Line): void {
    const cost = value instanceof ServerError ? ERROR_COST : SCALAR_COST;
    this.#builder.hold(cost + end - start, offset);
    this.#builder.put(value, offset);
  }

  /** The length of a bulk was read: its content follows. */
  #awaitContent(type: number, line: Line): void {
    const { offset } = line;
    const length = parseLength(line);
    const before = type === TYPE.STREAM_PART ? this.#streamedLength : 0;
    const most = type === TYPE.BULK_ERROR
      ? Math.min(this.#maxBulkLength, MAX_TEXT)
      : this.#maxBulkLength;
    if (before + length > most) throw new RespLimitError("maxBulkLength", most, offset);
    let cost = this.#builder.isText ? TEXT_COST : BYTES_COST;
    if (type === TYPE.STREAM_PART) {
      if (length === 0) return this.#builder.end(offset);
      this.#streamedLength += length;
      cost = BYTES_COST;
    } else if (type === TYPE.BULK_ERROR) {
      cost = ERROR_COST;
    } else if (type === TYPE.VERBATIM_STRING) {
      cost += AGGREGATE_COST;
      if (length < 4) {
        throw new RespSyntaxError(offset + 1, `a length of ${length}`, "at least 4, for a format");
      }
    }
    this.#builder.hold(cost + length, offset);
    this.#bulkType = type;
    this.#missing = length + 2;
  }

  /** Reads the content of a bulk, or as much of it as is in the chunk, and its CR LF. */
  #readContent(chunk: Uint8Array): void {
    const start = this.#pos;
    const content = this.#missing - 2;
    if (content > 0) {
      this.#pos = Math.min(chunk.length, start + content);
      const isText = this.#bulkType === TYPE.BULK_STRING && this.#builder.isText;
      if (isText) this.#buffer.appendText(chunk, start, this.#pos);
      else this.#buffer.append(chunk, start, this.#pos, content);
      this.#missing -= this.#pos - start;
    } else {
      const isCr = content === 0;
      this.#expect(chunk, isCr ? CR : LF, isCr ? "CR LF after a bulk" : "LF after CR");
      this.#missing--;
    }
    if (this.#missing > 0) return;
    const type = this.#bulkType;
    this.#bulkType = 0;
    this.#builder.put(this.#takeContent(type), this.offset);
  }

  /** Makes the value of a bulk of its content. */
  #takeContent(type: number): Reply {
    const { isText } = this.#builder;
    if (type === TYPE.BULK_STRING && isText) return this.#buffer.takeText();
    const bytes = this.#buffer.take();
    if (type === TYPE.BULK_ERROR) return makeServerError(decodeText(bytes));
    if (type !== TYPE.VERBATIM_STRING) return bytes;
    const { length } = bytes;
    if (bytes[3] !== COLON) {
      throw unexpected(bytes[3]!, this.offset - length + 1, "a colon after the format");
    }
    const value = isText ? makeText(bytes, 4, length) : bytes.slice(4);
    return new VerbatimString(decodeText(bytes, 0, 3), value);
  }

  #expect(chunk: Uint8Array, byte: number, expected: string): void {
    const found = chunk[this.#pos]!;
    if (found !== byte) throw unexpected(found, this.offset, expected);
    this.#pos++;
  }
}

/**
 * Returns the same bytes as a plain Uint8Array: a subclass may slice into a view of the same memory,
 * and engines optimize reading for one kind of array.
 */
function plain(chunk: Uint8Array): Uint8Array {
  if (chunk?.constructor === Uint8Array) return chunk;
  if (!ArrayBuffer.isView(chunk)) {
    throw new TypeError(`Cannot read a chunk of type ${typeof chunk}: it must be a Uint8Array`);
  }
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
