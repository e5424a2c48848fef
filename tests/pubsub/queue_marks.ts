import { assertEquals } from "@std/assert";
import { KeyNotification } from "../../parse/mod.ts";
import { Dropped } from "../../pubsub/gap.ts";
import { Backpressure, BoundedQueue } from "../../pubsub/queue.ts";

/**
 * Registers a test of what a full queue keeps of the notifications that it drops.
 *
 * @param count how many come, of which the consumer takes one of a hundred
 */
export function testMarks(count: number): void {
  Deno.test("drop-newest: marks of what was dropped weigh as much as their slots", () => {
    const limits = { items: 1_000, bytes: 64_000 };
    const queue = new BoundedQueue(limits, "drop-newest", new Backpressure());
    let dropped = 0;
    const take = () => {
      const taken = queue.take();
      if (taken instanceof Dropped) dropped += taken.count;
      return taken;
    };
    for (let n = 0; n < count; n++) {
      const next = KeyNotification.tryParse("__keyevent@0__:set", `k${n}`, { timestamp: n })!;
      next.node = "a:1";
      next.slot = n % 16_384;
      queue.push(next, 10, n);
      if (n % 100 !== 0) continue;
      take();
      if (queue.bytes > limits.bytes) throw new Error(`${queue.bytes} bytes are held`);
    }
    while (take() !== undefined);
    assertEquals(dropped, queue.dropped);
  });
}
