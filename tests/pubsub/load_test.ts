import { assert, assertEquals } from "@std/assert";
import type { KeyNotification } from "../../parse/mod.ts";
import { Load } from "../../pubsub/load.ts";
import { BoundedQueue } from "../../pubsub/queue.ts";

const item = { timestamp: 1 } as unknown as KeyNotification;

function filled(load: Load, count: number): BoundedQueue {
  const queue = new BoundedQueue({ items: 1e6, bytes: 1e6 }, "drop-oldest", load);
  for (let i = 0; i < count; i++) queue.push(item, 0, 0);
  return queue;
}

/** Takes one item after another, each by so many turns. */
async function read(queue: BoundedQueue, turns: number): Promise<void> {
  while (queue.take() !== undefined) for (let turn = 0; turn < turns; turn++) await null;
}

/** Whether the turn is over before any timer, and what then waits. */
async function outcome(load: Load): Promise<[beforeTimers: boolean, waiting: number]> {
  let fired = false;
  const timer = setTimeout(() => fired = true, 0);
  await load.turn();
  const { waiting } = load;
  clearTimeout(timer);
  return [!fired, waiting];
}

for (const turns of [1, 3, 10]) {
  Deno.test(`a reader that takes an item in ${turns} turns is given time for all, and no more`, async () => {
    const load = new Load();
    read(filled(load, 1000), turns);
    assertEquals(await outcome(load), [true, 0]);
  });
}

Deno.test("several readers are given time for all they have", async () => {
  const load = new Load();
  read(filled(load, 300), 1);
  read(filled(load, 500), 2);
  assertEquals(await outcome(load), [true, 0]);
});

Deno.test("what nobody reads is not waited for", async () => {
  const load = new Load();
  filled(load, 10);
  assertEquals(await outcome(load), [true, 10]);
});

Deno.test("a reader beside one that does not read is given its time", async () => {
  const load = new Load();
  filled(load, 10);
  read(filled(load, 500), 1);
  assertEquals(await outcome(load), [true, 10]);
});

Deno.test("a reader that stops half-way is waited for no longer than until the next timer", async () => {
  const load = new Load();
  const queue = filled(load, 100);
  (async () => {
    for (let i = 0; i < 40; i++) {
      queue.take();
      await null;
    }
  })();
  await load.turn();
  assertEquals(load.waiting, 60);
});

Deno.test("every turn that is waited for ends when the queue is empty", async () => {
  const load = new Load();
  read(filled(load, 1000), 1);
  const turns = await Promise.all([outcome(load), outcome(load), outcome(load)]);
  assert(turns.every(([beforeTimers, waiting]) => beforeTimers && waiting === 0));
});

Deno.test("the end ends every turn, and there are no more", async () => {
  const load = new Load();
  load.waiting = 1;
  load.raise();
  const turn = load.turn();
  for (let n = 0; n < 50; n++) await null;
  // By now it waits for a timer, which would outlive this test.
  load.end();
  await turn;
  load.raise();
  assertEquals(load.turn(), null);
});
