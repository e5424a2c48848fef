import { Assembly } from "./assembly.ts";
import { contentLength, contentStart, readBulkHead } from "./bulk.ts";
import { ByteBuffer } from "./byte_buffer.ts";
import { Copier } from "./copier.ts";
import { BYTES_COST, costOf, TEXT_COST } from "./costs.ts";
import { makeServerError, RespLimitError, RespSyntaxError } from "./errors.ts";
import { type DecoderLimits, MAX_TEXT } from "./limits.ts";
import { parseLength } from "./numbers.ts";
import { parseScalar, requireEnd } from "./scalar.ts";
import { decodeText, makeText } from "../bytes/text.ts";
import { TextBuffer } from "./text_buffer.ts";
import { type Reply, VerbatimString } from "./types.ts";
import { unexpected } from "./unexpected.ts";
import { viewOf } from "../bytes/view.ts";
import * as wire from "./wire.ts";

const { CR, LF } = wire;
const COLON = 58;

/**
 * Reads one reply after the other out of chunks cut anywhere: the general path, for everything that
 * RESP has. What is cut it carries over, so no byte is looked for twice.
 *
 * After it threw it must not be used again.
 */
export class ReplyReader {
  /** Place in the stream of the first byte of the chunk. */
  base = 0;
  /** Place in the chunk of the next byte to be read. */
  pos = 0;
  /** Whether arrays at the top are read as pushes are: their strings as bytes. */
  arrayPushes: boolean;
  /** Type of the aggregate that is the reply, if it is a push or was read as one; else 0. */
  pushType = 0;
  #isWhole = false;

  readonly #limits: Required<DecoderLimits>;
  readonly #assembly: Assembly;
  readonly #asText: boolean;
  readonly #maxBulkLength: number;
  /** Of a bulk that becomes text. */
  readonly #maxTextLength: number;

  /** A line that is cut, its type included; empty between lines. */
  readonly #line: ByteBuffer = new ByteBuffer();
  /** Whether the CR of that line has come. */
  #lineEnding = false;

  /** Type of the bulk whose content is awaited, or 0. */
  #bulkType = 0;
  #bulkMissing = 0;
  /** Whether the CR after that bulk has come. */
  #bulkEnding = false;
  /** Whether parts of a streamed string are awaited. */
  #streaming = false;
  /** What has come of a bulk or a streamed string; one of the two below. */
  #content: ByteBuffer | TextBuffer;
  readonly #bytes: ByteBuffer = new ByteBuffer();
  readonly #text: TextBuffer = new TextBuffer();
  readonly #copier: Copier = new Copier();

  constructor(
    limits: Required<DecoderLimits>,
    asText: boolean,
    arrayPushes: boolean,
    keepsAttributes: boolean,
  ) {
    this.#limits = limits;
    this.#assembly = new Assembly(limits, keepsAttributes);
    this.#asText = asText;
    this.#maxTextLength = Math.min(limits.maxBulkLength, MAX_TEXT);
    this.#maxBulkLength = asText ? this.#maxTextLength : limits.maxBulkLength;
    this.arrayPushes = arrayPushes;
    this.#content = this.#bytes;
  }

  /** Whether the next byte begins a reply. */
  get idle(): boolean {
    return this.#assembly.depth === 0 && !this.#streaming && this.#bulkType === 0 &&
      this.#line.length === 0;
  }

  /** Bytes that the incomplete reply takes. */
  get held(): number {
    return this.#assembly.held + this.#line.length;
  }

  /** Place in the stream of the next byte to be read. */
  get offset(): number {
    return this.base + this.pos;
  }

  /** The reply that became whole, to be taken once. */
  take(): Reply {
    return this.#assembly.take();
  }

