/**
 * The writes that are under way. Not every runtime settles those that a socket had yet to send when
 * it was closed; here the end of the connection rejects them.
 */
export class Writes {
  readonly #underWay = new Set<(reason: Error) => void>();
  #closedReason: Error | null = null;

  /**
   * @param start hands bytes to the runtime, and calls `done` when it has them all; if that fails it
   * calls {@linkcode Writes.end}
   * @returns resolves when it is done, rejects when writing is over before that
   */
  add(start: (done: () => void) => void): Promise<void> {
    if (this.#closedReason !== null) return Promise.reject(this.#closedReason);
    return new Promise((resolve, reject) => {
      this.#underWay.add(reject);
      start(() => {
        this.#underWay.delete(reject);
        resolve();
      });
    });
  }

  /** Rejects what is under way, and whatever is to be written from now on. */
  end(reason: Error): void {
    if (this.#closedReason !== null) return;
    this.#closedReason = reason;
    for (const reject of this.#underWay) reject(reason);
    this.#underWay.clear();
  }
}
