import type { Gap, KeyNotification } from "@keywatch/keywatch";
import { describeEvent } from "@keywatch/keywatch/events";

/** Kinds of events, in the order in which they are stacked. */
export const KINDS = [
  "strings",
  "hashes",
  "lists",
  "sets",
  "streams",
  "generic",
  "expired",
  "evicted",
  "other",
] as const;
export type Kind = typeof KINDS[number];

/** By the letters of the classes of events in `notify-keyspace-events`. */
const KIND_OF_CLASS: Readonly<Record<string, Kind>> = {
  $: "strings",
  h: "hashes",
  l: "lists",
  s: "sets",
  z: "sets",
  t: "streams",
  g: "generic",
  x: "expired",
  e: "evicted",
};

/** The kind of an event. */
export function kindOf(event: string): Kind {
  return KIND_OF_CLASS[describeEvent(event).class ?? ""] ?? "other";
}

/** An event or a gap, in the order in which they came; the page draws both. */
export type Item =
  | {
    readonly id: number;
    readonly type: "event";
    readonly at: number;
    readonly kind: Kind;
    readonly event: string;
    readonly key: string;
    readonly database: number;
    readonly node: string | null;
  }
  | { readonly id: number; readonly type: "gap" } & Omit<Gap, "kind">;

/** What a page receives: at first everything that is kept, then what is new. */
export interface Update {
  /** The time here, in ms since the epoch. */
  readonly now: number;
  /** The counts of each second, by kind in the order of {@linkcode KINDS}. */
  readonly seconds: readonly (readonly [second: number, counts: readonly number[]])[];
  readonly items: readonly Item[];
  /** How many events came that are not among the items, because they were too many. */
  readonly skipped: number;
  /** How many events came since the start. */
  readonly events: number;
}

/** How many seconds are kept. */
const SECONDS = 300;
/** How many items are kept, and sent at once at most. */
const ITEMS = 60;
/** How many gaps are kept, whatever came after them. */
const GAPS = 40;
/** How much of a key or of an event's name is kept, in characters. */
const LENGTH = 200;

function clip(text: string): string {
  return text.length > LENGTH ? `${text.slice(0, LENGTH)}…` : text;
}

/** What has come, by second and kind, and what came last. Bounded, however much comes. */
export class Feed {
  readonly #seconds = new Map<number, number[]>();
  #items: Item[] = [];
  #gaps: Item[] = [];
  #changed = new Set<number>();
  #fresh: Item[] = [];
  #skipped = 0;
  #events = 0;
  #id = 0;

  /** Enters an event. */
  event({ eventType, key, database, node, timestamp }: KeyNotification): void {
    const kind = kindOf(eventType);
    const second = Math.floor(timestamp / 1_000);
    let counts = this.#seconds.get(second);
    if (counts === undefined) {
      counts = KINDS.map(() => 0);
      this.#seconds.set(second, counts);
      for (const old of this.#seconds.keys()) {
        if (old <= second - SECONDS) this.#seconds.delete(old);
      }
    }
    counts[KINDS.indexOf(kind)]!++;
    this.#changed.add(second);
    this.#events++;
    this.#enter({
      id: ++this.#id,
      type: "event",
      at: timestamp,
      kind,
      event: clip(eventType),
      key: clip(key),
      database,
      node: node ?? null,
    });
  }

  /** Enters a gap, at its place in the order. */
  gap({ kind: _, ...gap }: Gap): void {
    const item: Item = { id: ++this.#id, type: "gap", ...gap };
    this.#gaps = [...this.#gaps, item].slice(-GAPS);
    this.#enter(item);
  }

  #enter(item: Item): void {
    this.#items.push(item);
    if (this.#items.length > ITEMS) this.#items.shift();
    this.#fresh.push(item);
    if (this.#fresh.length <= ITEMS) return;
    // Gaps are never left out.
    const leftOut = this.#fresh.findIndex(({ type }) => type === "event");
    if (leftOut === -1) return;
    this.#fresh.splice(leftOut, 1);
    this.#skipped++;
  }

  /** Everything that is kept, for a page that has just been opened. */
  all(): Update {
    const items = new Set([...this.#gaps, ...this.#items]);
    return {
      now: Date.now(),
      seconds: [...this.#seconds],
      items: [...items].sort((a, b) => a.id - b.id),
      skipped: 0,
      events: this.#events,
    };
  }

  /** What is new since this was asked last. */
  news(): Update {
    const update: Update = {
      now: Date.now(),
      seconds: [...this.#changed].flatMap((second) => {
        const counts = this.#seconds.get(second);
        return counts ? [[second, counts] as const] : [];
      }),
      items: this.#fresh,
      skipped: this.#skipped,
      events: this.#events,
    };
    this.#changed = new Set();
    this.#fresh = [];
    this.#skipped = 0;
    return update;
  }
}
