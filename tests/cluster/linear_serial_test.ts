/** Compares CPU times of the process, in which nothing else may run meanwhile. */
import { assert } from "@std/assert";
import { parseShards } from "../../cluster/discovery/discover_topology.ts";
import type { SlotMove } from "../../cluster/migration/node_stream.ts";
import type { Reply } from "../../resp/mod.ts";
import { growth } from "./growth.ts";
import { IDLE, importing, Scene } from "./migration/filters.ts";
import { ASKED, HOSTILE, listed, repeated, shard } from "./hostile_replies.ts";

/** Less than the square of four, and more than four by enough for a busy machine. */
const MOST = 8;

for (const { name, size, reply, read } of HOSTILE) {
  Deno.test(`a reply takes time in proportion to its size: ${name}`, () => {
    const [small, large] = [reply(size), reply(4 * size)];
    const factor = growth(() => read(small), () => read(large), MOST);
    assert(factor < MOST, `four times the size takes ${factor.toFixed(1)} times the time`);
  });
}

Deno.test("shards that each claim every slot take as little time as shards with a slot each", () => {
  const count = 4_000;
  const read = (slots: (i: number) => Reply) => {
    const reply = repeated(count, (i) => shard(slots(i), listed(`${i}`)));
    return () => parseShards(reply, { ...ASKED, maxNodes: count });
  };
  const factor = growth(read((i) => [i, i]), read(() => [0, 16_383]), MOST);
  assert(factor < MOST, `they take ${factor.toFixed(1)} times as much`);
});

Deno.test("atomic migrations are heard in time in proportion to their number", () => {
  const listed = (state: SlotMove["state"]) => (count: number) => {
    const moves = repeated(count, (i): SlotMove => ({
      id: `${i}`,
      slots: [{ first: 0, last: 16_383 }],
      source: "a",
      direction: "in",
      state,
    }));
    return () => {
      const scene = new Scene({ a: [1], b: [] });
      scene.emit("b", "set");
      scene.answer("b", false);
      scene.report("b", { ...IDLE, moves });
      scene.prove("a");
      scene.release("a");
      assert(scene.filter.queues.held === 0);
    };
  };
  for (const state of ["failed", "running", "succeeded"] as const) {
    const factor = growth(listed(state)(2_000), listed(state)(8_000), MOST);
    assert(factor < MOST, `four times as many that are ${state} take ${factor.toFixed(1)} times`);
  }
});

Deno.test("events that wait are decided in time in proportion to their number, also those of one key", () => {
  const deleted = (count: number, keys: number) => () => {
    const scene = new Scene({ a: [1], b: [2] });
    for (let n = 0; n < count; n++) scene.emit("a", "del", `${n % keys}`);
    scene.report("a");
    for (let n = 0; n < 2; n++) scene.prove("b");
    assert(scene.filter.queues.held === 0);
  };
  for (const keys of [1_000_000, 1]) {
    const factor = growth(deleted(100, keys), deleted(400, keys), MOST);
    assert(factor < MOST, `four times as many of ${keys} keys take ${factor.toFixed(1)} times`);
  }
});

Deno.test("slots of one atomic migration are handed over in time in proportion to their number", () => {
  const handedOver = (count: number) => () => {
    const slots = repeated(count, (slot) => slot);
    const scene = new Scene({ a: slots, b: [] });
    for (const slot of slots) scene.emit("b", "set", "k", slot);
    for (const slot of slots) scene.answer("b", false, slot);
    for (const slot of slots) scene.release("a", slot);
    for (const slot of slots) scene.answer("b", true, slot);
    const slotsOf = [{ first: 0, last: count - 1 }];
    const [move] = importing(0, "succeeded").moves!;
    scene.report("b", { ...IDLE, ownEpoch: 1, moves: [{ ...move!, slots: slotsOf }] });
    for (let n = 0; n < 3; n++) scene.prove("a", "b");
    scene.report("b", { ...IDLE, ownEpoch: 1, moves: [{ ...move!, slots: slotsOf }] });
    assert(scene.filter.queues.held === 0 && scene.filter.queues.artefacts === count);
  };
  const factor = growth(handedOver(1_000), handedOver(4_000), MOST);
  assert(factor < MOST, `four times as many slots take ${factor.toFixed(1)} times the time`);
});

Deno.test("events of many nodes that wait at once take no more than each node's time each", () => {
  const deleted = (count: number) => () => {
    const ids = repeated(count, (n) => `${n}`);
    const scene = new Scene(Object.fromEntries(ids.map((id, slot) => [id, [slot]])));
    for (const [slot, id] of ids.entries()) scene.emit(id, "del", id, slot);
    for (const id of ids) scene.report(id, { ...IDLE, known: count });
    for (let n = 0; n < 3; n++) scene.prove(...ids);
    assert(scene.filter.queues.held === 0);
  };
  // Each of them has to be compared with each other one.
  const most = 4 * MOST;
  const factor = growth(deleted(60), deleted(240), most);
  assert(factor < most, `four times as many nodes take ${factor.toFixed(1)} times the time`);
});
