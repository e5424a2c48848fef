/** The longest delay after the first failed attempt to come back, in ms. */
const FIRST = 50;

/** The longest delay after any number of failed attempts, in ms. */
const LONGEST = 5_000;

/**
 * A connection that lasts for less than this, in ms, counts as a failed attempt: a peer that closes
 * connections as soon as they are ready is met with backoff, too.
 */
export const STEADY_MS = 5_000;

/**
 * How long to wait before an attempt to connect again.
 *
 * The first attempt is made at once. After that the longest delay doubles from 50 ms to 5 s, and
 * any delay up to it is as likely as another (full jitter), so that many clients that lost the same
 * server do not come back as one.
 *
 * @param attempt how many attempts have failed in a row
 * @param random a number from 0 to 1, exclusive; `Math.random()`
 * @returns the delay in ms
 */
export function backoff(attempt: number, random: number): number {
  if (attempt === 0) return 0;
  return random * Math.min(LONGEST, FIRST * 2 ** (attempt - 1));
}
