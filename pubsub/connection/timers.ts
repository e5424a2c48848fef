/** For how long a server may leave a `PING` unanswered before it counts as silent, in ms. */
export const SILENT_MS = 1_000;

/** How much later than due, in ms, a timer may fire before this process counts as busy. */
export const TIMER_SLACK_MS = 250;

/** Does some work repeatedly, each time `ms` after the last was done, until the signal is aborted. */
export async function repeat(
  ms: number,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  for (;;) {
    try {
      await delay(ms, signal);
    } catch {
      return;
    }
    await work();
  }
}

/**
 * Waits.
 *
 * @param ms how long
 * @param signal ends the wait
 * @throws the signal's reason
 */
export function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal.addEventListener("abort", abort, { once: true });
  });
}

/**
 * Waits for work, unless the signal is aborted before it is done. The work goes on then.
 *
 * @throws the signal's reason, or what the work throws
 */
export function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

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

/**
 * Does some work within a deadline. Work that ignores its signal is not waited for.
 *
 * @param ms the deadline
 * @param signal aborts the work
 * @param late makes the error for work that is not done in time
 * @param work does the work, and stops when its signal is aborted
 * @param discard takes the result of work that is done after it was aborted
 * @throws the error of `late`, the signal's reason, or what the work throws
 */
export async function withDeadline<T>(
  ms: number,
  signal: AbortSignal,
  late: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
  discard: (value: T) => void = () => {},
): Promise<T> {
  signal.throwIfAborted();
  const attempt = new AbortController();
  const giveUp = () => attempt.abort(signal.reason);
  signal.addEventListener("abort", giveUp);
  const timer = setTimeout(() => attempt.abort(late()), ms);
  try {
    return await new Promise<T>((resolve, reject) => {
      attempt.signal.addEventListener("abort", () => reject(attempt.signal.reason), { once: true });
      work(attempt.signal).then((value) => {
        if (attempt.signal.aborted) discard(value);
        else resolve(value);
      }, reject);
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}
