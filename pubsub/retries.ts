/** The longest delay after the first failed attempt to reconnect, in ms. */
const FIRST_DELAY_MS = 50;

/** The longest delay after any number of failed attempts, in ms. */
const MAX_DELAY_MS = 5_000;

/**
 * A connection that lasts for less than this, in ms, counts as a failed attempt: a peer that closes
 * connections as soon as they are ready is met with backoff, too.
 */
export const STEADY_MS = 5_000;

/**
 * Returns how long to wait before an attempt to reconnect.
 *
 * The first attempt is made at once. After that the longest delay doubles from 50 ms to 5 s, and
 * any delay up to it is equally likely (full jitter), so that many clients of a lost server do not
 * reconnect at the same time.
 *
 * @param attempt how many attempts have failed in a row
 * @param random a number from 0 to 1, exclusive; by default a random one
 * @returns the delay in ms
 */
export function backoff(attempt: number, random: number = Math.random()): number {
  if (attempt === 0) return 0;
  return random * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
}

/**
 * Paces the attempts to reconnect to one server.
 *
 * The first attempt after a loss is made at once, and those after a failure with backoff. A
 * connection that was made again and is lost within 5 s counts as a failed attempt.
 */
export class Retries {
  /** The number of attempts that failed in a row; 0 while connected. */
  failures = 0;
  readonly #now: () => number;
  /** The number of connections made, and the time of the last one. */
  #connections = 0;
  #connectedAt = 0;
  /** The number of reconnections in a row that were lost soon. */
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
   * Returns how long to wait before the next attempt.
   *
   * @param random a number from 0 to 1, exclusive; by default a random one
   * @returns the delay in ms
   */
  nextPause(random?: number): number {
    return this.#isUrgent ? 0 : backoff(this.failures, random);
  }

  /** Notes that an attempt begins. */
  begun(): void {
    this.#isUrgent = false;
  }
}
