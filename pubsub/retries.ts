/** The longest delay after the first failed attempt to come back, in ms. */
const FIRST_DELAY_MS = 50;

/** The longest delay after any number of failed attempts, in ms. */
const MAX_DELAY_MS = 5_000;

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
  return random * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
}

/**
 * Paces the attempts to connect to one server again.
 *
 * The first attempt after a loss is made at once, and those after a failure with backoff. A
 * connection that was made again and is lost within 5 s counts as a failed attempt.
 */
export class Retries {
  /** How many attempts in a row have failed; 0 while there is a connection. */
  failures = 0;
  readonly #now: () => number;
  /** How many connections there have been, and when the last was made. */
  #connections = 0;
  #connectedAt = 0;
  /** How many connections in a row were made again and lost soon. */
  #shortLived = 0;
  #isUrgent = false;
  #urgentAt = -Infinity;

  /** @param now a clock that is never set back, in ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Notes that a connection was made. */
  connected(): void {
    this.failures = 0;
    this.#connections++;
    this.#connectedAt = this.#now();
  }

  /** Notes that the connection was lost. */
  lost(): void {
    const isShort = this.#connections > 1 && this.#now() - this.#connectedAt < STEADY_MS;
    this.#shortLived = isShort ? this.#shortLived + 1 : 0;
    this.failures = this.#shortLived;
  }

  /** Notes that an attempt has failed. */
  failed(): void {
    this.failures++;
  }

  /**
   * Makes the next attempt follow without a pause. Takes effect at most once every 5 s, because a
   * sentinel or a topology may name one server after another.
   *
   * @returns whether it took effect
   */
  hasten(): boolean {
    const now = this.#now();
    if (now - this.#urgentAt < STEADY_MS) return false;
    this.#urgentAt = now;
    this.#isUrgent = true;
    this.failures = this.#shortLived;
    return true;
  }

  /**
   * How long to wait before the next attempt.
   *
   * @param random a number from 0 to 1, exclusive; `Math.random()`
   * @returns the delay in ms
   */
  nextPause(random: number): number {
    return this.#isUrgent ? 0 : backoff(this.failures, random);
  }

  /** Notes that an attempt begins. */
  begun(): void {
    this.#isUrgent = false;
  }
}
