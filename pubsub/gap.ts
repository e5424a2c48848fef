import type { KeyNotification } from "../parse/mod.ts";
import type { SlotSpan } from "./status.ts";

/**
 * Why notifications may be missing.
 *
 * @example
 * ```ts
 * import type { GapReason } from "@keywatch/keywatch/pubsub";
 *
 * // Not the server or the network: the consumer is too slow, or its queue too small.
 * function isOurs(reason: GapReason): boolean {
 *   return reason === "overflow";
 * }
 * ```
 */
export type GapReason = "disconnected" | "unresponsive" | "overflow" | "failover" | "topology";

/**
 * A stretch of time in which notifications may be missing.
 *
 * It stands in the stream before the first notification after it.
 *
 * @example
 * ```ts no-run
 * import { connect, type Gap } from "@keywatch/keywatch";
 *
 * const onGap = ({ node, reason, from, to, dropped }: Gap): void => {
 *   console.warn(`${node}: ${reason} for ${to - from} ms, ${dropped ?? "unknown"} missing`);
 * };
 * await using notifications = await connect("redis://localhost:6379", { onGap });
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export interface Gap {
  /** Always `"gap"`; a notification's `kind` is its channel type. */
  readonly kind: "gap";
  /** Why. */
  readonly reason: GapReason;
  /** The server it concerns, as `host:port`. */
  readonly node: string;
  /**
   * In a cluster the hash slots it concerns, both ends of each range included: with `overflow` those of
   * the keys that are missing.
   */
  readonly slots?: readonly SlotSpan[];
  /**
   * The keys it concerns, as {@linkcode KeyNotification.key} has them; all if left out. Only with the
   * option `standby`: nothing is missing of other keys.
   */
  readonly keys?: readonly string[];
  /** When it began, in ms since the epoch: nothing is missing from before. */
  readonly from: number;
  /** When it ended, in ms since the epoch: nothing is missing from after. */
  readonly to: number;
  /** How many notifications are missing, where that is known: with `overflow`. */
  readonly dropped?: number;
}

/**
 * The server has discarded all keys of a database, or of all databases: `FLUSHDB`, `FLUSHALL`, or on a
 * replica that it received everything again. It does not say which database.
 *
 * With the option `flushes` it stands in the stream after the notifications that precede it.
 *
 * @example
 * ```ts no-run
 * import { connect, type Flush } from "@keywatch/keywatch";
 *
 * const cache = new Map<string, string>();
 * const onFlush = ({ node, at }: Flush): void => {
 *   console.warn(`${node} was flushed at ${new Date(at).toISOString()}`);
 *   cache.clear();
 * };
 * await using notifications = await connect("redis://localhost:6379", { flushes: true, onFlush });
 * await notifications.subscribeKeyspace("user:*", { handler: ({ key }) => cache.delete(key) });
 * ```
 */
export interface Flush {
  /** Always `"flush"`; a notification's `kind` is its channel type. */
  readonly kind: "flush";
  /** The server, as `host:port`. In a cluster the keys of the other nodes are still there. */
  readonly node: string;
  /** When it was received, in ms since the epoch. */
  readonly at: number;
}

/**
 * Notifications of writes that a failover has undone: the old primary had executed them, and the new one
 * never received them.
 *
 * With the option `standby` it stands in the stream where the new primary begins.
 *
 * @example
 * ```ts no-run
 * import { connect, type RolledBack } from "@keywatch/keywatch";
 *
 * const cache = new Map<string, string>();
 * const onRolledBack = ({ notifications }: RolledBack): void => {
 *   for (const { key } of notifications) cache.delete(key);
 * };
 * const target = { sentinels: ["redis://localhost:26379"], name: "mymaster" };
 * await using notifications = await connect(target, { standby: true, onRolledBack });
 * await notifications.subscribeKeyspace("user:*", { handler: ({ key }) => cache.delete(key) });
 * ```
 */
export interface RolledBack {
  /** Always `"rolled-back"`; a notification's `kind` is its channel type. */
  readonly kind: "rolled-back";
  /** The new primary, as `host:port`. */
  readonly node: string;
  /** What was delivered before and has not happened, in order. Never empty. */
  readonly notifications: readonly KeyNotification[];
  /** When it was found out, in ms since the epoch. */
  readonly at: number;
}

/** Takes a gap; its times are in ms since the epoch. */
export type GapReport = (reason: GapReason, from: number, to: number) => void;

/** The gap that grows while messages of a desired channel may be missing. */
export class OpenGap {
  readonly #report: GapReport;
  #gap: { readonly reason: GapReason; readonly from: number } | null = null;

  /** @param report takes what is missing, as far as it is known */
  constructor(report: GapReport) {
    this.#report = report;
  }

  /** Whether a gap is open. */
  get isOpen(): boolean {
    return this.#gap !== null;
  }

  /** Begins a gap. If one is open, it continues: it began earlier. */
  begin(reason: GapReason, from: number): void {
    this.#gap ??= { reason, from };
  }

