import { assertEquals } from "@std/assert";
import { BoundedQueue } from "../../pubsub/queue.ts";

interface Item {
  readonly timestamp: number;
}

function filled(limits: { items: number; bytes: number }, count: number, bytes = 1) {
  const queue = new BoundedQueue<Item>(limits);
  for (let timestamp = 1; timestamp <= count; timestamp++) queue.push({ timestamp }, bytes);
  return queue;
}

function drain(queue: BoundedQueue<Item>): number[] {
  const left: number[] = [];
  for (let item = queue.shift(); item; item = queue.shift()) left.push(item.timestamp);
  return left;
}

Deno.test("a queue gives its items back in order, while it grows round its end", () => {
  const queue = new BoundedQueue<Item>({ items: 1_000, bytes: 1_000 });
  const out: number[] = [];
  let next = 0;
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 7; i++) queue.push({ timestamp: next++ }, 1);
    for (let i = 0; i < 3; i++) out.push(queue.shift()!.timestamp);
  }
  out.push(...drain(queue));
  assertEquals(out, Array.from({ length: 350 }, (_, index) => index));
  assertEquals([queue.length, queue.bytes, queue.isEmpty], [0, 0, true]);
});

Deno.test("the oldest go when there are too many items, and are counted with their times", () => {
  const queue = filled({ items: 3, bytes: 100 }, 5);
  assertEquals(queue.takeDropped(), { from: 1, to: 2, count: 2 });
  assertEquals(queue.takeDropped(), null);
  assertEquals(drain(queue), [3, 4, 5]);
});

Deno.test("the oldest go when there are too many bytes", () => {
  const queue = filled({ items: 100, bytes: 10 }, 5, 4);
  assertEquals([queue.length, queue.bytes], [2, 8]);
  assertEquals(queue.takeDropped(), { from: 1, to: 3, count: 3 });
});

Deno.test("an item larger than the whole queue is dropped with all before it", () => {
  const queue = filled({ items: 100, bytes: 10 }, 2);
  queue.push({ timestamp: 3 }, 11);
  assertEquals([queue.length, queue.isEmpty], [0, false]);
  assertEquals(queue.takeDropped(), { from: 1, to: 3, count: 3 });
  queue.push({ timestamp: 4 }, 1);
  assertEquals(drain(queue), [4]);
});

Deno.test("moving a queue takes along what it dropped", () => {
  const from = filled({ items: 3, bytes: 100 }, 5);
  const to = new BoundedQueue<Item>({ items: 3, bytes: 100 });
  from.moveInto(to);
  assertEquals([from.isEmpty, from.bytes], [true, 0]);
  assertEquals(to.takeDropped(), { from: 1, to: 2, count: 2 });
  assertEquals(drain(to), [3, 4, 5]);
});

Deno.test("a cleared queue holds nothing", () => {
  const queue = filled({ items: 3, bytes: 100 }, 5);
  queue.clear();
  assertEquals([queue.isEmpty, queue.length, queue.bytes], [true, 0, 0]);
});
