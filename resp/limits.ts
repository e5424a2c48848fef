/**
 * What a decoder accepts at most. Every limit is a whole number of at least 1.
 *
 * By default nothing a decoder holds comes near what the smallest runtimes have (128 MiB in Workers),
 * and any reply of the servers' own commands fits. For values or replies that are larger, raise
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
   * Bytes of one line, without its type and its CR LF. Default 65,536, at least 32 and at most
   * 536,870,888. A big number may have 262,144 at most, whatever is given: larger ones are none in
   * some runtimes.
   */
  maxLineLength?: number;
  /**
   * Bytes of one bulk string, streamed or not. Default 33,554,432. What becomes text, as bulk errors
   * always do, may have 536,870,888 at most, whatever is given: no longer string fits every runtime.
   * A server keeps 536,870,912 unless it was told otherwise.
   */
  maxBulkLength?: number;
  /** Elements of one aggregate; an entry of a map counts as two. Default 1,048,576. */
  maxElements?: number;
  /** Aggregates and attributes inside one another. Default 128. */
  maxDepth?: number;
  /**
   * Bytes held for one reply while it is unfinished: those of its strings, and for each value a flat
   * charge for what it takes beside them: 32 for a number, a boolean, a null and a simple string, 48
   * for a bulk string as text, 192 for one as bytes and for an aggregate, 240 or 384 for a verbatim
   * string, 1,024 for an error. Default 67,108,864: a million short texts, 300,000 as bytes.
   */
  maxHeldBytes?: number;
}

/**
 * The limits with their defaults.
 *
 * @example
 * ```ts
 * import { Decoder, DEFAULT_LIMITS } from "@keywatch/keywatch/resp";
 *
 * const maxHeldBytes = DEFAULT_LIMITS.maxHeldBytes / 4;
 * new Decoder({ reply: console.log, push: console.log }, { maxHeldBytes });
 * ```
 */
export const DEFAULT_LIMITS: Readonly<Required<DecoderLimits>> = {
  maxLineLength: 2 ** 16,
  maxBulkLength: 2 ** 25,
  maxElements: 2 ** 20,
  maxDepth: 128,
  maxHeldBytes: 2 ** 26,
};

// Flat charges against maxHeldBytes: what a value takes beside its bytes in V8, which needs most.

/** Of a number, a boolean, a null, a simple string. */
export const SCALAR_COST = 32;
/** Of a string that becomes text. */
export const TEXT_COST = 48;
/** Of a string that stays bytes. */
export const BYTES_COST = 192;
/** Of an aggregate; of a verbatim string beside that of its text or bytes. */
export const AGGREGATE_COST = 192;
/** Of an error. */
export const ERROR_COST = 1024;

/** The longest string of V8; JavaScriptCore has longer ones. */
export const MAX_TEXT: number = 2 ** 29 - 24;

/** So many digits fit 2^20 bits, the most that a bigint has in JavaScriptCore. */
export const MAX_DIGITS: number = 2 ** 18;

const LEAST: Readonly<Partial<DecoderLimits>> = {
  // Holds every number that servers write, and every length on the straight paths.
  maxLineLength: 32,
};

const MOST: Readonly<Partial<DecoderLimits>> = {
  // Most lines become text.
  maxLineLength: MAX_TEXT,
};

/**
 * Fills in the defaults.
 *
 * @throws {RangeError} When a limit is no whole number, too small or too large.
 */
export function resolveLimits(options: DecoderLimits): Required<DecoderLimits> {
  const limits = { ...DEFAULT_LIMITS };
  for (const name of Object.keys(DEFAULT_LIMITS) as (keyof DecoderLimits)[]) {
    const value = options[name];
    if (value === undefined) continue;
    const least = LEAST[name] ?? 1;
    const most = MOST[name] ?? Number.MAX_SAFE_INTEGER;
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      throw new RangeError(
        `Cannot make a decoder: ${name} is ${value}, but must be a whole number of at least ` +
          `${least}${name in MOST ? ` and at most ${most}` : ""}`,
      );
    }
    limits[name] = value;
  }
  return limits;
}
