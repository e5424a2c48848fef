import { assert, assertEquals } from "@std/assert";
import type { Gap, Item } from "../../pubsub/gap.ts";
import { Backpressure, BoundedQueue, type Overflow } from "../../pubsub/queue.ts";
import { optionsOf, queueOf, testMarks } from "./queue_marks.ts";
import { Random } from "../random.ts";
import { KeyNotification } from "../../parse/mod.ts";

/** Takes the next item, and the gaps between them. */
function takeAny(queue: BoundedQueue): Item | undefined {
  return queue.take({ gaps: true, flushes: true, rolledBack: true });
}

/** A gap where items were dropped. */
type Overflowing = Gap & { readonly reason: "overflow" };

function isOfDropped(item: Item): item is Overflowing {
  return item.kind === "gap" && item.reason === "overflow";
}

function held({ counts: { queued, queuedBytes } }: BoundedQueue): [items: number, bytes: number] {
  return [queued, queuedBytes];
}

function item(timestamp: number, key: string | Uint8Array = `k${timestamp}`): Item {
  return KeyNotification.tryParse("__keyevent@0__:set", key, { timestamp })!;
}

function gap(from: number, to: number): Item {
  return { kind: "gap", reason: "disconnected", node: "a:1", from, to };
}

function rolledBack(at: number): Item {
  const notifications = [item(at - 1) as KeyNotification];
  return { kind: "rolled-back", node: "a:1", at, notifications };
}

function flush(at: number, node = "a:1"): Item {
  return { kind: "flush", node, at };
}

/** Adds an item that was sent when it came. */
function push(queue: BoundedQueue, item: Item, bytes: number): void {
  queue.push(item, bytes, "from" in item ? item.from : "at" in item ? item.at : item.timestamp);
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
  for (let next = takeAny(queue); next !== undefined; next = takeAny(queue)) {
    if (isOfDropped(next)) left.push(`${next.from}-${next.to}:${next.dropped}`);
    else if (next.kind === "gap") left.push(`gap ${next.from}-${next.to}`);
    else left.push("at" in next ? `${next.kind} ${next.at}` : next.timestamp);
  }
  return left;
}

Deno.test("a queue gives its items back in order, while it grows round its end", () => {
  const queue = queueOf({ items: 1_000, bytes: 1_000 }, "drop-oldest");
  const out: unknown[] = [];
  let next = 0;
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 7; i++) push(queue, item(next++), 1);
    for (let i = 0; i < 3; i++) out.push((takeAny(queue) as KeyNotification).timestamp);
  }
  out.push(...drain(queue));
  assertEquals(out, Array.from({ length: 350 }, (_, index) => index));
  assertEquals(held(queue), [0, 0]);
});

Deno.test("what waits in a queue counts in its backpressure, whatever becomes of it", () => {
  const backpressure = new Backpressure();
  const queue = queueOf({ items: 16, bytes: 100 }, "coalesce", { backpressure });
  for (let n = 1; n <= 40; n++) {
    queue.push(item(n, `k${n % 20}`), 1, n);
    assertEquals(backpressure.waiting, queue.counts.queued);
  }
  takeAny(queue);
  takeAny(queue);
  assertEquals(backpressure.waiting, queue.counts.queued);
  queue.clear();
  assertEquals(backpressure.waiting, 0);
});

Deno.test("drop-oldest: the oldest go when there are too many items", () => {
  const queue = filled("drop-oldest", { items: 3, bytes: 100 }, 5);
  assertEquals(held(queue), [3, 3]);
  assertEquals(drain(queue), ["1-2:2", 3, 4, 5]);
});

Deno.test("drop-oldest: the oldest go when there are too many bytes", () => {
  const queue = filled("drop-oldest", { items: 100, bytes: 10 }, 5, 4);
  assertEquals(held(queue), [2, 8]);
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
  assertEquals(held(queue), [3, 3]);
  assertEquals((takeAny(queue) as KeyNotification).timestamp, 1);
  push(queue, item(6), 1);
  push(queue, item(7), 1);
  assertEquals(drain(queue), [2, 3, "4-5:2", 6, "7-7:1"]);
});

