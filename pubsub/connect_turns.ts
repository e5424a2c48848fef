import { type Address, formatAddress } from "./connection/transport.ts";

/** Admits a limited number of callers at a time. The others wait and are admitted in order. */
class Semaphore {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** Waits to be admitted. The caller must then call {@linkcode release}. */
  acquire(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const go = () => {
        signal.removeEventListener("abort", giveUp);
        this.#waiting.delete(go);
        this.#free--;
        resolve();
      };
      const giveUp = () => {
        this.#waiting.delete(go);
        reject(signal.reason);
      };
      if (this.isIdle) return go();
      signal.addEventListener("abort", giveUp, { once: true });
      this.#waiting.add(go);
    });
  }

  release(): void {
    this.#free++;
    const [next] = this.#waiting;
    next?.();
  }

  /** Whether another caller would be admitted at once. */
  get isIdle(): boolean {
    return this.#free >= 1;
  }
}

/**
 * Limits how many attempts to connect are under way at once, and to one address to a single one,
 * however many nodes a server names. An attempt lasts until the server has accepted the password.
 */
export class ConnectTurns {
  readonly #all: Semaphore;
  readonly #ofAddress = new Map<string, Semaphore>();

  /** @param most how many attempts may be under way at once */
  constructor(most: number) {
    this.#all = new Semaphore(most);
  }

  /**
   * Makes an attempt when it is its turn, in the order of the calls. The attempt must not wait for
   * another one.
   *
   * @param signal ends the wait; the attempt itself must end with it too
   * @throws what the attempt throws
   * @throws the signal's reason
   */
  async run<T>(address: Address, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const name = formatAddress(address).toLowerCase();
    const one = this.#ofAddress.get(name) ?? new Semaphore(1);
    this.#ofAddress.set(name, one);
    await one.acquire(signal);
    try {
      await this.#all.acquire(signal);
      try {
        return await attempt();
      } finally {
        this.#all.release();
      }
    } finally {
      one.release();
      if (one.isIdle) this.#ofAddress.delete(name);
    }
  }
}

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
  const waiting = [...attempts];
  const failures: unknown[] = [];
  // One for each attempt: Node warns when many listen to one signal.
  const underWay = new Set<AbortController>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let giveUp!: () => void;
  try {
    return await new Promise<T>((resolve, reject) => {
      giveUp = () => reject(signal.reason);
      signal.addEventListener("abort", giveUp);
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
        attempt(end.signal).then(resolve, (error) => {
          failures.push(error);
          underWay.delete(end);
          startNext();
        });
      };
      startNext();
    });
  } finally {
    signal.removeEventListener("abort", giveUp);
    clearTimeout(timer);
    // An attempt that fails from now on starts no other one.
    waiting.length = 0;
    const reason = signal.aborted ? signal.reason : new Error("Another attempt succeeded");
    for (const end of underWay) end.abort(reason);
  }
}
