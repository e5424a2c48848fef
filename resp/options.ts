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
   * between any two replies, and between attributes and the reply that they belong to.
   */
  push(items: Reply[]): void;
  /**
   * Called for each pub/sub `message` and `pmessage`, for which no value is created. Without this
   * method they go to {@linkcode push}, as does a message with a simple string that contains U+FFFD:
   * its bytes are unknown.
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
  /**
   * Bytes of one line without its type and CR LF, from 32 to 536,870,888. Default 65,536. A big
   * number has 262,144 digits at most, because some runtimes support no larger ones.
   */
  maxLineLength?: number;
  /**
   * Bytes of one bulk string, streamed or not. Default 33,554,432. Strings that are decoded as text
   * and bulk errors have 536,870,888 bytes at most, because some runtimes support no longer ones.
   */
  maxBulkLength?: number;
  /** Elements of one aggregate; a map entry counts as two. Default 1,048,576. */
  maxElements?: number;
  /** Aggregates and attributes nested in one another. Default 128. */
  maxDepth?: number;
  /**
   * Bytes held for one incomplete reply. Default 67,108,864. Each value counts with its bytes and a
   * flat charge: 32 for a number, a boolean, a null and a simple string, 48 for a bulk string as text,
   * 192 for one as bytes and for an aggregate, 240 or 384 for a verbatim string, 1,024 for an error.
   */
  maxHeldBytes?: number;
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
   * How bulk strings and the values of verbatim strings are decoded. Default `"bytes"`. As text,
   * invalid UTF-8 becomes U+FFFD.
   */
  strings?: "bytes" | "text";
  /**
   * `"keep"`, the default, delivers a reply with attributes as {@linkcode Attributed}. `"skip"` reads
   * attributes, counts them against the limits, and drops them.
   */
  attributes?: "keep" | "skip";
  /** Whether arrays can be pushes; see {@linkcode Decoder.arrayPushes}. Default `false`. */
  arrayPushes?: boolean;
}

/** The default limits. */
export const DEFAULT_LIMITS: Readonly<Required<DecoderLimits>> = {
  maxLineLength: 2 ** 16,
  maxBulkLength: 2 ** 25,
  maxElements: 2 ** 20,
  maxDepth: 128,
  maxHeldBytes: 2 ** 26,
};

// Flat charges against maxHeldBytes: what a value takes besides its bytes in V8, which needs most.

/** A number, a boolean, a null or a simple string. */
export const SCALAR_COST = 32;
/** A string as text. */
export const TEXT_COST = 48;
/** A string as bytes. */
export const BYTES_COST = 192;
/** An aggregate, and what a verbatim string takes besides its string. */
export const AGGREGATE_COST = 192;
/** An error. */
export const ERROR_COST = 1024;

/** Length of the longest string in V8. JavaScriptCore supports longer ones. */
export const MAX_TEXT = 536_870_888;

/**
 * Fills in the default limits.
 *
 * @throws {RangeError} If a limit is not a whole number within its bounds.
 */
export function resolveLimits(options: DecoderLimits): Required<DecoderLimits> {
  const limits = { ...DEFAULT_LIMITS };
  for (const name of Object.keys(limits) as (keyof DecoderLimits)[]) {
    const value = options[name] ?? limits[name];
    // A line of 32 bytes holds any number that servers write. Most lines become text.
    const [least, most] = name === "maxLineLength" ? [32, MAX_TEXT] : [1, Number.MAX_SAFE_INTEGER];
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
