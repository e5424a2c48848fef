import { type Flush, type Gap, matchGlob } from "../../mod.ts";
import { Feed, type SeenEvent } from "./feed.ts";

/** Which events a page shows; all without any. */
export interface Filter {
  /** A glob of keys. */
  readonly pattern: string;
  /** Globs of events, between commas or spaces. */
  readonly event: string;
  /** A node. */
  readonly node: string;
}

/** How many events are kept for pages that filter later. */
const KEPT = 20_000;

/** How many gaps and flushes are kept for them. */
const MOST_GAPS = 1_000;

/** Reads a filter from the query of a URL; null if it shows everything. */
export function readFilter(query: URLSearchParams): Filter | null {
  const read = (name: string) => (query.get(name) ?? "").trim().slice(0, 1_000);
  const filter = { pattern: read("pattern"), event: read("event"), node: read("node") };
  return filter.pattern || filter.event || filter.node ? filter : null;
}

function makeTest({ pattern, event, node }: Filter): (event: SeenEvent) => boolean {
  const events = event.split(/[\s,]+/).filter(Boolean);
  return (seen) =>
    (pattern === "" || matchGlob(pattern, seen.key)) &&
    (events.length === 0 || events.some((glob) => matchGlob(glob, seen.event))) &&
    (node === "" || seen.node === node);
}

/** A feed of some events, and the readers it has. */
interface FilteredFeed<Reader> {
  readonly feed: Feed;
  readonly takes: (event: SeenEvent) => boolean;
  readonly node: string;
  readonly readers: Set<Reader>;
}

/** The feeds of all pages: one for everything, and one for each filter that a page has. */
export class History<Reader> {
  readonly #events: SeenEvent[] = [];
  #next = 0;
  readonly #gaps: (Gap | Flush)[] = [];
  readonly #feeds = new Map<string, FilteredFeed<Reader>>();

  constructor() {
    // It has no reader at times, but everything that came.
    this.#feeds.set("null", makeFeed<Reader>(null));
  }

  /** Enters an event. */
  event(event: SeenEvent): void {
    this.#events[this.#next] = event;
    this.#next = (this.#next + 1) % KEPT;
    for (const { feed, takes } of this.#feeds.values()) if (takes(event)) feed.event(event);
  }

  /** Enters a gap or a flush, which a page for one node shows if it is of that node. */
  lasting(item: Gap | Flush): void {
    this.#gaps.push(item);
    if (this.#gaps.length > MOST_GAPS) this.#gaps.shift();
    for (const feed of this.#feeds.values()) enter(feed, item);
  }

  /** Gives a reader the feed for its filter; what is kept of earlier events is in it. */
  join(reader: Reader, filter: Filter | null): Feed {
    const name = JSON.stringify(filter);
    let found = this.#feeds.get(name);
    if (found === undefined) {
      found = makeFeed<Reader>(filter);
      for (const gap of this.#gaps) enter(found, gap);
      const { length } = this.#events;
      const first = length < KEPT ? 0 : this.#next;
      for (let i = 0; i < length; i++) {
        const event = this.#events[(first + i) % length]!;
        if (found.takes(event)) found.feed.event(event);
      }
      found.feed.news();
      this.#feeds.set(name, found);
    }
    found.readers.add(reader);
    return found.feed;
  }

  /** Forgets a reader, and its feed if that has no other. */
  leave(reader: Reader): void {
    for (const [name, { readers }] of this.#feeds) {
      readers.delete(reader);
      if (readers.size === 0 && name !== "null") this.#feeds.delete(name);
    }
  }

  /** The feeds and their readers. */
  get feeds(): Iterable<{ readonly feed: Feed; readonly readers: Iterable<Reader> }> {
    return this.#feeds.values();
  }

  /** How many readers there are. */
  get size(): number {
    return [...this.#feeds.values()].reduce((sum, { readers }) => sum + readers.size, 0);
  }
}

function makeFeed<Reader>(filter: Filter | null): FilteredFeed<Reader> {
  const takes = filter === null ? () => true : makeTest(filter);
  return { feed: new Feed(), takes, node: filter?.node ?? "", readers: new Set() };
}

function enter({ feed, node }: FilteredFeed<unknown>, item: Gap | Flush): void {
  if (node !== "" && node !== item.node) return;
  if (item.kind === "gap") feed.gap(item);
  else feed.flush(item);
}
