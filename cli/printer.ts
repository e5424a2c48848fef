/** How many characters may wait before {@linkcode Printer.isFull} asks for patience. */
const FULL = 64 * 1024;

/** Prints to one stream, in order, while the program goes on with its other work. */
export class Printer {
  readonly #write: (text: string) => Promise<void>;
  readonly #broken = new AbortController();
  #waiting = "";
  #writing: Promise<void> | null = null;

  /** @param write resolves once the text is taken up; called again only then */
  constructor(write: (text: string) => Promise<void>) {
    this.#write = write;
  }

  /** Aborted, with the reason, once the stream takes nothing any more. */
  get broken(): AbortSignal {
    return this.#broken.signal;
  }

  /** Whether so much waits that it is time to {@linkcode flush}. */
  get isFull(): boolean {
    return this.#waiting.length >= FULL;
  }

  /** Whether something is not taken up yet. */
  get isBusy(): boolean {
    return this.#writing !== null;
  }

  /** Prints text. What is printed while the reader is slow is written in one go. */
  print(text: string): void {
    if (this.broken.aborted) return;
    this.#waiting += text;
    this.#writing ??= this.#drain();
  }

  /**
   * Resolves once everything is taken up, or nothing will be any more.
   *
   * @param signal gives the wait up when it is aborted
   * @param grace how long to wait still after that, in ms
   */
  async flush(signal: AbortSignal, grace: number): Promise<void> {
    const writing = this.#writing;
    if (writing === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let giveUp = () => {};
    const given = new Promise<void>((resolve) => {
      giveUp = () => timer = setTimeout(resolve, grace);
    });
    if (signal.aborted) giveUp();
    else signal.addEventListener("abort", giveUp);
    await Promise.race([writing, given]);
    signal.removeEventListener("abort", giveUp);
    clearTimeout(timer);
  }

  async #drain(): Promise<void> {
    try {
      while (this.#waiting !== "") {
        const text = this.#waiting;
        this.#waiting = "";
        await this.#write(text);
      }
    } catch (error) {
      this.#waiting = "";
      this.#broken.abort(error);
    } finally {
      this.#writing = null;
    }
  }
}
