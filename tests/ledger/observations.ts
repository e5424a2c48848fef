import type { Gap } from "../../mod.ts";
import type { Book } from "./book.ts";
import type { ReportedGap, Seen } from "./ledger.ts";

/** What a watcher was given, in the order in which it was. */
export class Observations {
  readonly seen: Seen[] = [];
  /** The highest number seen. */
  highest = 0;
  readonly #book: Book;
  readonly #told: Gap[] = [];

  /** @param book says which write a notification is of */
  constructor(book: Book) {
    this.#book = book;
  }

  /** A notification came. */
  see({ eventType, key, timestamp: at, migration }: Notified): void {
    const number = this.#book.find(eventType, key);
    const mark = migration === "maybe" ? { uncertain: true } : {};
    if (number === null) {
      this.seen.push({ kind: "stranger", what: `${eventType} ${key}`, at, ...mark });
    } else this.seen.push({ kind: "write", number, at, ...mark });
    this.highest = Math.max(this.highest, number ?? 0);
  }

  /** A gap came, at its place among the notifications. */
  seeGap(gap: Gap, at: number): void {
    this.seen.push({ kind: "gap", gap, at });
  }

  /** `onGap` was informed of a gap. */
  tell(gap: Gap): void {
    this.#told.push(gap);
  }

  /** Gaps that only the stream or only `onGap` reported. */
  get disagreements(): string[] {
    const inStream = this.seen.flatMap((item) => item.kind === "gap" ? [item.gap] : []);
    // An overflow swallows the gaps that wait in the queue, but not their times.
    const swallowed = (gap: Gap) =>
      inStream.some(({ reason, from, to }) =>
        reason === "overflow" && from <= gap.from && gap.to <= to
      );
    const same = (one: ReportedGap, other: ReportedGap) =>
      JSON.stringify(one) === JSON.stringify(other);
    return [
      ...inStream.filter((gap) => !this.#told.some((told) => same(told, gap)))
        .map((gap) => `onGap was not called with of ${JSON.stringify(gap)}`),
      ...this.#told.filter((told) => !inStream.some((gap) => same(told, gap)) && !swallowed(told))
        .map((gap) => `the stream lacks the gap ${JSON.stringify(gap)}`),
    ];
  }
}

/** What of a notification is looked at. */
export interface Notified {
  readonly eventType: string;
  readonly key: string;
  readonly timestamp: number;
  /** `"maybe"` where a migration may have caused it instead of a command. */
  readonly migration?: unknown;
}
