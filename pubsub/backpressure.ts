/** How many turns in a row consumers may leave unused before they no longer count as prompt. */
const MAX_UNUSED_TURNS = 16;

/**
 * Counts what waits in queues, and lets consumers run before more is read.
 *
 * While bytes are there, runtimes hand them out at once, and reading alone lets nothing else run: a
 * queue would fill, and drop, although its consumer is prompt.
 */
export class Backpressure {
  /** How many items wait, in all queues. */
  waiting = 0;
  #high = false;
  /** Woken when a queue has been emptied. */
  readonly #waking = new Set<() => void>();
  /** Ends the turns of the event loop that are waited for. */
  readonly #turns = new Set<() => void>();
  #isEnded = false;

  /** A queue is filling up. */
  mark(): void {
    this.#high = true;
  }

  /** A queue has been emptied. */
  emptied(): void {
    for (const wake of this.#waking) wake();
  }

  /** Ends all turns: nothing is read any more. */
  end(): void {
    this.#isEnded = true;
    for (const wake of [...this.#waking, ...this.#turns]) wake();
  }

  /** Yields to consumers before more is read; null when nothing waits. */
  yield(): Promise<void> | null {
    return this.waiting === 0 || this.#isEnded ? null : this.#yield();
  }

  async #yield(): Promise<void> {
    // Consumers that take one item after another need no more than turns of this kind, and with them
    // queues stay short.
    for (let unused = 0; this.waiting > 0 && unused < MAX_UNUSED_TURNS;) {
      const before = this.waiting;
      await null;
      if (this.waiting >= before) unused++;
      else {
        unused = 0;
        // Somebody consumes; looking again after each item would cost much of its time.
        if (this.waiting > 0) await this.#emptying();
      }
    }
    // The others get one of the whole event loop, once a queue fills up.
    if (!this.#high || this.#isEnded) return;
    this.#high = false;
    await this.#soon(this.#turns);
  }

  /** Waits until a queue has been emptied, or all consumers have come to wait for something else. */
  #emptying(): Promise<void> {
    // Promises that are settled go before any timer.
    return this.#soon(this.#waking);
  }

  /** Waits for a turn of the event loop, or until it is woken. */
  #soon(waking: Set<() => void>): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        waking.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, 0);
      waking.add(wake);
    });
  }
}
