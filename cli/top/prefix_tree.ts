import { SlidingCount } from "./sliding_count.ts";

/** How many parts are distinguished under one prefix; those that were seen least go first. */
const FANOUT = 16;

/** The same where keys themselves are distinguished. */
const KEYS_FANOUT = 64;

/** How many parts a prefix has at most. */
const DEPTH = 3;

/** A longer part names one key. */
const LONGEST_PART = 40;

/** A longer key is not distinguished. */
const LONGEST_KEY = 200;

/** The least share of a row where nobody says. */
export const LEAST_SHARE = 0.02;

/** What ends a part of a key. */
const DELIMITER = /[:/.|]/g;

/** A number, or hexadecimal digits of which one at least is a digit: what names one thing. */
const ID = /^\{?(?:\d+|(?=[^\d]*\d)[\da-f]{8,}(?:-[\da-f]+)*)\}?$/i;

/** What happens to keys, by what they begin with. */
export interface PrefixRow {
  /** The prefix and `*`, or a key. */
  readonly name: string;
  /** The prefix; null for a key, and for all keys without another prefix. */
  readonly prefix: string | null;
  /** How many in the seconds that were asked for. */
  readonly recent: number;
  /** How many in all. */
  readonly total: number;
}

interface Node {
  readonly count: SlidingCount;
  readonly children: Map<string, Node>;
}

/**
 * Learns by which prefixes keys are best distinguished, as they come: `user:*`, `app:cart:*`. What it
 * remembers is bounded, whatever the keys.
 */
export class PrefixTree {
  readonly #seconds: number;
  readonly #root: Node;
  readonly #under: string;

  /**
   * @param seconds how far back one may ask
   * @param under what all keys begin with; with one, also single keys are distinguished
   */
  constructor(seconds: number, under: string = "") {
    this.#seconds = seconds;
    this.#under = under;
    this.#root = this.#node();
  }

  /** Counts a key. */
  add(key: string, second: number): void {
    let node = this.#root;
    node.count.add(second);
    const tellsKeys = this.#under !== "";
    let start = this.#under.length;
    for (let depth = 0; depth < DEPTH; depth++) {
      DELIMITER.lastIndex = start;
      const end = DELIMITER.exec(key)?.index;
      // Keys without a prefix are distinguished by their names, as far as there are few.
      const part = end !== undefined
        ? key.slice(start, end + 1)
        : depth === 0 || tellsKeys
        ? key.slice(start)
        : "";
      if (part === "" || part.length > (tellsKeys ? LONGEST_KEY : LONGEST_PART)) return;
      if (!tellsKeys && ID.test(part.replace(/[:/.|]$/, ""))) return;
      node = this.#child(node, part, second);
      node.count.add(second);
      if (end === undefined) return;
      start = end + 1;
    }
  }

  /**
   * What happened in so many seconds before this one, by prefix.
   *
   * @param least rows of less than this share belong to what they are a part of
   */
  rows(second: number, seconds: number, least: number = LEAST_SHARE): PrefixRow[] {
    const rows: PrefixRow[] = [];
    const whole = {
      recent: this.#root.count.before(second, seconds),
      total: this.#root.count.total,
    };
    const visit = (node: Node, prefix: string) => {
      let { total } = node.count;
      let recent = node.count.before(second, seconds);
      for (const [part, child] of node.children) {
        const childRecent = child.count.before(second, seconds);
        const share = whole.recent > 0 ? childRecent / whole.recent : 0;
        const shareOfAll = child.count.total / whole.total;
        if (Math.max(share, shareOfAll) < least) continue;
        recent -= childRecent;
        total -= child.count.total;
        visit(child, prefix + part);
      }
      // A part that no delimiter ends is a key.
      const isKey = node !== this.#root && !/[:/.|]$/.test(prefix);
      const name = isKey ? prefix : `${prefix}*`;
      const own = isKey || node === this.#root ? null : prefix;
      if (total > 0) rows.push({ name, prefix: own, recent, total });
    };
    visit(this.#root, this.#under);
    return rows;
  }

  /** How many prefixes it remembers: bounded, whatever comes. */
  get size(): number {
    const sizeOf = (node: Node): number =>
      [...node.children.values()].reduce((sum, child) => sum + sizeOf(child), 1);
    return sizeOf(this.#root);
  }

  #node(): Node {
    return { count: new SlidingCount(this.#seconds), children: new Map() };
  }

  #child(node: Node, part: string, second: number): Node {
    const known = node.children.get(part);
    if (known !== undefined) return known;
    if (node.children.size === (this.#under === "" ? FANOUT : KEYS_FANOUT)) {
      const least = [...node.children].reduce((a, b) => this.#isLess(b[1], a[1], second) ? b : a);
      node.children.delete(least[0]);
    }
    const child = this.#node();
    node.children.set(part, child);
    return child;
  }

  #isLess(one: Node, other: Node, second: number): boolean {
    const recent = (node: Node) => node.count.before(second + 1, this.#seconds - 1);
    const difference = recent(one) - recent(other);
    return difference < 0 || difference === 0 && one.count.total < other.count.total;
  }
}
