import { LATE } from "../../pubsub/delay.ts";
import type { MigrationFilter } from "../migration/filter.ts";

/** How often in a row a timer that is late does not count: this process was busy, not a node silent. */
const PATIENCE = 3;

/** Has a filter decide events that have waited too long. */
export class Deadline {
  readonly #filter: MigrationFilter<unknown>;
  readonly #hold: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Infinity;
  #patience = PATIENCE;

  /** @param hold how long an event may wait, in ms */
  constructor(filter: MigrationFilter<unknown>, hold: number) {
    this.#filter = filter;
    this.#hold = hold;
  }

  /** Events may wait that did not before. */
  schedule(): void {
    if (this.#due !== Infinity) return;
    const { deadline } = this.#filter;
    if (deadline === null) return;
    this.#wakeAt(deadline);
  }

  /** Ends the timer. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #wakeAt(due: number): void {
    this.#due = due;
    this.#timer = setTimeout(() => this.#wake(), Math.max(0, due - performance.now()));
  }

  #wake(): void {
    const now = performance.now();
    // The proof may have come, unread.
    if (now - this.#due > LATE && this.#patience > 0) {
      this.#patience--;
      return this.#wakeAt(now + this.#hold);
    }
    this.#patience = PATIENCE;
    this.#due = Infinity;
    this.#filter.tick(now);
    this.schedule();
  }
}
