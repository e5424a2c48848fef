import { backoff, STEADY_MS } from "../pubsub/backoff.ts";

/** What a refresher needs to know. */
export interface RefresherOptions {
  /** Asks once; must come to an end by itself. */
  readonly refresh: () => Promise<void>;
  /** How long after an answer to ask again, in ms, give or take a tenth. */
  readonly interval: () => number;
  /** Takes what an attempt failed with; another follows. */
  readonly onFailure: (error: Error) => void;
}

/**
 * Asks again and again: on a timer, when it is told that there is reason to, and with backoff after
 * a failure. One question is under way at a time.
 */
export class Refresher {
  readonly #options: RefresherOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #failures = 0;
  /** How long after this answer to ask again, where the interval is too long. */
  #haste = Infinity;
  #stopped = false;
  /** When the timer is due, by the clock of {@linkcode performance}. */
  #due = 0;
  #runs = 0;
  /** The last hint: its time, the runs before it, and how many came in a row after a run each. */
  #hint = { at: -Infinity, runs: 0, count: 0 };

  constructor(options: RefresherOptions) {
    this.#options = options;
    this.#schedule(this.#interval());
  }

  /**
   * Asks now. A question that is under way already may have been answered before the reason arose,
   * so another follows it, one for all who ask meanwhile.
   *
   * @throws what the question failed with
   */
  request(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    if (this.#running === null) return this.#run();
    this.#next ??= this.#running.catch(() => {}).then(() => {
      this.#next = null;
      return this.#stopped ? undefined : this.#run();
    });
    return this.#next;
  }

  /**
   * Asks because something was noticed: at once if that is rare, and with backoff if each answer
   * gives reason to ask again.
   */
  hint(): void {
    const now = performance.now();
    const { at, runs, count } = this.#hint;
    const inARow = now - at >= STEADY_MS ? 0 : count + (this.#runs > runs ? 1 : 0);
    this.#hint = { at: now, runs: this.#runs, count: inARow };
    const pause = backoff(inARow, Math.random());
    if (inARow === 0) this.request().catch(() => {});
    else if (this.#running !== null) this.hasten(pause);
    // Thousands of hints may come at once, and a timer costs more than a hint.
    else if (pause < this.#due - now) this.#schedule(pause);
  }

  /** Has the next question follow so many ms after the answer that is being worked through. */
  hasten(ms: number): void {
    this.#haste = Math.min(this.#haste, ms);
  }

  /** Asks no more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#runs++;
    const running = this.#options.refresh();
    this.#running = running;
    try {
      await running;
      this.#failures = 0;
    } catch (error) {
      this.#failures++;
      if (!this.#stopped) this.#options.onFailure(error as Error);
      throw error;
    } finally {
      this.#running = null;
      const soon = this.#failures === 0 ? this.#haste : backoff(this.#failures, Math.random());
      this.#haste = Infinity;
      this.#schedule(Math.min(this.#interval(), soon));
    }
  }

  /** Varied, so that those who began at the same time do not go on asking at the same time. */
  #interval(): number {
    return this.#options.interval() * (0.9 + 0.2 * Math.random());
  }

  #schedule(ms: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#due = performance.now() + ms;
    // A failure is told to `onFailure`, and this is nobody's question.
    this.#timer = setTimeout(() => this.request().catch(() => {}), ms);
  }
}
