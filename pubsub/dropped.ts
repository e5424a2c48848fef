import type { KeyNotification } from "../parse/mod.ts";
import type { Gap } from "./gap.ts";

/** What a queue holds. */
export type Item = KeyNotification | Gap;

/** Stands in a queue where notifications were dropped. */
export class Dropped {
  /** Tells it from the items. */
  readonly kind = "dropped";
  /** A time, in ms since the epoch, before which the server did not send any of them. */
  readonly from: number;
  /** When the last came, in ms since the epoch. */
  readonly to: number;
  /** How many notifications. */
  readonly count: number;

  constructor(from: number, to: number, count: number) {
    this.from = from;
    this.to = to;
    this.count = count;
  }

  /**
   * These, and an item that is dropped with them; a gap is swallowed whole.
   *
   * @param sentAfter a time before which the item was not sent
   */
  static add(before: Dropped | null, item: Item | Dropped, sentAfter: number): Dropped {
    const { from, to, count } = item instanceof Dropped ? item : extent(item, sentAfter);
    return before === null ? new Dropped(from, to, count) : new Dropped(
      Math.min(before.from, from),
      Math.max(before.to, to),
      before.count + count,
    );
  }

  /** The gap that they leave. */
  toGap(node: string): Gap {
    const { from, to, count } = this;
    return { kind: "gap", reason: "overflow", node, from, to, dropped: count };
  }
}

function extent(item: Item, sentAfter: number): { from: number; to: number; count: number } {
  return item.kind === "gap"
    ? { from: item.from, to: item.to, count: item.dropped ?? 0 }
    : { from: Math.min(sentAfter, item.timestamp), to: item.timestamp, count: 1 };
}
