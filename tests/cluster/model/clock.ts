import { setImmediate } from "node:timers";
import { Random } from "../../random.ts";

/** Something that is to happen at a time. */
interface Task {
  at: number;
  serial: number;
  readonly run: () => void;
  /** Whether it runs in the client's process, which can be paused. */
  readonly isClients: boolean;
  isCancelled: boolean;
}

/** What a clock replaces while it is installed. */
const { setTimeout, clearTimeout, Date: RealDate, Math: RealMath } = globalThis;

/** How many tasks a run may take: more means that something repeats without end. */
const MOST_TASKS = 3_000_000;

/**
 * A clock that only a test advances, with the tasks of servers, network and client in one order. While
 * it is installed, the library's timers, times and random numbers come from it, so that everything
 * depends on the seed alone.
 */
export class VirtualClock implements Disposable {
  /** When the clock starts, in ms since the epoch. */
  static readonly START = 1_800_000_000_000;
  /** The time, in ms since the start. */
  now = 0;
  readonly #heap: Task[] = [];
  readonly #timeouts = new Map<number, Task>();
  readonly #realNow = performance.now;
  readonly #realDateNow = RealDate.now;
  readonly #realRandom = RealMath.random;
  #serial = 0;
  #timerId = 0;
  #tasks = 0;
  #pausedUntil = 0;
  #isClientTouched = false;

  /** Installs the clock until it is disposed. */
  constructor(seed: number) {
    const random = new Random(seed);
    const timeouts = this.#timeouts;
    const later = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): number => {
      const id = ++this.#timerId;
      const task = this.#add(this.now + Math.max(1, Number(ms) || 0), true, () => {
        timeouts.delete(id);
        callback(...args);
      });
      timeouts.set(id, task);
      return id;
    };
    const cancel = (id?: number): void => {
      const task = timeouts.get(id!);
      if (task === undefined) return;
      timeouts.delete(id!);
      task.isCancelled = true;
    };
    globalThis.setTimeout = later as unknown as typeof setTimeout;
    globalThis.clearTimeout = cancel as typeof clearTimeout;
    performance.now = () => this.now;
    RealDate.now = () => this.epoch;
    RealMath.random = () => random.next();
  }

  /** The time in whole ms since the epoch. */
  get epoch(): number {
    return VirtualClock.START + Math.floor(this.now);
  }

  /** How many timers of the client are waiting. */
  get timers(): number {
    return this.#timeouts.size;
  }

  /** Does something so many ms from now. */
  after(ms: number, run: () => void): void {
    this.#add(this.now + ms, false, run);
  }

  /** Does something in the client's process so many ms from now, or as soon as it is not paused. */
  afterInClient(ms: number, run: () => void): void {
    this.#add(this.now + ms, true, run);
  }

  /** Stops the client's process for so many ms. */
  pauseClient(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.now + ms);
  }

  /** Notes that the client has something to do now. */
  touchClient(): void {
    this.#isClientTouched = true;
  }

  /** Advances by so many ms, or until a condition holds. */
  async run(ms: number, isDone: () => boolean = () => false): Promise<void> {
    const end = this.now + ms;
    await this.#settle();
    while (!isDone()) {
      const task = this.#heap[0];
      if (task === undefined || task.at > end) {
        this.now = end;
        return;
      }
      this.#takeFirst();
      if (task.isCancelled) continue;
      if (task.isClients && task.at < this.#pausedUntil) {
        // Those that were due in the meantime keep their order.
        task.at = this.#pausedUntil;
        task.serial = this.#serial++;
        this.#insert(task);
        continue;
      }
      if (++this.#tasks > MOST_TASKS) throw new Error("The run takes too many tasks");
      this.now = Math.max(this.now, task.at);
      task.run();
      if (task.isClients) this.#isClientTouched = true;
      await this.#settle();
    }
  }

  /** Lets the client do all that it can do without time passing. */
  async #settle(): Promise<void> {
    while (this.#isClientTouched) {
      this.#isClientTouched = false;
      // All promises are settled before this.
      await new Promise<void>((resolve) => setImmediate(() => resolve()));
    }
  }

  #add(at: number, isClients: boolean, run: () => void): Task {
    const task = { at, serial: this.#serial++, run, isClients, isCancelled: false };
    this.#insert(task);
    return task;
  }

  #insert(task: Task): void {
    const heap = this.#heap;
    let at = heap.push(task) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(task, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = task;
  }

  #takeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }

  [Symbol.dispose](): void {
    globalThis.setTimeout = setTimeout;
    globalThis.clearTimeout = clearTimeout;
    performance.now = this.#realNow;
    RealDate.now = this.#realDateNow;
    RealMath.random = this.#realRandom;
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.at < b.at || a.at === b.at && a.serial < b.serial;
}