  /**
   * The server was found at another address, where events may have happened while the old one was
   * connected to.
   *
   * @param movedAfter not before this time, in ms since the epoch; Infinity when it did not move
   */
  move(movedAfter: number): void {
    if (this.#gap === null || movedAfter === Infinity) return;
    this.#gap = { reason: "failover", from: Math.min(this.#gap.from, movedAfter) };
  }

  /** Reports the gap up to now, and keeps it open. */
  tell(): void {
    if (this.#gap === null) return;
    const { reason, from } = this.#gap;
    const to = notBefore(from);
    this.#gap = { reason, from: to };
    this.#report(reason, from, to);
  }

  /** Reports the gap up to now, and ends it. */
  end(): void {
    if (this.#gap === null) return;
    const { reason, from } = this.#gap;
    this.#gap = null;
    this.#report(reason, from, notBefore(from));
  }
}

/** Returns the current time. No gap ends before it began if the clock was set back. */
function notBefore(time: number): number {
  return Math.max(time, Date.now());
}

/** What a queue holds. */
export type Item = KeyNotification | Gap | Flush | RolledBack;

/** The approximate memory of a slot, or of a range of slots, in bytes. */
const SLOT_BYTES = 64;

/** How many bytes a gap stands for in a queue: those of its slots, which may be thousands. */
export function sizeOfGap({ slots = [] }: Gap): number {
  return slots.length * SLOT_BYTES;
}

/** Whether an item of a queue is a notification. */
export function isNotification(item: Item | DroppedItems): item is KeyNotification {
  const { kind } = item;
  return kind !== "gap" && kind !== "flush" && kind !== "rolled-back" && kind !== "dropped items";
}

/** Notifications of one server that were dropped. */
interface Loss {
  /** A time, in ms since the epoch, before which the server did not send any of them. */
  from: number;
  /** When the last came, in ms since the epoch. */
  to: number;
  count: number;
  /** In a cluster the hash slots of their keys. */
  readonly slots: Set<number>;
}

/** Stands in a queue where notifications were dropped, those of each server by themselves. */
export class DroppedItems {
  /** Distinguishes it from the items. */
  readonly kind = "dropped items";
  /** How many bytes it stands for in a queue: those of its slots. */
  bytes = 0;
  /** By the server, as `host:port`; by null where there is only one. */
  readonly #losses = new Map<string | null, Loss>();
  /** The last flush of each server. */
  readonly #flushes = new Map<string, Flush>();

  /** Whether everything was taken out. */
  get isEmpty(): boolean {
    return this.#losses.size === 0 && this.#flushes.size === 0;
  }

  /**
   * Adds what is dropped with them; a gap is swallowed whole. No gap can stand for a flush, because
   * that concerns more keys than those of the notifications.
   *
   * @param sentAfter a time before which the item was not sent
   */
  add(item: Item | DroppedItems, sentAfter: number): void {
    if (item instanceof DroppedItems) {
      for (const [node, { from, to, count, slots }] of item.#losses) {
        this.#add(node, from, to, count, slots);
      }
      for (const flush of item.#flushes.values()) this.#flushes.set(flush.node, flush);
    } else if (item.kind === "flush") this.#flushes.set(item.node, item);
    else if (item.kind === "gap") {
      const { node, from, to, dropped = 0, slots } = item;
      this.#add(slots === undefined ? null : node, from, to, dropped, slotsOf(slots ?? []));
    } else if (item.kind === "rolled-back") {
      for (const { node = null, slot } of item.notifications) {
        this.#add(node, Math.min(sentAfter, item.at), item.at, 0, slot === undefined ? [] : [slot]);
      }
    } else {
      const { node = null, timestamp, slot } = item;
      const slots = slot === undefined ? [] : [slot];
      this.#add(node, Math.min(sentAfter, timestamp), timestamp, 1, slots);
    }
  }

  #add(
    node: string | null,
    from: number,
    to: number,
    count: number,
    slots: Iterable<number>,
  ): void {
    let loss = this.#losses.get(node);
    if (loss === undefined) {
      this.#losses.set(node, loss = { from: Infinity, to: -Infinity, count: 0, slots: new Set() });
    }
    const before = loss.slots.size;
    loss.from = Math.min(loss.from, from);
    loss.to = Math.max(loss.to, to);
    loss.count += count;
    for (const slot of slots) loss.slots.add(slot);
    this.bytes += (loss.slots.size - before) * SLOT_BYTES;
  }

  /**
   * Takes out the gap that those of one server leave, or a flush after them; undefined when there are
   * none.
   *
   * @param only the server, where there is only one
   */
  take(only: string): Gap | Flush | undefined {
    for (const [node, { from, to, count, slots }] of this.#losses) {
      this.#losses.delete(node);
      return {
        kind: "gap",
        reason: "overflow",
        node: node ?? only,
        ...(slots.size === 0 ? {} : { slots: spansOf(slots) }),
        from,
        to,
        dropped: count,
      };
    }
    for (const [node, flush] of this.#flushes) {
      this.#flushes.delete(node);
      return flush;
    }
    return undefined;
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
