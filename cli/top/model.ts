import type { Gap, KeyNotification, Status } from "../../mod.ts";
import { LEAST_SHARE, type PrefixRow, PrefixTree } from "./prefix_tree.ts";
import { SlidingCount } from "./sliding_count.ts";
import type { NodeView, TopRow, TopView } from "./view.ts";

/** How many seconds the chart shows. */
const MINUTE = 60;

/** Over how many seconds a rate is the mean. */
const RECENT = 5;

/** More names of events than servers have; those beyond share a row. */
const MOST_EVENTS = 200;

/** The row of the events beyond. */
const OTHERS = "(others)";

const MOST_GAPS = 50;

/** What a rate is of. */
interface Rate {
  readonly name: TopView["rateName"];
  of(count: SlidingCount): number;
  ofPrefix(row: PrefixRow): number;
}

/** Gathers what `top` shows. Times are in ms since the epoch. */
export class TopModel {
  readonly #start: number;
  readonly #all = new SlidingCount(MINUTE + 1);
  readonly #events = new Map<string, SlidingCount>();
  readonly #nodes = new Map<string, SlidingCount>();
  readonly #prefixes: PrefixTree;
  readonly #under: string;
  readonly #gaps: Gap[] = [];
  readonly #notes: string[] = [];
  readonly #what: string;

  /**
   * @param what what is watched, for the title
   * @param start when that began
   * @param under what keys begin with that are counted
   */
  constructor(what: string, start: number, under: string = "") {
    this.#what = what;
    this.#start = start;
    this.#under = under;
    this.#prefixes = new PrefixTree(RECENT + 1, under);
  }

  /** Counts a notification. */
  add({ eventType, key, node = "" }: KeyNotification, now: number): void {
    if (!key.startsWith(this.#under)) return;
    const second = this.#secondOf(now);
    this.#all.add(second);
    const isKnown = this.#events.has(eventType) || this.#events.size < MOST_EVENTS;
    countIn(this.#events, isKnown ? eventType : OTHERS, second);
    countIn(this.#nodes, node, second);
    this.#prefixes.add(key, second);
  }

  /** Remembers a gap. */
  addGap(gap: Gap): void {
    this.#gaps.unshift(gap);
    if (this.#gaps.length > MOST_GAPS) this.#gaps.pop();
  }

  /** Remembers what would have been noted otherwise. */
  addNote(text: string): void {
    this.#notes.unshift(text);
    if (this.#notes.length > MOST_GAPS) this.#notes.pop();
  }

  /**
   * How things are now: rates are the means of the last seconds.
   *
   * @param rows how many lines there are: with more of them, keys are distinguished further
   */
  view(status: Status, now: number, rows: number = 24): TopView {
    const second = this.#secondOf(now);
    // The running second is not over; of the first ones there are fewer.
    const span = Math.max(1, Math.min(RECENT, second));
    return this.#view(status, now, Math.min(LEAST_SHARE, 0.5 / rows), {
      name: "now",
      of: (count) => count.before(second, span) / span,
      ofPrefix: ({ recent }) => recent / span,
    });
  }

  /** How things were: rates are the means of the whole time. */
  summary(status: Status, now: number): TopView {
    const seconds = Math.max(1, (now - this.#start) / 1000);
    return this.#view(status, now, LEAST_SHARE, {
      name: "mean",
      of: ({ total }) => total / seconds,
      ofPrefix: ({ total }) => total / seconds,
    });
  }

  #view(status: Status, now: number, least: number, rate: Rate): TopView {
    const second = this.#secondOf(now);
    const seconds = this.#all.each(second, MINUTE);
    const events = Array.from(this.#events, ([name, count]): TopRow => {
      return { name, rate: rate.of(count), total: count.total };
    });
    const prefixes = this.#prefixes.rows(second, RECENT, least).map((row): TopRow => {
      const { name, prefix, total } = row;
      return { name, rate: rate.ofPrefix(row), total, ...(prefix === null ? {} : { prefix }) };
    });
    return {
      what: this.#what,
      now,
      elapsed: now - this.#start,
      total: this.#all.total,
      rate: rate.of(this.#all),
      rateName: rate.name,
      mean: this.#all.before(second, MINUTE) / Math.max(1, Math.min(MINUTE, second)),
      peak: Math.max(...seconds),
      seconds,
      events: events.sort(byRate),
      prefixes: prefixes.sort(byRate),
      nodes: status.nodes.map((node): NodeView => {
        // Those of a single server name no node.
        const count = this.#nodes.get(node.node) ?? this.#nodes.get("");
        return { ...node, rate: count === undefined ? 0 : rate.of(count) };
      }),
      uncovered: status.slots?.uncovered ?? [],
      gaps: [...this.#gaps],
      gapCount: status.gaps,
      dropped: status.dropped,
      notes: [...this.#notes],
    };
  }

  #secondOf(now: number): number {
    return Math.max(0, Math.floor((now - this.#start) / 1000));
  }
}

function countIn(counts: Map<string, SlidingCount>, name: string, second: number): void {
  let count = counts.get(name);
  if (count === undefined) counts.set(name, count = new SlidingCount(RECENT + 1));
  count.add(second);
}

function byRate(one: TopRow, other: TopRow): number {
  return other.rate - one.rate || other.total - one.total || (one.name < other.name ? -1 : 1);
}
