/** Lets callers pass while it is open, and wait while it is closed. */
export class Gate {
  #opened: PromiseWithResolvers<void> | null = null;

  get isOpen(): boolean {
    return this.#opened === null;
  }

  close(): void {
    this.#opened ??= Promise.withResolvers();
  }

  open(): void {
    this.#opened?.resolve();
    this.#opened = null;
  }

  /** Resolves while it is open. */
  async pass(): Promise<void> {
    while (this.#opened !== null) await this.#opened.promise;
  }
}
