import type { Write } from "./ledger.ts";

/** The events that writes cause. */
const EVENTS = [
  "set",
  "append",
  "del",
  "expire",
  "expired",
  "rename_from",
  "rename_to",
] as const;

/** What a write does to its key. */
export type WriteEvent = typeof EVENTS[number];

/** A write while it is not known yet what became of it. */
export type Entry = { -readonly [Name in keyof Write]: Write[Name] };

/**
 * Every write, and what its notification looks like.
 *
 * Each event happens to a key at most once: event and key tell which write it was.
 */
export class Book {
  readonly #entries: Entry[] = [];
  /** By the number in the key, which is that of the write that set it. */
  readonly #numbers = new Map<string, number[]>(EVENTS.map((event) => [event, []]));

  get writes(): readonly Write[] {
    return this.#entries;
  }

  /**
   * Enters a write.
   *
   * @param origin the number in its key; of a new key if left out
   */
  enter(event: WriteEvent, entry: Omit<Entry, "number">, origin?: number): Entry {
    const number = this.#entries.length + 1;
    this.#numbers.get(event)![origin ?? number] = number;
    const entered = { ...entry, number };
    this.#entries.push(entered);
    return entered;
  }

  /**
   * Takes back what is known of a write: it may have happened or not, because the server that said
   * so was no longer the one to say.
   */
  doubt(number: number): void {
    this.#entries[number - 1]!.answeredAt = null;
  }

  /** The number of the write that an event reports; null if there was none. */
  find(event: string, key: string): number | null {
    const origin = /^n:(\d+):/.exec(key)?.[1];
    return this.#numbers.get(event)?.[Number(origin)] ?? null;
  }
}

/** The key with a number in it; longer than it must be if asked. */
export function keyOf(number: number, tag?: string, padding = 0): string {
  return `n:${number}:${tag === undefined ? "" : `{${tag}}`}${"x".repeat(padding)}`;
}
