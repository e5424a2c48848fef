const TICK = 5;

/** Lateness that timers have on an idle machine, in ms. */
const USUAL = 3;

/** A stretch in which nothing could run. */
export interface Delay {
  /** When it began, in ms since the epoch. */
  readonly from: number;
  readonly ms: number;
}

/** How much of a stretch of time is part of such stretches, in ms. */
export function overlap(delays: readonly Delay[], from: number, to: number): number {
  let sum = 0;
  for (const { from: begin, ms } of delays) {
    sum += Math.max(0, Math.min(begin + ms, to) - Math.max(begin, from));
  }
  return sum;
}

/**
 * Measures for how long nothing in this process could run, because of its own work or because the
 * machine gave its processors to others.
 */
export class LoopDelay implements Disposable {
  readonly #delays: Delay[] = [];
  #timer: ReturnType<typeof setTimeout>;

  constructor() {
    this.#timer = this.#next();
  }

  #next(): ReturnType<typeof setTimeout> {
    const due = Date.now() + TICK;
    return setTimeout(() => {
      const ms = Date.now() - due;
      if (ms > USUAL) this.#delays.push({ from: due, ms });
      this.#timer = this.#next();
    }, TICK);
  }

  /** The part of a stretch of time in which nothing could run, in ms. */
  stolen(from: number, to: number): number {
    return overlap(this.#delays, from, to);
  }

  /** The longest stretch in which nothing could run, in ms. */
  get longest(): number {
    return this.#delays.reduce((most, { ms }) => Math.max(most, ms), 0);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
