import { assert, assertEquals } from "@std/assert";
import { Dropped, type Gap, type Item } from "../../pubsub/gap.ts";
import { Backpressure, BoundedQueue, type Overflow, type QueueLimits } from "../../pubsub/queue.ts";
import { testMarks } from "./queue_marks.ts";
import { Random } from "../random.ts";
import { KeyNotification } from "../../parse/mod.ts";

const backpressure = new Backpressure();

function queueOf(limits: QueueLimits, overflow: Overflow): BoundedQueue {
  return new BoundedQueue(limits, overflow, backpressure);
}

function item(timestamp: number, key: string | Uint8Array = `k${timestamp}`): Item {
  return KeyNotification.tryParse("__keyevent@0__:set", key, { timestamp })!;
}

function gap(from: number, to: number): Item {
  return { kind: "gap", reason: "disconnected", node: "a:1", from, to };
}

function flush(at: number, node = "a:1"): Item {
  return { kind: "flush", node, at };
}

/** Adds an item that was sent when it came. */
function push(queue: BoundedQueue, item: Item, bytes: number): void {
  const { kind } = item;
  queue.push(item, bytes, kind === "gap" ? item.from : kind === "flush" ? item.at : item.timestamp);
}

function filled(
  overflow: Overflow,
  limits: { items: number; bytes: number },
  count: number,
  bytes = 1,
): BoundedQueue {
  const queue = queueOf(limits, overflow);
  for (let timestamp = 1; timestamp <= count; timestamp++) push(queue, item(timestamp), bytes);
  return queue;
}

/** What is left, in order: times of notifications, and what was dropped as `from-to:count`. */
function drain(queue: BoundedQueue): (number | string)[] {
  const left: (number | string)[] = [];
  for (let next = queue.take(); next !== undefined; next = queue.take()) {
    if (next instanceof Dropped) left.push(`${next.from}-${next.to}:${next.count}`);
    else if (next.kind === "gap") left.push(`gap ${next.from}-${next.to}`);
    else left.push(next.kind === "flush" ? `flush ${next.at}` : next.timestamp);
  }
  return left;
}

Deno.test("a queue gives its items back in order, while it grows round its end", () => {
  const queue = queueOf({ items: 1_000, bytes: 1_000 }, "drop-oldest");
  const out: unknown[] = [];
  let next = 0;
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 7; i++) push(queue, item(next++), 1);
    for (let i = 0; i < 3; i++) out.push((queue.take() as KeyNotification).timestamp);
  }
  out.push(...drain(queue));
  assertEquals(out, Array.from({ length: 350 }, (_, index) => index));
  assertEquals([queue.length, queue.bytes], [0, 0]);
});

Deno.test("what waits in queues counts in their backpressure, whatever becomes of it", () => {
  const backpressure = new Backpressure();
  const from = new BoundedQueue({ items: 16, bytes: 100 }, "coalesce", backpressure);
  const to = new BoundedQueue({ items: 16, bytes: 100 }, "coalesce", backpressure);
  for (let n = 1; n <= 40; n++) {
    from.push(item(n, `k${n % 20}`), 1, n);
    assertEquals(backpressure.waiting, from.length);
  }
  from.moveInto(to);
  assertEquals(backpressure.waiting, to.length);
  to.take();
  to.take();
  assertEquals(backpressure.waiting, to.length);
  to.clear();
  assertEquals(backpressure.waiting, 0);
});

Deno.test("drop-oldest: the oldest go when there are too many items", () => {
  const queue = filled("drop-oldest", { items: 3, bytes: 100 }, 5);
  assertEquals([queue.length, queue.bytes], [3, 3]);
  assertEquals(drain(queue), ["1-2:2", 3, 4, 5]);
});

Deno.test("drop-oldest: the oldest go when there are too many bytes", () => {
  const queue = filled("drop-oldest", { items: 100, bytes: 10 }, 5, 4);
  assertEquals([queue.length, queue.bytes], [2, 8]);
  assertEquals(drain(queue), ["1-3:3", 4, 5]);
});

Deno.test("an item larger than the whole queue is dropped, and what follows is not", () => {
  const queue = filled("drop-oldest", { items: 100, bytes: 10 }, 2);
  push(queue, item(3), 11);
  push(queue, item(4), 1);
  assertEquals(drain(queue), ["1-3:3", 4]);
});

Deno.test("drop-newest: what comes to a full queue goes, and is missing where it would stand", () => {
  const queue = filled("drop-newest", { items: 3, bytes: 100 }, 5);
  assertEquals([queue.length, queue.bytes], [3, 3]);
  assertEquals((queue.take() as KeyNotification).timestamp, 1);
  push(queue, item(6), 1);
  push(queue, item(7), 1);
  assertEquals(drain(queue), [2, 3, "4-5:2", 6, "7-7:1"]);
});

