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
