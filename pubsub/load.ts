/** How many turns in a row a reader may leave unused before it no longer counts as prompt. */
const PATIENCE = 16;

/**
 * How much waits in queues, and turns for those who read it.
 *
 * While bytes are there, runtimes hand them out at once, and reading alone lets nothing else run: a
 * queue would fill, and drop, although its reader is prompt.
 */
export class Load {
  /** How many items wait, in all queues. */
  waiting = 0;
  #high = false;
  /** Woken when a queue has been emptied. */
  readonly #waking = new Set<() => void>();

  /** A queue is filling up. */
  raise(): void {
    this.#high = true;
  }

  /** A queue has been emptied. */
  emptied(): void {
    for (const wake of this.#waking) wake();
  }

  /** A turn for the readers, to be waited for before more is read; null when nothing waits. */
  turn(): Promise<void> | null {
    return this.waiting === 0 ? null : this.#giveTurn();
  }

  async #giveTurn(): Promise<void> {
    // Readers that take one item after another need no more than turns of this kind, and with them
    // queues stay short.
    for (let unused = 0; this.waiting > 0 && unused < PATIENCE;) {
      const before = this.waiting;
      await null;
      if (this.waiting >= before) unused++;
      else {
        unused = 0;
        // Somebody reads; looking again after each item would cost much of its time.
        if (this.waiting > 0) await this.#emptying();
      }
    }
    // The others get one of the whole event loop, once a queue fills up.
    if (!this.#high) return;
    this.#high = false;
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
  }

  /** Waits until a queue has been emptied, or all readers have come to wait for something else. */
  #emptying(): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waking.delete(wake);
        resolve();
      };
      // Promises that are settled go before any timer.
      const timer = setTimeout(wake, 0);
      this.#waking.add(wake);
    });
  }
}
