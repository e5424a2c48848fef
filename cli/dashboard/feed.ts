import { describeEvent } from "../../events/mod.ts";
import type { Flush, Gap, KeyNotification } from "../../mod.ts";
import { PrefixTree } from "../top/prefix_tree.ts";

/** Kinds of events, in the order in which they are stacked. */
export const KINDS = [
  "strings",
  "hashes",
  "lists",
  "sets",
  "sorted-sets",
  "streams",
  "generic",
  "expired",
  "evicted",
  "other",
] as const;

/** A kind of events. */
export type Kind = typeof KINDS[number];

/** By the letters of the classes of events in `notify-keyspace-events`. */
const KIND_OF_CLASS: Readonly<Record<string, Kind>> = {
  $: "strings",
  h: "hashes",
  l: "lists",
  s: "sets",
  z: "sorted-sets",
  t: "streams",
  g: "generic",
  x: "expired",
  e: "evicted",
};

/** The kind of an event. */
export function kindOf(event: string): Kind {
  return KIND_OF_CLASS[describeEvent(event).class ?? ""] ?? "other";
}

/** An event as the page gets it. */
export interface SeenEvent {
  readonly at: number;
  readonly kind: Kind;
  readonly event: string;
  readonly key: string;
  readonly database: number;
  readonly node: string | null;
}

/** How much of a key or of an event's name is kept, in characters. */
const LONGEST = 200;

/** What is kept of a notification. */
export function seen(
  { eventType, key, database, node, timestamp }: KeyNotification,
): SeenEvent {
  const event = truncate(eventType);
  const kind = kindOf(eventType);
  return { at: timestamp, kind, event, key: truncate(key), database, node: node ?? null };
}

function truncate(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** An event, a gap or a flush, in the order in which they came; the page draws all of them. */
export type Item =
  | ({ readonly id: number; readonly type: "event" } & SeenEvent)
  | ({ readonly id: number; readonly type: "gap" } & Omit<Gap, "kind">)
  | ({ readonly id: number; readonly type: "flush" } & Omit<Flush, "kind">);

/** A prefix of keys, and how many events it had lately and in all. */
export interface PrefixCount {
  readonly name: string;
  readonly recent: number;
  readonly total: number;
}

/** What a page is sent: at first everything that is kept, then what is new. */
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
  /** The busiest prefixes of keys. */
  readonly prefixes: readonly PrefixCount[];
}

/** How many seconds are kept. */
export const SECONDS = 3_600;
/** How many items are kept, and sent at once at most. */
const ITEMS = 60;
/** How many gaps and flushes are kept, whatever came after them. */
const GAPS = 100;
/** How many prefixes are shown. */
const PREFIXES = 12;
/** Over how many seconds prefixes are counted. */
const RECENT = 60;

/** What has come, by second and kind, and what came last. Bounded, however much comes. */
export class Feed {
  readonly #seconds = new Map<number, number[]>();
  readonly #prefixes = new PrefixTree(RECENT + 1);
  #items: Item[] = [];
  #gaps: Item[] = [];
  #changed = new Set<number>();
  #fresh: Item[] = [];
  #skipped = 0;
  #events = 0;
  #id = 0;

  /** Enters an event. */
  event(event: SeenEvent): void {
    const second = Math.floor(event.at / 1_000);
    let counts = this.#seconds.get(second);
    if (counts === undefined) {
      counts = KINDS.map(() => 0);
      this.#seconds.set(second, counts);
      for (const old of this.#seconds.keys()) {
        if (old > second - SECONDS) break;
        this.#seconds.delete(old);
      }
    }
    counts[KINDS.indexOf(event.kind)]!++;
    this.#prefixes.add(event.key, second);
    this.#changed.add(second);
    this.#events++;
    this.#enter({ id: ++this.#id, type: "event", ...event });
  }

  /** Enters a gap, at its place in the order. */
  gap({ kind: _, ...gap }: Gap): void {
    this.#enterLasting({ id: ++this.#id, type: "gap", ...gap });
  }

  /** Enters a flush, at its place in the order. */
  flush({ kind: _, ...flush }: Flush): void {
    this.#enterLasting({ id: ++this.#id, type: "flush", ...flush });
  }

  #enterLasting(item: Item): void {
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
      ...this.#head(),
      seconds: [...this.#seconds],
      items: [...items].sort((a, b) => a.id - b.id),
      skipped: 0,
    };
  }

  /** What is new since this was asked last. */
  news(): Update {
    const update: Update = {
      ...this.#head(),
      seconds: [...this.#changed].flatMap((second) => {
        const counts = this.#seconds.get(second);
        return counts ? [[second, counts] as const] : [];
      }),
      items: this.#fresh,
      skipped: this.#skipped,
    };
    this.#changed = new Set();
    this.#fresh = [];
    this.#skipped = 0;
    return update;
  }

  #head(): Pick<Update, "now" | "events" | "prefixes"> {
    const now = Date.now();
    const rows = this.#prefixes.rows(Math.floor(now / 1_000) + 1, RECENT)
      .sort((a, b) => b.recent - a.recent || b.total - a.total)
      .slice(0, PREFIXES);
    const prefixes = rows.map(({ name, recent, total }) => ({ name, recent, total }));
    return { now, events: this.#events, prefixes };
  }
}
