/**
 * Asks one after another, and the next one also while the one before keeps silent; the first answer
 * counts.
 *
 * @param questions asked in this order; each ends when its signal is aborted
 * @param patience after how long without an answer the next is asked as well, in ms
 * @param signal ends all of it
 * @returns the answer
 * @throws {AggregateError} with what each failed with, when all did
 * @throws the signal's reason
 */
export async function inTurn<T>(
  questions: readonly ((signal: AbortSignal) => Promise<T>)[],
  patience: number,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  const race = new AbortController();
  const giveUp = () => race.abort(signal.reason);
  signal.addEventListener("abort", giveUp);
  try {
    return await run(questions, patience, race.signal);
  } finally {
    signal.removeEventListener("abort", giveUp);
    race.abort(new Error("Another one has answered"));
  }
}

function run<T>(
  questions: readonly ((signal: AbortSignal) => Promise<T>)[],
  patience: number,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const waiting = [...questions];
    const failures: unknown[] = [];
    // One for each question: Node warns when many listen to one signal.
    const underWay = new Set<AbortController>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const askNext = () => {
      clearTimeout(timer);
      const question = waiting.shift();
      if (question === undefined) {
        if (underWay.size === 0) reject(new AggregateError(failures, "None has answered"));
        return;
      }
      const end = new AbortController();
      underWay.add(end);
      timer = setTimeout(askNext, patience);
      question(end.signal).then((answer) => {
        clearTimeout(timer);
        resolve(answer);
      }, (error) => {
        failures.push(error);
        underWay.delete(end);
        if (!signal.aborted) askNext();
      });
    };
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      for (const end of underWay) end.abort(signal.reason);
      reject(signal.reason);
    });
    askNext();
  });
}
