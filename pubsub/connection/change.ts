/** Something that changes, and those who wait for that. */
export class Change {
  readonly #waiting = new Set<() => void>();

  /** It has changed: whoever waits goes on. */
  happen(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Waits until it changes, so many ms at most. */
  next(timeout: number): Promise<void> {
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
