/** Wakes those who wait for something to change. */
export class Signal {
  readonly #waiting = new Set<() => void>();

  /** Ends every wait. */
  notify(): void {
    for (const wake of this.#waiting) wake();
  }

  /**
   * Waits for the next {@linkcode notify}.
   *
   * @param timeout how long at most, in ms
   */
  wait(timeout: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeout);
      this.#waiting.add(wake);
    });
  }
}
