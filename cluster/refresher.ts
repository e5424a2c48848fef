import { backoff, STEADY_MS } from "../pubsub/retries.ts";

/** What a refresher does, and when. */
export interface RefresherOptions {
  /** Refreshes once. It must end by itself. */
  readonly refresh: () => Promise<void>;
  /** The time from one refresh to the next, in ms, give or take a tenth. */
  readonly interval: () => number;
  /** Called when a refresh fails; another follows. */
  readonly onFailure: (error: Error) => void;
}

/**
 * Refreshes on a timer, on request, and with backoff after a failure. One refresh is under way at a
 * time.
 */
export class Refresher {
  readonly #options: RefresherOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer is due, by the clock of {@linkcode performance}. */
  #due = Infinity;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #failures = 0;
  /** How soon another refresh has to follow the one under way, in ms. */
  #haste = Infinity;
  #stopped = false;
  #runs = 0;
  /** The last hint: its time, the refreshes before it, and how many hints each followed a refresh. */
  #hint = { at: -Infinity, runs: 0, count: 0 };

  constructor(options: RefresherOptions) {
    this.#options = options;
    this.hasten(this.#interval());
  }

  /**
   * Refreshes now. The replies to a refresh under way may be older than the reason for this one, so
   * another follows it, one for all calls meanwhile.
   *
   * @throws what the refresh failed with
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

  /** Refreshes at once if hints are rare, and with backoff if each refresh is followed by one. */
  hint(): void {
    const now = performance.now();
    const { at, runs, count } = this.#hint;
    const inARow = now - at >= STEADY_MS ? 0 : count + (this.#runs > runs ? 1 : 0);
    this.#hint = { at: now, runs: this.#runs, count: inARow };
    const pause = backoff(inARow, Math.random());
    if (inARow === 0) this.request().catch(() => {});
    else this.hasten(pause);
  }

  /** Refreshes within so many ms, or so many ms after a refresh under way. */
  hasten(ms: number): void {
    if (this.#running !== null) {
      this.#haste = Math.min(this.#haste, ms);
      return;
    }
    const due = performance.now() + ms;
    // Thousands of hints may come at once, and a timer costs more than a hint.
    if (this.#stopped || due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    // `onFailure` reports a failure.
    this.#timer = setTimeout(() => this.request().catch(() => {}), ms);
  }

  /** Ends the timer. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#due = Infinity;
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
      this.hasten(Math.min(this.#interval(), soon));
    }
  }

  /** Varies, so that clients that began at the same time do not refresh at the same time. */
  #interval(): number {
    return this.#options.interval() * (0.9 + 0.2 * Math.random());
  }
}
