import type { SlotSpan } from "./status.ts";

/**
 * Why notifications may be missing.
 *
 * @example
 * ```ts
 * import type { GapReason } from "@keywatch/keywatch/pubsub";
 *
 * // Not the server or the network: the reader is too slow, or its queue too small.
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
  /** Always `"gap"`; a notification's `kind` is its channel's family. */
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
  /** When it began, in ms since the epoch: nothing is missing from before. */
  readonly from: number;
  /** When it ended, in ms since the epoch: nothing is missing from after. */
  readonly to: number;
  /** How many notifications are missing, where that is known: with `overflow`. */
  readonly dropped?: number;
}

/** Takes a gap; its times are in ms since the epoch. */
export type GapReport = (reason: GapReason, from: number, to: number) => void;

/** The gap that grows while a desired channel is not covered. */
export class OpenGap {
  readonly #report: GapReport;
  #gap: { readonly reason: GapReason; readonly from: number } | null = null;

  /** @param report takes what is missing, as far as it is known */
  constructor(report: GapReport) {
    this.#report = report;
  }

  /** Whether there is one. */
  get isOpen(): boolean {
    return this.#gap !== null;
  }

  /** Begins one; one that is open already goes on, and began before this one would. */
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

  /** Reports what is missing up to now, and goes on. */
  tell(): void {
    if (this.#gap === null) return;
    const { reason, from } = this.#gap;
    const to = notBefore(from);
    this.#gap = { reason, from: to };
    this.#report(reason, from, to);
  }

  /** Reports what is missing up to now; nothing more is. */
  end(): void {
    if (this.#gap === null) return;
    const { reason, from } = this.#gap;
    this.#gap = null;
    this.#report(reason, from, notBefore(from));
  }
}

/** Now; but a clock that was set back lets no gap end before it began. */
function notBefore(time: number): number {
  return Math.max(time, Date.now());
}
