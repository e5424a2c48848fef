import { assert, assertEquals } from "@std/assert";
import type { KeyNotification } from "../../parse/mod.ts";
import { Backpressure, type BoundedQueue } from "../../pubsub/queue.ts";
import { queueOf } from "./queue_marks.ts";

const item = { timestamp: 1 } as unknown as KeyNotification;

function filled(backpressure: Backpressure, count: number): BoundedQueue {
  const queue = queueOf({ items: 1e6, bytes: 1e6 }, "drop-oldest", { backpressure });
  for (let i = 0; i < count; i++) queue.push(item, 0, 0);
  return queue;
}

/** Takes one item after another, each by so many turns. */
async function read(queue: BoundedQueue, turns: number): Promise<void> {
  while (queue.take() !== undefined) for (let turn = 0; turn < turns; turn++) await null;
}

/** Whether the turn is over before any timer, and what then waits. */
async function outcome(
  backpressure: Backpressure,
): Promise<[beforeTimers: boolean, waiting: number]> {
  let fired = false;
  const timer = setTimeout(() => fired = true, 0);
  await backpressure.yield();
  const { waiting } = backpressure;
  clearTimeout(timer);
  return [!fired, waiting];
}

for (const turns of [1, 3, 10]) {
  Deno.test(`a reader that takes an item in ${turns} turns is given time for all, and no more`, async () => {
    const backpressure = new Backpressure();
    read(filled(backpressure, 1000), turns);
    assertEquals(await outcome(backpressure), [true, 0]);
  });
}

Deno.test("several readers are given time for all they have", async () => {
  const backpressure = new Backpressure();
  read(filled(backpressure, 300), 1);
  read(filled(backpressure, 500), 2);
  assertEquals(await outcome(backpressure), [true, 0]);
});

Deno.test("what nobody reads is not waited for", async () => {
  const backpressure = new Backpressure();
  filled(backpressure, 10);
  assertEquals(await outcome(backpressure), [true, 10]);
});

Deno.test("a reader beside one that does not read is given its time", async () => {
  const backpressure = new Backpressure();
  filled(backpressure, 10);
  read(filled(backpressure, 500), 1);
  assertEquals(await outcome(backpressure), [true, 10]);
});

Deno.test("a reader that stops half-way is waited for no longer than until the next timer", async () => {
  const backpressure = new Backpressure();
  const queue = filled(backpressure, 100);
  (async () => {
    for (let i = 0; i < 40; i++) {
      queue.take();
      await null;
    }
  })();
  await backpressure.yield();
  assertEquals(backpressure.waiting, 60);
});

Deno.test("every turn that is waited for ends when the queue is empty", async () => {
  const backpressure = new Backpressure();
  read(filled(backpressure, 1000), 1);
  const turns = await Promise.all([
    outcome(backpressure),
    outcome(backpressure),
    outcome(backpressure),
  ]);
  assert(turns.every(([beforeTimers, waiting]) => beforeTimers && waiting === 0));
});

Deno.test("the end ends every turn, and none follows", async () => {
  const backpressure = new Backpressure();
  backpressure.waiting = 1;
  backpressure.mark();
  const turn = backpressure.yield();
  for (let n = 0; n < 50; n++) await null;
  // By now it waits for a timer, which would outlive this test.
  backpressure.end();
  await turn;
  backpressure.mark();
  assertEquals(backpressure.yield(), null);
});