  /** Reads on; whether a reply became whole before the chunk was used up. */
  read(chunk: Uint8Array): boolean {
    if (this.#isWhole) this.pushType = 0;
    this.#isWhole = false;
    while (this.pos < chunk.length) {
      const whole = this.#bulkType !== 0
        ? this.#readBulk(chunk)
        : this.#line.length !== 0
        ? this.#continueLine(chunk)
        : chunk[this.pos] === wire.BULK_STRING
        ? this.#readBulks(chunk)
        : this.#readLine(chunk);
      if (whole) {
        this.#isWhole = true;
        return true;
      }
    }
    return false;
  }

  /** Forgets what was carried over. */
  clear(): void {
    this.#assembly.clear();
    this.#line.clear();
    this.#content.clear();
  }

  // Each of these reads something, at least one byte, and gives back whether the reply is whole.

  /**
   * Bulk strings that follow one another and lie whole in the chunk, then the next thing as a line.
   * In one loop, because most of what is large is made of them: 35 ns for each string of an array in
   * Deno, 43 when each comes by way of `read`.
   */
  #readBulks(chunk: Uint8Array): boolean {
    if (this.#streaming) return this.#readLine(chunk);
    // Constants of a module are loads.
    const DOLLAR = 36;
    const CR_LF = 0x0a0d;
    const assembly = this.#assembly;
    const copier = this.#copier;
    const maxBulkLength = this.#maxBulkLength;
    const size = chunk.length;
    const isText = this.#isText;
    const cost = isText ? TEXT_COST : BYTES_COST;
    const words = viewOf(chunk);
    copier.begin();
    let open = assembly.top;
    let pos = this.pos;
    while (pos < size && chunk[pos] === DOLLAR) {
      const head = readBulkHead(chunk, words, pos, size);
      if (head < 0) break;
      const length = contentLength(head);
      const from = contentStart(pos, head);
      const to = from + length;
      if (
        to + 1 >= size || words.getInt16(to, true) !== CR_LF || length > maxBulkLength ||
        !assembly.mayHold(length + cost)
      ) break;
      this.pos = pos = to + 2;
      let value: Uint8Array | string;
      if (open === undefined) {
        value = isText ? makeText(chunk, from, to) : chunk.slice(from, to);
      } else if (!isText) {
        value = copier.copy(chunk, from, to, open.remaining);
      } else if (open.type === wire.MAP && open.filled % 2 === 0) {
        // Names of fields come again and again, most values do not.
        value = decodeText(chunk, from, to);
      } else {
        value = makeText(chunk, from, to);
      }
      if (open !== undefined && open.remaining > 1) {
        open.items[open.filled++] = value;
        open.remaining--;
      } else {
        if (assembly.put(value, this.base + pos)) return true;
        open = assembly.top;
      }
    }
    return pos < size && this.#readLine(chunk);
  }

  #readLine(chunk: Uint8Array): boolean {
    const start = this.pos;
    const offset = this.offset;
    this.#checkType(chunk[start]!, offset);
    const end = this.#findLineEnd(chunk, start + 1, 0);
    if (end + 1 < chunk.length) {
      this.pos = end + 1;
      this.#readLf(chunk);
      return this.#endLine(chunk, start, end, offset);
    }
    this.#line.append(chunk, start, chunk.length);
    this.#lineEnding = end < chunk.length;
    this.pos = chunk.length;
    return false;
  }

