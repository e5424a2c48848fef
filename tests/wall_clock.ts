/**
 * A wall clock that can be put forward, so that a test need not wait until a period has passed.
 * Timers and `performance.now()` keep their time.
 */
export class WallClock implements Disposable {
  readonly #now: () => number = Date.now;
  #ahead = 0;

  constructor() {
    Date.now = () => this.#now.call(Date) + this.#ahead;
  }

  /** Puts the clock forward. */
  advance(ms: number): void {
    this.#ahead += ms;
  }

  [Symbol.dispose](): void {
    Date.now = this.#now;
  }
}
