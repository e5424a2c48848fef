import type { Expected } from "./workload.ts";

/** How often an event came, and how often it should have. */
export interface EventCount {
  readonly event: string;
  readonly received: number;
  readonly expected: number;
}

/** Holds what came against what must come. */
export class Ledger {
  readonly #expected: readonly Expected[];
  readonly #missing: Expected[];
  readonly #unexpected: Expected[] = [];
  readonly #received = new Map<string, number>();

  /** @param expected what must come, in any order */
  constructor(expected: readonly Expected[]) {
    this.#expected = expected;
    this.#missing = [...expected];
  }

  /** Enters what came. */
  enter(received: Expected): void {
    this.#received.set(received.event, (this.#received.get(received.event) ?? 0) + 1);
    const place = this.#missing.findIndex((expected) => same(expected, received));
    if (place === -1) this.#unexpected.push(received);
    else this.#missing.splice(place, 1);
  }

  /** What has not come. */
  get missing(): readonly Expected[] {
    return this.#missing;
  }

  /** What came and should not have. */
  get unexpected(): readonly Expected[] {
    return this.#unexpected;
  }

  /** How many must come. */
  get expected(): number {
    return this.#expected.length;
  }

  /** How many came. */
  get received(): number {
    return [...this.#received.values()].reduce((sum, count) => sum + count, 0);
  }

  /** The events by name, the most frequent first. */
  byEvent(): EventCount[] {
    const names = new Set([...this.#expected.map(({ event }) => event), ...this.#received.keys()]);
    const counts = [...names].map((event) => ({
      event,
      received: this.#received.get(event) ?? 0,
      expected: this.#expected.filter((expected) => expected.event === event).length,
    }));
    return counts.sort((a, b) => b.received - a.received || a.event.localeCompare(b.event));
  }
}

function same(a: Expected, b: Expected): boolean {
  return a.database === b.database && a.event === b.event && a.key === b.key;
}
