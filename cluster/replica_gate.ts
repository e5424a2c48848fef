import type { Delivery, Gate } from "../pubsub/hub.ts";
import { slotOf } from "./notification_slot.ts";

/** What a replica's gate works with. */
export interface ReplicaGateOptions {
  /** Where the replica is, as `host:port`. */
  readonly node: () => string;
  /** What the keys of notifications are stripped of. */
  readonly keyPrefix: Uint8Array | null;
  /** Takes what is to be delivered. */
  readonly hand: (delivery: Delivery) => void;
}

/**
 * The way of a replica's notifications. Nothing is kept back: what slots on the move have made can be
 * told only by what primaries say of themselves in the stream of their own events.
 */
export class ReplicaGate implements Gate {
  readonly #options: ReplicaGateOptions;

  constructor(options: ReplicaGateOptions) {
    this.#options = options;
  }

  pass(delivery: Delivery): void {
    const { node, keyPrefix, hand } = this.#options;
    const { notification, consumers } = delivery;
    if (consumers.length === 0) return;
    notification.node = node();
    notification.slot = slotOf(notification, keyPrefix);
    hand(delivery);
  }

  resubscribed(): void {}

  /** Has nothing to do with the connection. */
  follow(): void {}
}