Deno.test("coalesce: the newest of each key stay", () => {
  const queue = queueOf({ items: 16, bytes: 1_000 }, "coalesce");
  for (let timestamp = 1; timestamp <= 16; timestamp++) {
    push(queue, item(timestamp, timestamp % 4 === 0 ? "rare" + timestamp : "often"), 1);
  }
  assertEquals(queue.counts.queued, 16);
  push(queue, item(17, "often"), 1);
  assertEquals(drain(queue), ["1-15:12", 4, 8, 12, 16, 17]);
});

Deno.test("coalesce: keys are distinguished by their bytes and databases", () => {
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
    const queue = queueOf(limits, overflow);
    let pushed = 0;
    let accounted = 0;
    let taken = 0;
    let last = 0;
    const flushes: number[] = [];
    let lastFlush = 0;
    const account = (next: Item | undefined) => {
      if (next !== undefined && isOfDropped(next)) accounted += next.dropped!;
      else if (next?.kind === "flush") {
        assert(next.at > last, `the flush ${next.at} comes after ${last}`);
        lastFlush = next.at;
      } else if (next instanceof KeyNotification) {
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
      } else account(takeAny(queue));
      if (random.below(50) === 0) push(queue, gap(last, last), 0);
      if (random.below(50) === 0) {
        flushes.push(pushed + 0.5);
        push(queue, flush(pushed + 0.5), 0);
      }
      // What was taken, what waits and what was dropped; a gap may not be read yet.
      const { queued, queuedBytes, dropped } = queue.counts;
      assertEquals(taken + queued + dropped, pushed);
      assertEquals(queued <= limits.items && queuedBytes <= limits.bytes, true);
    }
    for (let next = takeAny(queue); next !== undefined; next = takeAny(queue)) account(next);
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
      if (time <= 10) takeAny(queue);
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
  assertEquals([queue.counts.queued, queue.counts.dropped], [0, 0]);
  assertEquals(drain(queue), ["flush 1", "flush 2", "flush 1000"]);
});

Deno.test("a cleared queue holds nothing", () => {
  const queue = filled("drop-oldest", { items: 3, bytes: 100 }, 5);
  queue.clear();
  assertEquals([...held(queue), takeAny(queue)], [0, 0, undefined]);
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
    for (let next = takeAny(queue); next !== undefined; next = takeAny(queue)) {
      if (isOfDropped(next)) gaps.push(next);
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
    assertEquals(queue.counts.dropped, 6);
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
  for (let next = takeAny(queue); next !== undefined; next = takeAny(queue)) {
    if (isOfDropped(next)) dropped.push([next.node, next.from, next.to, next.slots]);
  }
  assertEquals(dropped, [
    ["a:1", 0, 12, [{ first: 0, last: 2 }]],
    ["b:1", 1, 11, [{ first: 1, last: 2 }]],
  ]);
});

testMarks(100_000);

Deno.test("a queue in which nothing has waited takes little memory", () => {
  const queues: BoundedQueue[] = new Array(50_000);
  const options = optionsOf({ items: 1_000, bytes: 1_000 }, "drop-oldest");
  const before = Deno.memoryUsage().heapUsed;
  for (let n = 0; n < queues.length; n++) {
    queues[n] = new BoundedQueue(options);
  }
  const each = (Deno.memoryUsage().heapUsed - before) / queues.length;
  assert(each < 450, `${each} bytes each`);
});

Deno.test("what was rolled back keeps its place, and is in the gap if it is dropped", () => {
  const queue = queueOf({ items: 3, bytes: 100 }, "drop-oldest");
  push(queue, rolledBack(1), 0);
  for (const time of [2, 3]) push(queue, item(time), 1);
  assertEquals(queue.take()?.kind, "keyevent");
  push(queue, rolledBack(4), 0);
  assertEquals(drain(queue), [3, "rolled-back 4"]);
  push(queue, rolledBack(5), 0);
  for (const time of [6, 7, 8]) push(queue, item(time), 1);
  assertEquals(drain(queue), ["5-5:0", 6, 7, 8]);
});
