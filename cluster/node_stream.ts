/**
 * What an event has to tell of itself; a notification does.
 *
 * @example
 * ```ts
 * import { type ClusterEvent, hashSlot } from "@keywatch/keywatch/cluster";
 *
 * const event: ClusterEvent = {
 *   kind: "keyevent",
 *   eventType: "del",
 *   database: 0,
 *   keyBytes: new TextEncoder().encode("user:1"),
 * };
 * console.log(hashSlot(event.keyBytes));
 * ```
 */
export interface ClusterEvent {
  /** The family of the channel it came on. */
  readonly kind: string;
  /** The event, as the server names it. */
  readonly eventType: string;
  /** The number of the database. */
  readonly database: number;
  /** The key. Read only while slots are on the move, and of deletions. */
  readonly keyBytes: Uint8Array;
}

/**
 * One connection's events.
 *
 * @example
 * ```ts
 * import { hashSlot, type NodeStream } from "@keywatch/keywatch/cluster";
 * import type { KeyNotification } from "@keywatch/keywatch/parse";
 *
 * function handIn(stream: NodeStream<KeyNotification>, notification: KeyNotification): void {
 *   const slot = hashSlot(notification.keyBytes);
 *   stream.event(slot, notification, notification, { at: performance.now(), bytes: 100 });
 * }
 * ```
 */
export interface NodeStream<Item> {
  /** The node's id. */
  readonly id: string;
  /** How many events there were. */
  readonly position: number;
  /**
   * Hands an event in, once, however many subscriptions it matched.
   *
   * @param slot the hash slot of its key
   * @param event what it tells of itself
   * @param item what is to come out with the verdict
   * @param count `at`: when its bytes were read, in ms by any clock that is never set back; `bytes`:
   * what it counts against the limit of what waits
   */
  event(
    slot: number,
    event: ClusterEvent,
    item: Item,
    count: { readonly at: number; readonly bytes: number },
  ): void;
  /** Hands in another message of the last event; it gets the same verdict. */
  more(item: Item): void;
  /** Hands something in that is no event; it comes out, as real, at its place in the order. */
  pass(item: Item): void;
  /** The connection is over. What waits is delivered, before this returns. */
  close(): void;
}
