/** What a decoder accepts at most. Every limit is a whole number of at least 1. */
export interface DecoderLimits {
  /** Bytes of one line, without its type and its CR LF. Default 65,536, at least 32. */
  maxLineLength?: number;
  /** Bytes of one bulk string, streamed or not. Default 536,870,912, the most a server keeps. */
  maxBulkLength?: number;
  /** Elements of one aggregate; an entry of a map counts as two. Default 16,777,216. */
  maxElements?: number;
  /** Aggregates and attributes inside one another. Default 128. */
  maxDepth?: number;
  /**
   * Bytes held for one reply while it is unfinished: those of its strings, and for each value a flat
   * charge for what it takes beside them: 64 for a number, a boolean, a null and a simple string, 256
   * for a bulk string and an aggregate, 1,024 for an error. Default 2,147,483,648.
   */
  maxHeldBytes?: number;
}

/** The limits with their defaults. */
export const DEFAULT_LIMITS: Readonly<Required<DecoderLimits>> = {
  maxLineLength: 2 ** 16,
  maxBulkLength: 2 ** 29,
  maxElements: 2 ** 24,
  maxDepth: 128,
  maxHeldBytes: 2 ** 31,
};

/** Holds every number that servers write, and every length on the straight paths. */
const LEAST_LINE = 32;

/**
 * Fills in the defaults.
 *
 * @throws {RangeError} When a limit is no whole number or too small.
 */
export function resolveLimits(options: DecoderLimits): Required<DecoderLimits> {
  const limits = { ...DEFAULT_LIMITS };
  for (const name of Object.keys(DEFAULT_LIMITS) as (keyof DecoderLimits)[]) {
    const value = options[name];
    if (value === undefined) continue;
    const least = name === "maxLineLength" ? LEAST_LINE : 1;
    if (!Number.isSafeInteger(value) || value < least) {
      throw new RangeError(
        `Cannot make a decoder: ${name} is ${value}, but must be a whole number of at least ${least}`,
      );
    }
    limits[name] = value;
  }
  return limits;
}
