import type { KeyNotification } from "../parse/mod.ts";
import type { Gap } from "./gap.ts";
import type { SlotSpan } from "./status.ts";

/** What a queue holds. */
export type Item = KeyNotification | Gap;

/** The approximate memory of a slot, or of a range of slots, in bytes. */
const SLOT_BYTES = 64;

/** How many bytes a gap stands for in a queue: those of its slots, which may be thousands. */
export function sizeOfGap({ slots = [] }: Gap): number {
  return slots.length * SLOT_BYTES;
}

/** Notifications of one server that were dropped. */
export class Dropped {
  /** Tells it from the items. */
  readonly kind = "dropped";
  /** The server, as `host:port`; null where there is only one. */
  readonly node: string | null;
  /** A time, in ms since the epoch, before which the server did not send any of them. */
  from: number = Infinity;
  /** When the last came, in ms since the epoch. */
  to: number = -Infinity;
  /** How many notifications. */
  count: number = 0;
  /** In a cluster the hash slots of their keys. */
  readonly slots: Set<number> = new Set();

  constructor(node: string | null) {
    this.node = node;
  }

  /** Takes others of the same server in. */
  add({ from, to, count, slots }: Pick<Dropped, "from" | "to" | "count" | "slots">): void {
    this.from = Math.min(this.from, from);
    this.to = Math.max(this.to, to);
    this.count += count;
    for (const slot of slots) this.slots.add(slot);
  }

  /**
   * The gap that they leave.
   *
   * @param node the server, where there is only one
   */
  toGap(node: string): Gap {
    const { from, to, count, slots } = this;
    return {
      kind: "gap",
      reason: "overflow",
      node: this.node ?? node,
      ...(slots.size === 0 ? {} : { slots: spansOf(slots) }),
      from,
      to,
      dropped: count,
    };
  }
}

/** Stands in a queue where notifications were dropped, those of each server by themselves. */
export class DroppedItems {
  /** Tells it from the items. */
  readonly kind = "dropped items";
  /** How many bytes it stands for in a queue: those of its slots. */
  bytes = 0;
  readonly #byNode = new Map<string | null, Dropped>();

  /**
   * Adds what is dropped with them; a gap is swallowed whole.
   *
   * @param sentAfter a time before which the item was not sent
   */
  add(item: Item | DroppedItems, sentAfter: number): void {
    if (item instanceof DroppedItems) {
      for (const dropped of item.#byNode.values()) this.#add(this.#of(dropped.node), dropped);
    } else if (item.kind === "gap") {
      const { node, from, to, dropped = 0, slots } = item;
      const which = slots === undefined ? null : node;
      this.#add(this.#of(which), { from, to, count: dropped, slots: slotsOf(slots ?? []) });
    } else {
      const dropped = this.#of(item.node ?? null);
      dropped.from = Math.min(dropped.from, sentAfter, item.timestamp);
      dropped.to = Math.max(dropped.to, item.timestamp);
      dropped.count++;
      if (item.slot === undefined || dropped.slots.has(item.slot)) return;
      dropped.slots.add(item.slot);
      this.bytes += SLOT_BYTES;
    }
  }

  #add(dropped: Dropped, more: Parameters<Dropped["add"]>[0]): void {
    const before = dropped.slots.size;
    dropped.add(more);
    this.bytes += (dropped.slots.size - before) * SLOT_BYTES;
  }

  /** Takes those of one server out; undefined when there are none. */
  take(): Dropped | undefined {
    for (const [node, dropped] of this.#byNode) {
      this.#byNode.delete(node);
      return dropped;
    }
    return undefined;
  }

  #of(node: string | null): Dropped {
    let dropped = this.#byNode.get(node);
    if (dropped === undefined) this.#byNode.set(node, dropped = new Dropped(node));
    return dropped;
  }
}

function slotsOf(spans: readonly SlotSpan[]): Set<number> {
  const slots = new Set<number>();
  for (const { first, last } of spans) for (let slot = first; slot <= last; slot++) slots.add(slot);
  return slots;
}

function spansOf(slots: ReadonlySet<number>): SlotSpan[] {
  const spans: { first: number; last: number }[] = [];
  for (const slot of [...slots].sort((a, b) => a - b)) {
    const span = spans.at(-1);
    if (span !== undefined && span.last === slot - 1) span.last = slot;
    else spans.push({ first: slot, last: slot });
  }
  return spans;
}
