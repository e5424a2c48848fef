import { decodeText, makeText } from "../bytes/text.ts";
import { RespLimitError, RespSyntaxError } from "./errors.ts";
import { concat } from "./input_buffer.ts";
import {
  bytesOf,
  emptyMessageFrame,
  fillMessageFrame,
  type MessageFrame,
} from "./message_frame.ts";
import {
  AGGREGATE_COST,
  BYTES_COST,
  type DecoderLimits,
  type DecoderOptions,
  type DecoderSink,
  SCALAR_COST,
  TEXT_COST,
} from "./options.ts";
import * as TYPE from "./type_bytes.ts";
import { Attributed, type Reply, replyToText, RespMap, RespSet } from "./types.ts";

/** Stands for `ARRAY` where the array is a push if its first element says so. */
const ARRAY_OR_PUSH = 0;

/** First elements of the arrays that are pushes on a subscribed RESP2 connection. */
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

/** How many elements of a reply have places before they arrive, which makes large ones faster. */
const MAX_PLACES = 262_144;

/** A streamed string has any number of parts. */
const UNLIMITED = 0x3fff_ffff;

/** Strings of up to this length share blocks, because a buffer for each would be slow. */
const SMALL = 64;

/** Length of such a block, which a string that is kept keeps alive. */
const BLOCK = 1024;

/** An aggregate that awaits elements. */
export interface Open {
  /** Its type byte; `STREAM_PART` for a streamed string. */
  readonly type: number;
  /** The aggregate around it. */
  readonly outer: Open | null;
  /** Whether nothing is around it except attributes that await their reply. */
  readonly isOutermost: boolean;
  /** Whether its end is not known in advance. `remaining` then counts down from the limit. */
  readonly isStreamed: boolean;
  items: Reply[];
  /** How many of the items have arrived. Those after them are empty places. */
  filled: number;
  remaining: number;
  /** The attributes, once they are complete. The element awaited is then their reply. */
  attributes: RespMap | null;
}

/**
 * Builds replies from their parts with a stack of open aggregates, and delivers them.
 *
 * An aggregate costs memory when its elements arrive, not when it is announced, and no call nests
 * deeper for a deeper reply.
 */
export class ReplyBuilder {
  /** The top of the stack: the innermost open aggregate. */
  open: Open | null = null;
  /** How many aggregates are open. */
  depth = 0;
  /** Bytes held for the open reply. */
  held = 0;
  /** Filled for each message. */
  readonly frame: MessageFrame = emptyMessageFrame();
  /** What was held before the open push. */
  #heldBefore = 0;
  /** Whether what is open is or may be a push. */
  #isPush = false;
  /** Small strings are copied into it. */
  #block: Uint8Array = new Uint8Array(0);
  #blockUsed = 0;
  /** How many places may still be made for the open reply. */
  #places: number;
  readonly #maxPlaces: number;
  readonly #sink: DecoderSink;
  readonly #limits: Required<DecoderLimits>;
  readonly #asText: boolean;
  readonly #keepsAttributes: boolean;

  constructor(sink: DecoderSink, limits: Required<DecoderLimits>, options: DecoderOptions) {
    this.#sink = sink;
    this.#limits = limits;
    this.#asText = options.strings === "text";
    this.#keepsAttributes = options.attributes !== "skip";
    this.#maxPlaces = Math.min(MAX_PLACES, Math.floor(limits.maxHeldBytes / SCALAR_COST));
    this.#places = this.#maxPlaces;
  }

  /** Whether nothing is open except attributes that await their reply, so that a push may begin. */
  get isOutermost(): boolean {
    const { open } = this;
    return open === null || (open.isOutermost && open.attributes !== null);
  }

  /** Whether strings become text now. Those of a push do when it is delivered: see `message`. */
  get isText(): boolean {
    return this.#asText && !this.#isPush;
  }

