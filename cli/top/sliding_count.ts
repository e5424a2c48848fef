/** Counts what happens, in all and in each of the last seconds. Seconds are whole, of one's choice. */
export class SlidingCount {
  /** How many there were in all. */
  total = 0;
  readonly #buckets: Uint32Array;
  #second = 0;

  /** @param seconds how many seconds it remembers, the running one among them */
  constructor(seconds: number) {
    this.#buckets = new Uint32Array(seconds);
  }

  /** Counts one. A second before the last one that was named counts as that. */
  add(second: number): void {
    this.#advance(second);
    this.total++;
    this.#buckets[this.#second % this.#buckets.length]!++;
  }

  /** How many there were in so many seconds before this one, which is not among them. */
  before(second: number, seconds: number): number {
    this.#advance(second);
    let sum = 0;
    for (let back = seconds; back > 0; back--) sum += this.#ago(back);
    return sum;
  }

  /** How many there were in each of so many seconds before this one, the oldest first. */
  each(second: number, seconds: number): number[] {
    this.#advance(second);
    return Array.from({ length: seconds }, (_, i) => this.#ago(seconds - i));
  }

  #ago(seconds: number): number {
    const { length } = this.#buckets;
    const at = this.#second - seconds;
    return at < 0 || seconds >= length ? 0 : this.#buckets[at % length]!;
  }

  #advance(second: number): void {
    const { length } = this.#buckets;
    const passed = Math.min(second - this.#second, length);
    for (let i = 1; i <= passed; i++) this.#buckets[(second - passed + i) % length] = 0;
    this.#second = Math.max(second, this.#second);
  }
}
