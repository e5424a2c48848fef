import { CUT, OTHER } from "./bulk.ts";
import { AGGREGATE_COST, BYTES_COST } from "./costs.ts";
import type { DecoderLimits } from "./limits.ts";
import { emptyMessageFrame, type MessageFrame, readMessageFrame } from "./message_frame.ts";
import { viewOf } from "../bytes/view.ts";

/** Elements of the longest message. */
const ELEMENTS = 4;

/** Length of the longer kind. */
const KIND = "pmessage".length;

/** What the general path charges for the longest message beside its bytes. */
const COST = AGGREGATE_COST + ELEMENTS * BYTES_COST + KIND;

/** Longest message that is carried over from one chunk to the next, in bytes. */
const CARRY = 4096;

/** So many bytes of the next chunk are tried first; most messages need no more. */
const FIRST_TRY = 96;

/**
 * So many bytes are copied in a loop, four at a time. For a few that is faster than to make an array
 * of them for `set`, by 40 ns a chunk of 1,400 bytes in Bun; byte by byte would take 20 more in Deno
 * and 70 in Node 20.
 */
const LOOPED = 128;

/**
 * The straight path of messages: one look at each of their bytes and nothing made of them. A short
 * one that is cut is carried over, so that it goes the same way when the rest has come; on the
 * general path a cut message takes a microsecond more, in chunks of 1,400 bytes half of all time.
 */
export class MessageReader {
  /** The message that was read last. */
  readonly frame: MessageFrame = emptyMessageFrame();
  /** Longer parts are for the general path; and all are, where a limit is in reach. */
  readonly maxLength: number;
  /** How many bytes are carried over. */
  carried = 0;
  #carry: Uint8Array | null = null;

  constructor({ maxBulkLength, maxElements, maxHeldBytes }: Required<DecoderLimits>) {
    const held = Math.floor((maxHeldBytes - COST) / (ELEMENTS - 1));
    const isLimited = maxElements < ELEMENTS || maxBulkLength < KIND;
    this.maxLength = isLimited ? -1 : Math.min(maxBulkLength, held);
  }

  /** Carries over what a chunk has of a message from `start` on; whether it may be. */
  carry(chunk: Uint8Array, start: number): boolean {
    const length = chunk.length - start;
    if (this.maxLength < 0 || length > CARRY / 2) return false;
    this.#carry ??= new Uint8Array(CARRY);
    copyBytes(chunk, start, this.#carry, 0, length);
    this.carried = length;
    return true;
  }

  /**
   * Reads on the message that is carried over.
   *
   * @returns Where it ends in this chunk; or {@linkcode CUT} when all of the chunk is carried over
   * too, {@linkcode OTHER} when the general path must read what is carried and go on from there.
   */
  readOn(chunk: Uint8Array): number {
    const carry = this.#carry!;
    const carried = this.carried;
    const most = Math.min(chunk.length, CARRY - carried);
    let end = CUT;
    for (let count = 0; end === CUT && count < most;) {
      const before = count;
      count = Math.min(most, count === 0 ? FIRST_TRY : count * 4);
      copyBytes(chunk, before, carry, carried + before, count - before);
      end = readMessageFrame(this.frame, carry, 0, carried + count, this.maxLength);
    }
    if (end === CUT && most === chunk.length) {
      this.carried += most;
      return CUT;
    }
    if (end < 0) return OTHER;
    this.carried = 0;
    return end - carried;
  }

  /** Gives up what is carried over. */
  take(): Uint8Array {
    const bytes = this.#carry!.subarray(0, this.carried);
    this.carried = 0;
    return bytes;
  }
}

function copyBytes(
  source: Uint8Array,
  start: number,
  target: Uint8Array,
  place: number,
  length: number,
): void {
  if (length > LOOPED) {
    target.set(source.subarray(start, start + length), place);
  } else {
    const from = viewOf(source);
    const to = viewOf(target);
    let i = 0;
    for (; i + 4 <= length; i += 4) to.setInt32(place + i, from.getInt32(start + i, true), true);
    for (; i < length; i++) target[place + i] = source[start + i]!;
  }
}