  /** Returns the value of a bulk string, as text or as bytes that share no memory with the chunk. */
  stringOf(chunk: Uint8Array, start: number, end: number, isText: boolean): Reply {
    const { open } = this;
    const length = end - start;
    if (isText) {
      // Names of fields repeat, most values do not.
      const isName = open?.type === TYPE.MAP && open.filled % 2 === 0;
      return isName ? decodeText(chunk, start, end) : makeText(chunk, start, end);
    }
    if (open === null || length > SMALL) return chunk.slice(start, end);
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

  /** Charges what is held from now on for a value that begins at `offset`. */
  hold(bytes: number, offset: number): void {
    const { maxHeldBytes } = this.#limits;
    this.held += bytes;
    if (this.held > maxHeldBytes) throw new RespLimitError("maxHeldBytes", maxHeldBytes, offset);
  }

  /**
   * Opens an aggregate.
   *
   * @param length Its announced length; null if it is streamed.
   * @param offset Of its type byte.
   * @param arrayPushes Whether an array may be a push.
   */
  begin(type: number, length: number | null, offset: number, arrayPushes: boolean): void {
    const { maxElements, maxDepth } = this.#limits;
    const count = (length ?? 0) * (type === TYPE.MAP || type === TYPE.ATTRIBUTE ? 2 : 1);
    if (type === TYPE.PUSH) {
      if (count === 0) {
        throw new RespSyntaxError(offset + 1, "a push of nothing", "at least its kind");
      }
      this.#heldBefore = this.held;
    }
    this.hold(AGGREGATE_COST, offset);
    if (count > maxElements) throw new RespLimitError("maxElements", maxElements, offset);
    if (this.depth === maxDepth) throw new RespLimitError("maxDepth", maxDepth, offset);
    const mayBePush = type === TYPE.ARRAY && arrayPushes && this.open === null;
    if (mayBePush || type === TYPE.PUSH) this.#isPush = true;
    const remaining = length === null ? maxElements + 1 : count;
    this.#push(mayBePush ? ARRAY_OR_PUSH : type, length === null, count, remaining);
    if (length === 0) this.end(offset);
  }

  /** Opens a streamed string: an aggregate of its parts. */
  beginString(offset: number): void {
    this.hold(this.isText ? TEXT_COST : BYTES_COST, offset);
    this.#push(TYPE.STREAM_PART, true, 0, UNLIMITED);
  }

  #push(type: number, isStreamed: boolean, count: number, remaining: number): void {
    const places = Math.min(count, this.#places);
    this.#places -= places;
    this.open = {
      type,
      outer: this.open,
      isOutermost: this.isOutermost,
      isStreamed,
      items: new Array<Reply>(places),
      filled: 0,
      remaining,
      attributes: null,
    };
    this.depth++;
  }

  /** Closes the innermost aggregate, which is complete. */
  end(offset: number): void {
    const value = this.#close(this.open!);
    if (value !== undefined) this.put(value, offset);
  }

  /**
   * Adds a value to the innermost aggregate and closes what is complete, or delivers it.
   *
   * @param offset For the error if a streamed aggregate has too many elements.
   */
  put(value: Reply, offset: number): void {
    let part: Reply | undefined = value;
    for (let open = this.open; open !== null; open = this.open) {
      open.items[open.filled++] = part;
      open.remaining--;
      if (open.remaining > 0) return;
      if (open.isStreamed) {
        throw new RespLimitError("maxElements", this.#limits.maxElements, offset);
      }
      part = this.#close(open);
      if (part === undefined) return;
    }
    this.#release();
    this.#sink.reply(part);
  }

  /**
   * Closes the innermost aggregate.
   *
   * @returns Its value; `undefined` for a push, which is delivered, and for attributes. Attributes
   * stay open for their reply. Those that are skipped do not, because no reply need follow.
   */
  #close(open: Open): Reply | undefined {
    const { type, items, attributes } = open;
    if (type === TYPE.ATTRIBUTE && attributes === null && this.#keepsAttributes) {
      open.attributes = new RespMap(items);
      open.items = [];
      open.filled = 0;
      open.remaining = 1;
      return undefined;
    }
    this.open = open.outer;
    this.depth--;
    switch (type) {
      case TYPE.MAP:
        return new RespMap(items);
      case TYPE.SET:
        return new RespSet(items);
      case TYPE.STREAM_PART: {
        const bytes = concat(items as Uint8Array[]);
        return this.isText ? makeText(bytes, 0, bytes.length) : bytes;
      }
      case TYPE.ATTRIBUTE:
        if (attributes !== null) return new Attributed(attributes, items[0]!);
        if (this.open === null) this.#release();
        return undefined;
      case TYPE.PUSH:
        return this.#deliverPush(items);
      case ARRAY_OR_PUSH:
        return isArrayPush(items) ? this.#deliverPush(items) : this.#withText(items);
      default:
        return items;
    }
  }

  #deliverPush(items: Reply[]): undefined {
    const sink = this.#sink;
    this.#release();
    if (sink.message !== undefined && fillMessageFrame(this.frame, items)) {
      sink.message(this.frame);
    } else {
      sink.push(this.#withText(items) as Reply[]);
    }
  }

  #withText(items: Reply): Reply {
    return this.#asText ? replyToText(items) : items;
  }

  /** The open reply or push holds nothing any more. */
  #release(): void {
    this.held = this.#heldBefore;
    this.#heldBefore = 0;
    this.#isPush = false;
    this.#places = this.#maxPlaces;
  }
}

function isArrayPush([first]: readonly Reply[]): boolean {
  const kind = bytesOf(first);
  return kind !== null && ARRAY_PUSHES.has(decodeText(kind));
}
