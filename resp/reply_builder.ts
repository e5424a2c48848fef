import { decodeText, makeText } from "../bytes/text.ts";
import { RespLimitError, RespSyntaxError } from "./errors.ts";
import { concat } from "./input_buffer.ts";
import {
  bytesOf,
  emptyMessageFrame,
  fillMessageFrame,
  type MessageFrame,
} from "./message_frame.ts";
import { type DecoderSink, type Limits, OBJECT_COST, VALUE_COST } from "./options.ts";
import * as TYPE from "./type_bytes.ts";
import { type Reply, RespMap } from "./types.ts";

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

/**
 * How many elements of an aggregate have places before they arrive, which makes large ones faster. Each
 * level has a sixteenth of the one around it.
 */
const MAX_PLACES = 262_144;

/** Strings of up to this length share blocks, because a buffer for each would be slow. */
const SMALL = 64;

/** Length of such a block, which a string that is kept keeps alive. */
const BLOCK = 1024;

/** An aggregate that awaits elements. */
interface Open {
  /** Its type byte; `STREAM_PART` for a streamed string. */
  readonly type: number;
  /** The aggregate around it. */
  readonly outer: Open | null;
  /** How many items it has when it is complete; infinity for a streamed one. */
  readonly length: number;
  readonly items: Reply[];
  /** How many of the items have arrived. Those after them are empty places. */
  filled: number;
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
  #depth = 0;
  /** Bytes held for the open reply. */
  held = 0;
  /** Filled for each message. */
  readonly frame: MessageFrame = emptyMessageFrame();
  /** Small strings are copied into it. */
  #block: Uint8Array = new Uint8Array(0);
  #blockUsed = 0;
  readonly #sink: DecoderSink;
  readonly #limits: Limits;
  readonly #isText: boolean;
  readonly #maxPlaces: number;

  constructor(sink: DecoderSink, limits: Limits, isText: boolean) {
    this.#sink = sink;
    this.#limits = limits;
    this.#isText = isText;
    this.#maxPlaces = Math.min(MAX_PLACES, limits.maxHeldBytes / VALUE_COST);
  }

  /** Returns the value of a bulk string, as text or as bytes that share no memory with the chunk. */
  stringOf(chunk: Uint8Array, start: number, end: number): Reply {
    const { open } = this;
    const length = end - start;
    if (this.#isText) {
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
   * @param length Its announced length; infinity if it is streamed.
   * @param offset Of its type byte.
   * @param arrayPushes Whether an array may be a push.
   */
  begin(type: number, length: number, offset: number, arrayPushes: boolean): void {
    const { maxElements, maxDepth } = this.#limits;
    const count = length * (type === TYPE.MAP || type === TYPE.ATTRIBUTE ? 2 : 1);
    if (type === TYPE.PUSH && count === 0) {
      throw new RespSyntaxError(offset + 1, "a push of nothing", "at least its kind");
    }
    this.hold(OBJECT_COST, offset);
    if (count > maxElements && length !== Infinity) {
      throw new RespLimitError("maxElements", maxElements, offset);
    }
    if (this.#depth === maxDepth) throw new RespLimitError("maxDepth", maxDepth, offset);
    const mayBePush = type === TYPE.ARRAY && arrayPushes && this.open === null;
    const isStreamed = length === Infinity;
    const places = isStreamed
      ? 0
      : Math.min(count, this.#maxPlaces >> Math.min(31, 4 * this.#depth));
    this.open = {
      type: mayBePush ? ARRAY_OR_PUSH : type,
      outer: this.open,
      length: count,
      items: new Array<Reply>(places),
      filled: 0,
    };
    this.#depth++;
    if (length === 0) this.end();
  }

  /** Closes the innermost aggregate, which is complete. */
  end(): void {
    const value = this.#close(this.open!);
    if (value !== undefined) this.put(value);
  }

  /** Adds a value to the innermost aggregate and closes what is complete, or delivers it. */
  put(value: Reply): void {
    let part: Reply | undefined = value;
    for (let open = this.open; open !== null; open = this.open) {
      open.items[open.filled++] = part;
      if (open.filled < open.length) return;
      part = this.#close(open);
      if (part === undefined) return;
    }
    this.held = 0;
    this.#sink.reply(part);
  }

  /**
   * Closes the innermost aggregate.
   *
   * @returns Its value; `undefined` for a push, which is delivered, and for attributes.
   */
  #close({ type, items, outer }: Open): Reply | undefined {
    this.open = outer;
    this.#depth--;
    switch (type) {
      case TYPE.MAP:
        return new RespMap(items);
      case TYPE.STREAM_PART: {
        const bytes = concat(items as Uint8Array[]);
        return this.#isText ? makeText(bytes, 0, bytes.length) : bytes;
      }
      case TYPE.ATTRIBUTE:
        if (outer === null) this.held = 0;
        return undefined;
      case TYPE.PUSH:
        return this.#deliverPush(items);
      case ARRAY_OR_PUSH:
        return isArrayPush(items) ? this.#deliverPush(items) : items;
      default:
        return items;
    }
  }

  #deliverPush(items: Reply[]): undefined {
    const sink = this.#sink;
    this.held = 0;
    if (sink.message !== undefined && fillMessageFrame(this.frame, items)) {
      sink.message(this.frame);
    } else {
      sink.push(items);
    }
  }
}

function isArrayPush([first]: readonly Reply[]): boolean {
  const kind = bytesOf(first);
  return kind !== null && ARRAY_PUSHES.has(decodeText(kind));
}