Deno.test("coalesce: the newest of each key stay", () => {
  const queue = queueOf({ items: 16, bytes: 1_000 }, "coalesce");
  for (let timestamp = 1; timestamp <= 16; timestamp++) {
    push(queue, item(timestamp, timestamp % 4 === 0 ? "rare" + timestamp : "often"), 1);
  }
  assertEquals(queue.length, 16);
  push(queue, item(17, "often"), 1);
  assertEquals(drain(queue), ["1-15:12", 4, 8, 12, 16, 17]);
});

Deno.test("coalesce: keys are told apart by their bytes and databases", () => {
  const queue = queueOf({ items: 2, bytes: 1_000 }, "coalesce");
  push(queue, item(1, Uint8Array.of(0xff)), 1);
  push(queue, item(2, Uint8Array.of(0xfe)), 1);
  push(queue, item(3, "k"), 1);
  // Nothing was of the same key, so the oldest went.
  assertEquals(drain(queue).at(-1), 3);
  const databases = queueOf({ items: 16, bytes: 1_000 }, "coalesce");
  for (let db = 0; db < 16; db++) {
    push(databases, KeyNotification.tryParse(`__keyevent@${db}__:set`, "k", { timestamp: db })!, 1);
  }
  push(databases, KeyNotification.tryParse("__keyevent@15__:set", "k", { timestamp: 16 })!, 1);
  assertEquals(drain(databases).length, 1 + 14 + 1);
});

Deno.test("coalesce: where keys are many, the oldest go too", () => {
  const queue = filled("coalesce", { items: 16, bytes: 1_000 }, 17);
  assertEquals(drain(queue), ["1-2:2", ...Array.from({ length: 15 }, (_, i) => i + 3)]);
});

for (const overflow of ["drop-oldest", "drop-newest", "coalesce"] as const) {
  Deno.test(`${overflow}: nothing vanishes unsaid, and the bounds hold, through random use`, () => {
    const random = new Random(7);
    const limits = { items: 20, bytes: 60 };
    let queue = queueOf(limits, overflow);
    let pushed = 0;
    let accounted = 0;
    let taken = 0;
    /** What queues dropped that were moved into others. */
    let moved = 0;
    let last = 0;
    const flushes: number[] = [];
    let lastFlush = 0;
    const account = (next: Item | Dropped | undefined) => {
      if (next instanceof Dropped) accounted += next.count;
      else if (next?.kind === "flush") {
        assert(next.at > last, `the flush ${next.at} comes after ${last}`);
        lastFlush = next.at;
      } else if (next !== undefined && next.kind !== "gap") {
        accounted++;
        taken++;
        assertEquals(next.timestamp > last, true);
        last = next.timestamp;
        const before = flushes.findLast((at) => at < last) ?? 0;
        assert(lastFlush >= before, `the flush ${before} does not come before ${last}`);
      }
    };
    for (let round = 0; round < 20_000; round++) {
      if (random.below(5) < 3) {
        push(queue, item(++pushed, `k${random.below(30)}`), 1 + random.below(6));
      } else account(queue.take());
      if (random.below(50) === 0) push(queue, gap(last, last), 0);
      if (random.below(50) === 0) {
        flushes.push(pushed + 0.5);
        push(queue, flush(pushed + 0.5), 0);
      }
      if (random.below(500) === 0) {
        const next = queueOf(limits, overflow);
        queue.moveInto(next);
        moved += queue.dropped;
        assertEquals(queue.length, 0);
        queue = next;
      }
      // What was taken, what waits and what was dropped; a gap may not be read yet.
      assertEquals(taken + queue.length + queue.dropped + moved, pushed);
      assertEquals(queue.length <= limits.items && queue.bytes <= limits.bytes, true);
    }
    for (let next = queue.take(); next !== undefined; next = queue.take()) account(next);
    assertEquals(accounted, pushed);
    assertEquals(lastFlush, flushes.at(-1));
  });
}

for (const overflow of ["drop-oldest", "drop-newest", "coalesce"] as const) {
  Deno.test(`${overflow}: what was dropped may have been sent long before it came`, () => {
    const queue = queueOf({ items: 20, bytes: 100 }, overflow);
    // Through growth, and round the end of the ring.
    for (let time = 1; time <= 30; time++) {
      queue.push(item(100 + time), 1, time);
      if (time <= 10) queue.take();
    }
    for (let time = 31; time <= 33; time++) queue.push(item(100 + time), 1, time);
    const notes = drain(queue).filter((left) => typeof left === "string");
    assertEquals(notes, [overflow === "drop-newest" ? "31-133:3" : "11-113:3"]);
  });
}

