import { decodeText, makeText } from "../bytes/text.ts";
import { viewOf } from "../bytes/view.ts";
import { makeServerError, RespLimitError, RespSyntaxError, ServerError } from "./errors.ts";
import { InputBuffer } from "./input_buffer.ts";
import { contentLength, contentStart, readBulkHead, readMessageFrame } from "./message_frame.ts";
import {
  type DecoderOptions,
  type DecoderSink,
  ERROR_COST,
  type Limits,
  OBJECT_COST,
  resolveLimits,
  VALUE_COST,
} from "./options.ts";
import { ReplyBuilder } from "./reply_builder.ts";
import {
  isQuestionMark,
  type Line,
  parseLength,
  parseScalar,
  requireEnd,
  unexpected,
} from "./scalars.ts";
import * as TYPE from "./type_bytes.ts";
import type { Reply } from "./types.ts";

const CR = 13;
const LF = 10;
const COLON = 58;

/** How much of a chunk is appended to incomplete input first; that is enough for most. */
const FIRST_TRY = 96;

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
  readonly #limits: Limits;
  /** No message of up to this length exceeds a limit. Longer ones are read as any push is. */
  readonly #maxMessageLength: number;
  readonly #isText: boolean;
  readonly #builder: ReplyBuilder;
  #arrayPushes: boolean;
  /** What `arrayPushes` was when the part that is being read began. */
  #arrayPushesNow = false;

  /** Offset in the stream of the first of the bytes that are being read. */
  #base = 0;
  /** Index in those bytes of the next byte. */
  #pos = 0;
  /** An incomplete part from earlier chunks: a message, a line, or the content of a bulk. */
  readonly #buffer: InputBuffer = new InputBuffer();
  /** The type of the bulk whose content is awaited, or 0. */
  #bulkType = 0;
  /** How many bytes of that content are missing, with its CR LF; of another part, at least. */
  #missing = 0;
  /** How many bytes of an incomplete line need not be looked at again. */
  #scanned = 0;
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
    const { maxBulkLength, maxElements, maxHeldBytes } = limits;
    this.#sink = sink;
    this.#limits = limits;
    this.#isText = options.strings === "text";
    this.#builder = new ReplyBuilder(sink, limits, this.#isText);
    this.#arrayPushes = options.arrayPushes ?? false;
    // A pmessage is an aggregate of four strings, of which the first has eight bytes.
    const canBeRead = sink.message !== undefined && maxElements >= 4 && maxBulkLength >= 8;
    this.#maxMessageLength = canBeRead
      ? Math.min(maxBulkLength, maxHeldBytes - 5 * OBJECT_COST)
      : 0;
  }

  /**
   * Whether an array at the top level is a push if its first element is `message`, `pmessage`,
   * `smessage` or a confirmation (`subscribe`, `unsubscribe` and their `p` and `s` forms). Set it on
   * a RESP2 connection that has subscribed, and only there. A `pong` array stays a reply, because it
   * answers a PING. May be changed at any time, also by the sink. It applies to arrays whose first
   * byte is read afterwards.
   */
  get arrayPushes(): boolean {
    return this.#arrayPushes;
  }
  set arrayPushes(value: boolean) {
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
    const size = bytes.length;
    this.#isWriting = true;
    try {
      if (this.#buffer.length > 0 && this.#bulkType === 0) this.#readOn(bytes);
      while (this.#pos < size) {
        if (this.#bulkType !== 0) {
          this.#readContent(bytes);
          continue;
        }
        this.#arrayPushesNow = this.#arrayPushes;
        const missing = this.#readPart(bytes, size, size);
        if (missing > 0) {
          this.#buffer.append(bytes, this.#pos, size);
          this.#pos = size;
          this.#missing = missing;
        }
      }
    } catch (error) {
      this.#failure = { error };
      this.#builder.open = null;
      this.#buffer.clear();
      throw error;
    } finally {
      this.#base += this.#pos;
      this.#pos = 0;
      this.#isWriting = false;
    }
  }

  /** Reads on in the incomplete part. Little more of the chunk is copied than belongs to it. */
  #readOn(chunk: Uint8Array): void {
    const buffer = this.#buffer;
    const before = buffer.length;
    const size = chunk.length;
    let missing = this.#missing;
    this.#base -= before;
    for (let copied = 0; copied < size && this.#pos < before && this.#bulkType === 0;) {
      const end = Math.min(size, copied + Math.max(FIRST_TRY, missing, copied));
      buffer.append(chunk, copied, end);
      missing -= end - copied;
      copied = end;
      while (missing <= 0 && this.#pos < before && this.#bulkType === 0) {
        missing = this.#readPart(buffer.bytes, before, buffer.length);
        if (missing === 0) this.#arrayPushesNow = this.#arrayPushes;
      }
    }
    this.#base += before;
    if (this.#pos >= before) {
      buffer.clear();
      this.#pos -= before;
    } else if (this.#bulkType === 0) {
      buffer.drop(this.#pos);
      this.#pos = size;
      this.#missing = missing;
    } else {
      // The buffer has the first bytes of the content.
      buffer.length = before;
      buffer.drop(this.#pos);
      this.#missing -= buffer.length;
      this.#pos = 0;
    }
  }

  /**
   * Reads a message, a bulk string, a line, or several of one kind.
   *
   * @param until All of them begin before this index.
   * @param size Where the bytes end.
   * @returns 0, or how many bytes of what is left are missing at least.
   */
  #readPart(bytes: Uint8Array, until: number, size: number): number {
    const { open, frame } = this.#builder;
    const type = bytes[this.#pos]!;
    const most = this.#maxMessageLength;
    const mayBePush = type === TYPE.PUSH || type === TYPE.ARRAY && this.#arrayPushesNow;
    if (open === null && most > 0 && mayBePush) {
      const sink = this.#sink;
      let end = this.#pos;
      while ((end = readMessageFrame(frame, bytes, end, size, most)) > 0) {
        this.#pos = end;
        sink.message!(frame);
        // Anything else, also an array once `arrayPushes` has changed, is another part.
        if (end >= until || bytes[end] !== type || this.#arrayPushes !== this.#arrayPushesNow) {
          return 0;
        }
      }
      if (end < 0) return -end;
    } else if (type === TYPE.BULK_STRING && open?.length !== Infinity) {
      return this.#readBulks(bytes, until, size);
    }
    return this.#readLine(bytes, size);
  }

  /** Reads consecutive bulk strings, and what follows in the same aggregate as a line. */
  #readBulks(bytes: Uint8Array, until: number, size: number): number {
    const builder = this.#builder;
    const { maxBulkLength, maxHeldBytes } = this.#limits;
    const words = viewOf(bytes);
    const { open } = builder;
    const cost = this.#isText ? VALUE_COST : OBJECT_COST;
    let pos = this.#pos;
    do {
      const head = readBulkHead(bytes, words, pos, size);
      if (head < 0) return -head;
      if (head === 0) return this.#readLine(bytes, size);
      const from = contentStart(pos, head);
      const length = contentLength(head);
      const end = from + length;
      const held = builder.held + cost + length;
      if (
        end + 1 >= size || words.getInt16(end, true) !== 0x0a0d || length > maxBulkLength ||
        held > maxHeldBytes
      ) {
        this.#pos = from;
        this.#beginBulk(TYPE.BULK_STRING, length, this.#base + pos);
        return 0;
      }
      builder.held = held;
      this.#pos = pos = end + 2;
      const value = builder.stringOf(bytes, from, end);
      if (open === null || open.filled + 1 >= open.length) {
        builder.put(value);
        return 0;
      }
      open.items[open.filled++] = value;
    } while (pos < until);
    return 0;
  }

  /** Reads a line. */
  #readLine(bytes: Uint8Array, size: number): number {
    const { maxLineLength } = this.#limits;
    const start = this.#pos + 1;
    const type = bytes[start - 1]!;
    if (this.#scanned === 0) this.#checkType(type);
    let end = start + this.#scanned;
    for (; end < size && bytes[end] !== CR; end++) {
      if (bytes[end] === LF) throw unexpected(LF, this.#base + end, "CR LF");
      if (end === start + maxLineLength) {
        throw new RespLimitError("maxLineLength", maxLineLength, this.#base + end);
      }
    }
    this.#scanned = end - start;
    if (end + 1 >= size) return 1;
    this.#scanned = 0;
    this.#pos = end + 1;
    this.#expect(bytes, LF, "LF after CR");
    this.#endLine(type, { bytes, start, end, base: this.#base });
    return 0;
  }

  /** Throws if nothing of this type may stand here. */
  #checkType(type: number): void {
    const { open } = this.#builder;
    const isStreamed = open?.length === Infinity;
    let expected = "";
    if (open?.type === TYPE.STREAM_PART) {
      if (type !== TYPE.STREAM_PART) expected = "a part of a streamed string";
    } else if (!TYPE.isElementType[type] || type === TYPE.STREAM_END && !isStreamed) {
      expected = "the type of a reply";
    } else if (type === TYPE.STREAM_END) {
      if (open!.type === TYPE.MAP && open!.filled % 2 === 1) {
        expected = "the value of the last key";
      }
    } else if (type === TYPE.PUSH && open !== null) {
      expected = "an element, because a push stands between replies";
    } else if (isStreamed && open.filled === this.#limits.maxElements) {
      throw new RespLimitError("maxElements", open.filled, this.offset);
    }
    if (expected !== "") throw unexpected(type, this.offset, expected);
  }

  /** Acts on a complete line. */
  #endLine(type: number, line: Line): void {
    const offset = line.base + line.start - 1;
    const value = parseScalar(type, line);
    if (value !== undefined) {
      const cost = value instanceof ServerError ? ERROR_COST : VALUE_COST;
      this.#builder.hold(cost + line.end - line.start, offset);
      return this.#builder.put(value);
    }
    switch (type) {
      case TYPE.ARRAY:
      case TYPE.MAP:
      case TYPE.SET: {
        const length = isQuestionMark(line) ? Infinity : parseLength(line);
        return this.#builder.begin(type, length, offset, this.#arrayPushesNow);
      }
      case TYPE.PUSH:
      case TYPE.ATTRIBUTE:
        return this.#builder.begin(type, parseLength(line), offset, false);
      case TYPE.STREAM_END:
        requireEnd(line, line.start);
        return this.#builder.end();
      case TYPE.BULK_STRING:
        if (!isQuestionMark(line)) return this.#beginBulk(type, parseLength(line), offset);
        this.#streamedLength = 0;
        return this.#builder.begin(TYPE.STREAM_PART, Infinity, offset, false);
      default:
        return this.#beginBulk(type, parseLength(line), offset);
    }
  }

  /** The length of a bulk was read: its content follows. */
  #beginBulk(type: number, length: number, offset: number): void {
    const { maxBulkLength } = this.#limits;
    let cost = this.#isText ? VALUE_COST : OBJECT_COST;
    let total = length;
    if (type === TYPE.STREAM_PART) {
      if (length === 0) return this.#builder.end();
      total = this.#streamedLength += length;
      cost = OBJECT_COST;
    } else if (type === TYPE.BULK_ERROR) {
      cost = ERROR_COST;
    } else if (type === TYPE.VERBATIM_STRING && length < 4) {
      throw new RespSyntaxError(offset + 1, `a length of ${length}`, "at least 4, for a format");
    }
    if (total > maxBulkLength) throw new RespLimitError("maxBulkLength", maxBulkLength, offset);
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
      const isText = this.#isText && this.#bulkType === TYPE.BULK_STRING;
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
    this.#builder.put(this.#takeContent(type));
  }

  /** Makes the value of a bulk of its content. */
  #takeContent(type: number): Reply {
    const isText = this.#isText && type !== TYPE.STREAM_PART;
    if (isText && type === TYPE.BULK_STRING) return this.#buffer.takeText();
    const bytes = this.#buffer.take();
    if (type === TYPE.BULK_ERROR) return makeServerError(decodeText(bytes));
    if (type !== TYPE.VERBATIM_STRING) return bytes;
    const { length } = bytes;
    if (bytes[3] !== COLON) {
      throw unexpected(bytes[3]!, this.offset - length + 1, "a colon after the format");
    }
    return isText ? makeText(bytes, 4, length) : bytes.subarray(4);
  }

  #expect(bytes: Uint8Array, byte: number, expected: string): void {
    const found = bytes[this.#pos]!;
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
