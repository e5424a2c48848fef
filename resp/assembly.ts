import { AGGREGATE_COST, SCALAR_COST } from "./costs.ts";
import { RespLimitError } from "./errors.ts";
import type { DecoderLimits } from "./limits.ts";
import { Attributed, type Reply, RespMap, RespSet } from "./types.ts";
import * as wire from "./wire.ts";

/**
 * So many elements of one reply may have places before they come; the places of all others are made
 * as they come. An array of 200,000 strings takes 8 ms so in Node 20, and 17 when it grows.
 */
const MAX_PLACES = 2 ** 18;

/** An aggregate that awaits elements. */
export interface Open {
  readonly type: number;
  /** Whether its end is not known before it comes; `remaining` then counts down from the limit. */
  readonly streamed: boolean;
  items: Reply[];
  /** How many of the items have come; those after them are empty places. */
  filled: number;
  remaining: number;
  /** Attributes that are whole, when the one element awaited is the reply they belong to. */
  attributes: RespMap | null;
}

/**
 * Puts the parts of a reply together as they come: a stack of open aggregates, so that a reply may
 * nest as deep as the limit allows and not as deep as calls may. Limits are kept here; `offset` is
 * always the place in the stream that an error names.
 */
export class Assembly {
  /** The reply or the push that became whole last, until it is taken. */
  #whole: Reply = null;
  readonly #limits: Required<DecoderLimits>;
  readonly #keepsAttributes: boolean;
  readonly #maxHeldBytes: number;
  #stack: Open[] = [];
  /** How many aggregates at the bottom of the stack are attributes that wait for the reply. */
  #waiting = 0;
  #held = 0;
  /** What was held before the push that is open. */
  #heldBefore = 0;
  readonly #maxPlaces: number;
  /** How many places may still be made for this reply. */
  #places: number;

  constructor(limits: Required<DecoderLimits>, keepsAttributes: boolean) {
    this.#limits = limits;
    this.#keepsAttributes = keepsAttributes;
    this.#maxHeldBytes = limits.maxHeldBytes;
    this.#maxPlaces = Math.min(MAX_PLACES, Math.floor(limits.maxHeldBytes / SCALAR_COST));
    this.#places = this.#maxPlaces;
  }

  /** Bytes charged for the reply that is not whole yet. */
  get held(): number {
    return this.#held;
  }

  /** How many aggregates are open. */
  get depth(): number {
    return this.#stack.length;
  }

  /** Whether a push may begin: nothing is open but attributes whose reply has not begun. */
  get mayPush(): boolean {
    return this.#stack.length === this.#waiting;
  }

  /** Whether the innermost open aggregate is a streamed one, which may end now. */
  get streamed(): boolean {
    return this.#stack.at(-1)?.streamed ?? false;
  }

  /** The innermost open aggregate. Whoever puts values into it leaves the last one to `put`. */
  get top(): Open | undefined {
    const stack = this.#stack;
    return stack.length > 0 ? stack[stack.length - 1] : undefined;
  }

  /** Whether the innermost open aggregate is a map that awaits a value. */
  get awaitsValue(): boolean {
    const top = this.#stack.at(-1);
    return top !== undefined && top.type === wire.MAP && top.filled % 2 === 1;
  }

  /** The reply or the push that became whole, which does not live on here. */
  take(): Reply {
    const whole = this.#whole;
    this.#whole = null;
    return whole;
  }

  /** Charges what is about to be held if it may be; whether it may. */
  mayHold(bytes: number): boolean {
    const held = this.#held + bytes;
    if (held > this.#maxHeldBytes) return false;
    this.#held = held;
    return true;
  }

  /** Charges what is about to be held. */
  hold(bytes: number, offset: number): void {
    this.#held += bytes;
    if (this.#held > this.#maxHeldBytes) {
      throw new RespLimitError("maxHeldBytes", this.#maxHeldBytes, offset);
    }
  }

  /**
   * Opens an aggregate.
   *
   * @param count How many elements it has, or -1 for a streamed one.
   * @returns Whether the reply is whole.
   */
  open(type: number, count: number, offset: number): boolean {
    const { maxElements, maxDepth } = this.#limits;
    if (count > maxElements) throw new RespLimitError("maxElements", maxElements, offset);
    if (this.#stack.length === maxDepth) throw new RespLimitError("maxDepth", maxDepth, offset);
    if (type === wire.PUSH) this.#heldBefore = this.#held - AGGREGATE_COST;
    const streamed = count === -1;
    const remaining = streamed ? maxElements + 1 : count;
    const places = streamed ? 0 : Math.min(count, this.#places);
    this.#places -= places;
    const items = new Array<Reply>(places);
    this.#stack.push({ type, streamed, items, filled: 0, remaining, attributes: null });
    return count === 0 && this.close(offset);
  }

  /** Closes the innermost aggregate, which has all its elements; whether the reply is whole. */
  close(offset: number): boolean {
    const value = this.#close(this.#stack.at(-1)!);
    return value !== undefined && this.put(value, offset);
  }

  /** Puts a value into the innermost aggregate; whether the reply, or a push, is whole. */
  put(value: Reply, offset: number): boolean {
    const stack = this.#stack;
    let part = value;
    for (let depth = stack.length; depth > 0; depth = stack.length) {
      const top = stack[depth - 1]!;
      top.items[top.filled++] = part;
      top.remaining--;
      if (top.remaining > 0) return false;
      if (top.streamed) {
        throw new RespLimitError("maxElements", this.#limits.maxElements, offset);
      }
      const closed = this.#close(top);
      if (closed === undefined) return false;
      part = closed;
      if (top.type === wire.PUSH) return this.#endPush(part);
    }
    this.#waiting = 0;
    this.#release();
    this.#whole = part;
    return true;
  }

  /** Forgets everything. */
  clear(): void {
    this.#stack = [];
    this.#whole = null;
  }

  /** Nothing is held any more. */
  #release(): void {
    this.#held = 0;
    this.#places = this.#maxPlaces;
  }

  /** A push ends by itself: attributes below it go on waiting for their reply. */
  #endPush(items: Reply): boolean {
    this.#held = this.#heldBefore;
    this.#places = this.#maxPlaces;
    this.#whole = items;
    return true;
  }

  /**
   * Its value; `undefined` for attributes. Those that are kept stay open for the reply they belong to.
   * Others are forgotten, because a server may have given them to a push, and then no reply follows.
   */
  #close(top: Open): Reply | undefined {
    if (top.type === wire.ATTRIBUTE && top.attributes === null) {
      if (!this.#keepsAttributes) {
        this.#stack.pop();
        if (this.#stack.length === 0) this.#release();
        return undefined;
      }
      top.attributes = new RespMap(top.items);
      top.items = [];
      top.filled = 0;
      top.remaining = 1;
      if (this.#stack.length === this.#waiting + 1) this.#waiting++;
      return undefined;
    }
    this.#stack.pop();
    if (top.attributes !== null) return new Attributed(top.attributes, top.items[0]!);
    if (top.type === wire.MAP) return new RespMap(top.items);
    if (top.type === wire.SET) return new RespSet(top.items);
    return top.items;
  }
}
