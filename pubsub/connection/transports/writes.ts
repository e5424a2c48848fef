/**
 * The writes of a transport that are under way. Not every runtime settles those that a socket had yet
 * to send when it was closed; here the end of the connection rejects them.
 */
export class Writes {
  readonly #underWay = new Set<(reason: Error) => void>();
  #closedReason: Error | null = null;

  /**
   * Adds a write.
   *
   * @param start begins it, and calls `done` when the runtime has all bytes
   * @returns resolves when it is done; rejects when the connection ends before that
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

  /**
   * Waits until a transport is open. Closes it if that fails, or if the signal is aborted before.
   *
   * @param start calls `done` when the transport is open; the end of the connection rejects as with a
   * write
   * @returns the transport
   * @throws the signal's reason, or the reason for which the connection ended
   */
  async open<T extends { close(): void }>(
    transport: T,
    signal: AbortSignal,
    start: (done: () => void) => void,
  ): Promise<T> {
    const giveUp = () => transport.close();
    signal.addEventListener("abort", giveUp);
    try {
      await this.add(start);
      signal.throwIfAborted();
      return transport;
    } catch (error) {
      transport.close();
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Rejects what is under way, and whatever is added from now on. */
  end(reason: Error): void {
    this.#closedReason ??= reason;
    for (const reject of this.#underWay) reject(this.#closedReason);
    this.#underWay.clear();
  }
}
