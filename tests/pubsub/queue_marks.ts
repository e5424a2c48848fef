import { assertEquals } from "@std/assert";
import { KeyNotification } from "../../parse/mod.ts";
import {
  Backpressure,
  BoundedQueue,
  type DeliveryOptions,
  type Overflow,
  type QueueLimits,
} from "../../pubsub/queue.ts";

/** What a queue of the only server there is, `*`, is made with. */
export function optionsOf(limits: QueueLimits, overflow: Overflow): DeliveryOptions {
  return {
    limits,
    overflow,
    backpressure: new Backpressure(),
    flushes: true,
    standby: true,
    node: () => "*",
    onGap() {},
    onError() {},
  };
}

export function queueOf(
  limits: QueueLimits,
  overflow: Overflow,
  options: Partial<DeliveryOptions> = {},
): BoundedQueue {
  return new BoundedQueue({ ...optionsOf(limits, overflow), ...options });
}

/**
 * Registers a test of what a full queue keeps of the notifications that it drops.
 *
 * @param count how many come, of which the consumer takes one of a hundred
 */
export function testMarks(count: number): void {
  Deno.test("drop-newest: marks of what was dropped weigh as much as their slots", () => {
    const limits = { items: 1_000, bytes: 64_000 };
    const queue = queueOf(limits, "drop-newest");
    let dropped = 0;
    const take = () => {
      const taken = queue.take({ gaps: true, flushes: true, rolledBack: true });
      if (taken?.kind === "gap") dropped += taken.dropped!;
      return taken;
    };
    for (let n = 0; n < count; n++) {
      const next = KeyNotification.tryParse("__keyevent@0__:set", `k${n}`, { timestamp: n })!;
      next.node = "a:1";
      next.slot = n % 16_384;
      queue.push(next, 10, n);
      if (n % 100 !== 0) continue;
      take();
      const { queuedBytes } = queue.counts;
      if (queuedBytes > limits.bytes) throw new Error(`${queuedBytes} bytes are held`);
    }
    while (take() !== undefined);
    assertEquals(dropped, queue.counts.dropped);
  });
}
