import type { MessageFrame } from "./message_frame.ts";
import type { Reply } from "./types.ts";

/**
 * Receives what a decoder has read.
 *
 * @example Replies to one place, messages to another
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
  /** Called for each complete reply, in wire order. */
  reply(reply: Reply): void;
  /**
   * Called with the items of each out-of-band push. The first item names its kind. A push may arrive
   * between any two replies.
   */
  push(items: Reply[]): void;
  /**
   * Called for each pub/sub `message` and `pmessage`, for which no value is created. Without this
   * method they go to {@linkcode push}.
   */
  message?(frame: MessageFrame): void;
}

/**
 * Limits on what a decoder accepts. Each is a whole number of at least 1.
 *
 * With the defaults, a decoder stays far below the memory of the smallest runtimes (128 MiB in
 * Workers), and every reply of the servers' own commands fits. For larger values or replies, raise
 * `maxBulkLength` and `maxHeldBytes` together.
 *
 * @example
 * ```ts
 * import { Decoder, type DecoderLimits } from "@keywatch/keywatch/resp";
 *
 * const limits: DecoderLimits = { maxBulkLength: 2 ** 20, maxHeldBytes: 2 ** 21 }; // bytes
 * new Decoder({ reply: console.log, push: console.log }, limits);
 * ```
 */
export interface DecoderLimits {
  /** Bytes of one line without its type and CR LF, from 32 to 262,144. Default: 65,536. */
  maxLineLength?: number | undefined;
  /** Bytes of one bulk string, streamed or not, up to 536,870,888. Default: 33,554,432 (32 MiB). */
  maxBulkLength?: number | undefined;
  /**
   * Elements of one aggregate, or parts of a streamed string. A map entry counts as two. Default:
   * 1,048,576.
   */
  maxElements?: number | undefined;
  /** The depth of nested aggregates. Default: 128. */
  maxDepth?: number | undefined;
  /**
   * Bytes held for one incomplete reply. Each value counts with its bytes and a flat charge: 192 for a
   * string as bytes and for an aggregate, 1,024 for an error, 48 for others. Default: 67,108,864 (64 MiB).
   */
  maxHeldBytes?: number | undefined;
}

/**
 * Options of a decoder.
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
   * How bulk and verbatim strings are decoded. Default `"bytes"`. As text, invalid UTF-8 becomes
   * U+FFFD.
   */
  strings?: "bytes" | "text" | undefined;
  /** Whether arrays can be pushes; see {@linkcode Decoder.arrayPushes}. Default `false`. */
  arrayPushes?: boolean | undefined;
}

/** All limits. */
export type Limits = Record<keyof DecoderLimits, number>;

/** The default limits. */
export const DEFAULT_LIMITS: Readonly<Limits> = {
  maxLineLength: 2 ** 16,
  maxBulkLength: 2 ** 25,
  maxElements: 2 ** 20,
  maxDepth: 128,
  maxHeldBytes: 2 ** 26,
};

// Flat charges against maxHeldBytes: what a value takes besides its bytes in V8, which needs most.

/** A number, a boolean, a null or a text. */
export const VALUE_COST = 48;
/** A string as bytes, or an aggregate. */
export const OBJECT_COST = 192;
/** An error. */
export const ERROR_COST = 1024;

/** The least and the greatest value of some limits. The others are bounded by their type. */
const BOUNDS: { readonly [name: string]: readonly [least: number, most: number] | undefined } = {
  // A line of 32 bytes holds any number that servers write; a bigint has 2^20 bits in JavaScriptCore.
  maxLineLength: [32, 262_144],
  // The longest string in V8.
  maxBulkLength: [1, 536_870_888],
};

/**
 * Fills in the default limits.
 *
 * @throws {RangeError} If a limit is not a whole number within its bounds.
 */
export function resolveLimits(options: DecoderLimits): Limits {
  const limits = { ...DEFAULT_LIMITS };
  for (const name of Object.keys(limits) as (keyof DecoderLimits)[]) {
    const value = options[name] ?? limits[name];
    const [least, most] = BOUNDS[name] ?? [1, Number.MAX_SAFE_INTEGER];
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      throw new RangeError(
        `Cannot create a decoder: ${name} is ${value}, but must be a whole number of at least ` +
          `${least} and at most ${most}`,
      );
    }
    limits[name] = value;
  }
  return limits;
}
