import process from "node:process";

/** What each round took, in milliseconds: on the clock, and of the processor. */
export interface Rounds {
  readonly wall: number[];
  readonly cpu: number[];
}

/** Takes the time of rounds of so many steps. */
export class Stopwatch implements Rounds {
  readonly wall: number[] = [];
  readonly cpu: number[] = [];
  /** Resolves at the end of the last round. */
  readonly finished: Promise<void>;
  readonly #steps: number;
  readonly #rounds: number;
  #left: number;
  #since = 0;
  #used = process.cpuUsage();
  #finish = () => {};

  constructor(steps: number, rounds: number) {
    this.#steps = steps;
    this.#left = steps;
    this.#rounds = rounds;
    this.finished = new Promise((resolve) => this.#finish = resolve);
  }

  /** So many steps more were done; the time begins with the first. */
  add(steps: number): void {
    if (this.#since === 0) this.#begin();
    this.#left -= steps;
    while (this.#left <= 0) this.#end();
  }

  #begin(): void {
    this.#since = performance.now();
    this.#used = process.cpuUsage();
  }

  #end(): void {
    const { user, system } = process.cpuUsage(this.#used);
    this.wall.push(performance.now() - this.#since);
    this.cpu.push((user + system) / 1000);
    this.#left += this.#steps;
    this.#begin();
    if (this.wall.length === this.#rounds) this.#finish();
  }
}