  #continueLine(chunk: Uint8Array): boolean {
    if (this.#lineEnding) {
      this.#readLf(chunk);
      const line = this.#line.take();
      return this.#endLine(line, 0, line.length - 1, this.offset - line.length - 1);
    }
    const start = this.pos;
    const end = this.#findLineEnd(chunk, start, this.#line.length - 1);
    this.#lineEnding = end < chunk.length;
    this.pos = this.#lineEnding ? end + 1 : end;
    this.#line.append(chunk, start, this.pos);
    return false;
  }

  /** The content of the bulk that was announced, and the CR LF after it. */
  #readBulk(chunk: Uint8Array): boolean {
    const start = this.pos;
    if (this.#bulkMissing > 0) {
      const end = Math.min(chunk.length, start + this.#bulkMissing);
      this.#content.append(chunk, start, end, this.#streaming ? 0 : this.#bulkMissing);
      this.#bulkMissing -= end - start;
      this.pos = end;
      return false;
    }
    if (!this.#bulkEnding) {
      if (chunk[start] !== CR) throw unexpected(chunk[start]!, this.offset, "CR LF after a bulk");
      this.#bulkEnding = true;
      this.pos = start + 1;
      return false;
    }
    this.#readLf(chunk);
    this.#bulkEnding = false;
    return this.#endBulk();
  }

  #readLf(chunk: Uint8Array): void {
    const byte = chunk[this.pos]!;
    if (byte !== LF) throw unexpected(byte, this.offset, "LF after CR");
    this.pos++;
  }

  /**
   * The place of the CR that ends a line, or the end of the chunk.
   *
   * @param seen How many bytes of the line's content lie in earlier chunks, without a CR.
   */
  #findLineEnd(chunk: Uint8Array, start: number, seen: number): number {
    const { maxLineLength } = this.#limits;
    const most = start + maxLineLength - seen;
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === CR) return at;
      if (byte === LF) throw unexpected(LF, this.base + at, "CR LF");
      if (at === most) throw new RespLimitError("maxLineLength", maxLineLength, this.base + at);
    }
    return chunk.length;
  }

  /** Throws when nothing of this type may stand here. */
  #checkType(type: number, offset: number): void {
    if (this.#streaming) {
      if (type !== wire.STREAM_PART) throw unexpected(type, offset, "a part of a streamed string");
    } else if (!wire.isType(type) || type === wire.STREAM_PART) {
      throw unexpected(type, offset, "the type of a reply");
    } else if (type === wire.STREAM_END) {
      if (!this.#assembly.streamed) throw unexpected(type, offset, "the type of a reply");
      if (this.#assembly.awaitsValue) throw unexpected(type, offset, "the value of the last key");
    } else if (type === wire.PUSH && !this.#assembly.mayPush) {
      throw unexpected(type, offset, "an element, because a push stands between replies");
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
  #endLine(bytes: Uint8Array, start: number, end: number, offset: number): boolean {
    const type = bytes[start]!;
    const from = start + 1;
    this.#assembly.hold(costOf(type, this.#isText), offset);
    const scalar = parseScalar(type, bytes, from, end, offset + 1);
    if (scalar !== undefined) {
      this.#assembly.hold(end - from, offset);
      return this.#assembly.put(scalar, offset);
    }
    switch (type) {
      case wire.BULK_STRING:
      case wire.BULK_ERROR:
      case wire.VERBATIM_STRING:
      case wire.STREAM_PART:
        return this.#announceBulk(type, bytes, from, end, offset);
      case wire.STREAM_END:
        requireEnd(bytes, from, end, offset + 1);
        return this.#assembly.close(offset);
      default:
        return this.#announceAggregate(type, bytes, from, end, offset);
    }
  }

  #announceBulk(
    type: number,
    bytes: Uint8Array,
    from: number,
    end: number,
    offset: number,
  ): boolean {
    if (!this.#streaming) {
      this.#content = type === wire.BULK_STRING && this.#isText ? this.#text : this.#bytes;
    }
    if (type === wire.BULK_STRING && isStreamed(bytes, from, end)) {
      this.#streaming = true;
      return false;
    }
    const maxBulkLength = type === wire.BULK_ERROR ? this.#maxTextLength : this.#maxBulkLength;
    const length = parseLength(bytes, from, end, offset + 1);
    if (this.#content.length + length > maxBulkLength) {
      throw new RespLimitError("maxBulkLength", maxBulkLength, offset);
    }
    if (type === wire.VERBATIM_STRING && length < 4) {
      throw new RespSyntaxError(offset + 1, `a length of ${length}`, "at least 4, for a format");
    }
    if (type === wire.STREAM_PART && length === 0) {
      this.#streaming = false;
      return this.#assembly.put(this.#content.take(), offset);
    }
    this.#assembly.hold(length, offset);
    this.#bulkType = type;
    this.#bulkMissing = length;
    return false;
  }

  #announceAggregate(
    type: number,
    bytes: Uint8Array,
    from: number,
    end: number,
    offset: number,
  ): boolean {
    const mayStream = type !== wire.PUSH && type !== wire.ATTRIBUTE;
    const streamed = mayStream && isStreamed(bytes, from, end);
    let count = streamed ? -1 : parseLength(bytes, from, end, offset + 1);
    if (type === wire.PUSH && count === 0) {
      throw new RespSyntaxError(offset + 1, "a push of nothing", "at least its kind");
    }
    if (!streamed && (type === wire.MAP || type === wire.ATTRIBUTE)) count *= 2;
    if (type === wire.PUSH || (this.arrayPushes && type === wire.ARRAY && this.#assembly.mayPush)) {
      this.pushType = type;
    }
    return this.#assembly.open(type, count, offset);
  }

  /** Makes of the bulk that has come what its type says. */
  #endBulk(): boolean {
    const type = this.#bulkType;
    this.#bulkType = 0;
    if (type === wire.STREAM_PART) return false;
    return this.#assembly.put(this.#bulkValue(type), this.offset);
  }

  #bulkValue(type: number): Reply {
    if (type === wire.BULK_STRING) return this.#content.take();
    const bytes = this.#bytes.take();
    if (type === wire.BULK_ERROR) return makeServerError(decodeText(bytes));
    const colon = bytes[3]!;
    if (colon !== COLON) {
      throw unexpected(colon, this.offset - bytes.length + 1, "a colon after the format");
    }
    const format = decodeText(bytes, 0, 3);
    const value = this.#isText ? makeText(bytes, 4, bytes.length) : bytes.slice(4);
    return new VerbatimString(format, value);
  }

  /** Strings of what may be a push stay bytes: a message frame is made of them. */
  get #isText(): boolean {
    return this.#asText && this.pushType === 0;
  }
}

function isStreamed(bytes: Uint8Array, from: number, end: number): boolean {
  return end - from === 1 && bytes[from] === wire.QUESTION;
}
