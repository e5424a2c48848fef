/**
 * Starts attempts one after another: the next one when the one before fails, or has not succeeded
 * within a time. Returns the first success, and aborts the others.
 *
 * @param attempts started in this order; each must end when its signal is aborted
 * @param staggerMs how long after an attempt the next one starts, in ms
 * @param signal ends all of them
 * @throws {AggregateError} with the failure of each attempt, if all fail
 * @throws the signal's reason
 */
export async function raceStaggered<T>(
  attempts: readonly ((signal: AbortSignal) => Promise<T>)[],
  staggerMs: number,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  const race = new AbortController();
  const giveUp = () => race.abort(signal.reason);
  signal.addEventListener("abort", giveUp);
  try {
    return await run(attempts, staggerMs, race.signal);
  } finally {
    signal.removeEventListener("abort", giveUp);
    race.abort(new Error("Another attempt succeeded"));
  }
}

function run<T>(
  attempts: readonly ((signal: AbortSignal) => Promise<T>)[],
  staggerMs: number,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const waiting = [...attempts];
    const failures: unknown[] = [];
    // One for each attempt: Node warns when many listen to one signal.
    const underWay = new Set<AbortController>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const startNext = () => {
      clearTimeout(timer);
      const attempt = waiting.shift();
      if (attempt === undefined) {
        if (underWay.size === 0) reject(new AggregateError(failures, "Every attempt failed"));
        return;
      }
      const end = new AbortController();
      underWay.add(end);
      timer = setTimeout(startNext, staggerMs);
      attempt(end.signal).then((value) => {
        clearTimeout(timer);
        resolve(value);
      }, (error) => {
        failures.push(error);
        underWay.delete(end);
        if (!signal.aborted) startNext();
      });
    };
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      for (const end of underWay) end.abort(signal.reason);
      reject(signal.reason);
    });
    startNext();
  });
}