Deno.test("a gap that has to go is swallowed by what was dropped", () => {
  const queue = queueOf({ items: 2, bytes: 100 }, "drop-oldest");
  push(queue, item(5), 1);
  push(queue, gap(2, 9), 0);
  push(queue, item(10), 1);
  push(queue, item(11), 1);
  assertEquals(drain(queue), ["2-9:1", 10, 11]);
});

Deno.test("a flush that has to go is kept, the last one of each server, after what was dropped", () => {
  const queue = queueOf({ items: 2, bytes: 100 }, "drop-oldest");
  const kept = [item(1), flush(2), flush(3, "b:1"), item(4), flush(5), item(6), item(7)];
  for (const one of kept) push(queue, one, 1);
  assertEquals(drain(queue), ["1-4:2", "flush 5", "flush 3", 6, 7]);
});

Deno.test("a queue full of flushes keeps one and counts nothing", () => {
  const queue = queueOf({ items: 2, bytes: 100 }, "drop-newest");
  for (let at = 1; at <= 1_000; at++) push(queue, flush(at), 0);
  assertEquals([queue.length, queue.dropped], [0, 0]);
  assertEquals(drain(queue), ["flush 1", "flush 2", "flush 1000"]);
});

Deno.test("moving a queue takes along what it dropped", () => {
  const from = filled("drop-oldest", { items: 3, bytes: 100 }, 5);
  const to = queueOf({ items: 3, bytes: 100 }, "drop-oldest");
  from.moveInto(to);
  assertEquals([from.length, from.bytes, from.take()], [0, 0, undefined]);
  assertEquals(drain(to), ["1-2:2", 3, 4, 5]);
});

Deno.test("a cleared queue holds nothing", () => {
  const queue = filled("drop-oldest", { items: 3, bytes: 100 }, 5);
  queue.clear();
  assertEquals([queue.length, queue.bytes, queue.take()], [0, 0, undefined]);
});

for (const overflow of ["drop-oldest", "drop-newest", "coalesce"] as const) {
  Deno.test(`${overflow}: what is dropped in a cluster is a gap of each node, with its slots`, () => {
    const queue = queueOf({ items: 2, bytes: 100 }, overflow);
    const keep = overflow === "drop-newest" ? [1, 2] : [7, 8];
    const slots = [9, 9, 4, 7, 5, 9, 9, 9];
    for (const [index, slot] of slots.entries()) {
      const notification = item(index + 1) as KeyNotification;
      notification.node = index % 2 === 0 ? "a:1" : "b:1";
      notification.slot = slot;
      push(queue, notification, 1);
    }
    const gaps: Gap[] = [];
    const left: number[] = [];
    for (let next = queue.take(); next !== undefined; next = queue.take()) {
      if (next instanceof Dropped) gaps.push(next.toGap("*"));
      else left.push((next as KeyNotification).timestamp);
    }
    assertEquals(left, keep);
    // Two are kept, the first or the last; the others are these.
    const first = overflow === "drop-newest" ? 3 : 1;
    const common = { kind: "gap", reason: "overflow", dropped: 3 } as const;
    const scattered = [{ first: 4, last: 5 }, { first: 9, last: 9 }];
    const apart = [{ first: 7, last: 7 }, { first: 9, last: 9 }];
    assertEquals(gaps, [
      { ...common, node: "a:1", from: first, to: first + 4, slots: scattered },
      { ...common, node: "b:1", from: first + 1, to: first + 5, slots: apart },
    ]);
    assertEquals(queue.dropped, 6);
  });
}

Deno.test("gaps of nodes that have to go are swallowed by what was dropped of each", () => {
  const queue = queueOf({ items: 2, bytes: 100 }, "drop-oldest");
  for (const [index, node] of ["a:1", "b:1", "a:1"].entries()) {
    const lost = { ...gap(index, index + 10) as Gap, node, slots: [{ first: index, last: 2 }] };
    push(queue, lost, 0);
  }
  const notification = item(20) as KeyNotification;
  push(queue, notification, 1);
  push(queue, item(21), 1);
  const dropped: unknown[] = [];
  for (let next = queue.take(); next !== undefined; next = queue.take()) {
    if (next instanceof Dropped) dropped.push([next.node, next.from, next.to, [...next.slots]]);
  }
  assertEquals(dropped, [["a:1", 0, 12, [0, 1, 2]], ["b:1", 1, 11, [1, 2]]]);
});

testMarks(100_000);

Deno.test("a queue in which nothing has waited takes little memory", () => {
  const queues: BoundedQueue[] = new Array(50_000);
  const before = Deno.memoryUsage().heapUsed;
  for (let n = 0; n < queues.length; n++) {
    queues[n] = queueOf({ items: 1_000, bytes: 1_000 }, "drop-oldest");
  }
  const each = (Deno.memoryUsage().heapUsed - before) / queues.length;
  assert(each < 450, `${each} bytes each`);
});
