/** Compares CPU times of the process, in which nothing else may run meanwhile. */
import { assert } from "@std/assert";
import { Ownership, parseShards, type Question, type SlotMove } from "../../cluster/mod.ts";
import type { Reply } from "../../resp/mod.ts";
import { growth } from "./growth.ts";
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

Deno.test("shards that each claim every slot take no more time than shards with a slot each", () => {
  const count = 4_000;
  const read = (slots: (i: number) => Reply) => {
    const reply = repeated(count, (i) => shard(slots(i), listed(`${i}`)));
    return () => parseShards(reply, ASKED, { maxNodes: count });
  };
  const factor = growth(read((i) => [i, i]), read(() => [0, 16_383]), MOST);
  assert(factor < MOST, `they take ${factor.toFixed(1)} times as much`);
});

Deno.test("moves of slots are heard in time in proportion to their number", () => {
  const work = (state: SlotMove["state"]) => (count: number) => {
    const moves = repeated(count, (i): SlotMove => ({
      id: `${i}`,
      slots: [{ first: 0, last: 16_383 }],
      direction: "in",
      source: "b",
      state,
      isRetried: false,
      created: i,
    }));
    const topology = (id: string) => parseShards([shard([0, 16_383], listed(id))], ASKED);
    return () => {
      const questions: Question[] = [];
      const sink = {
        decide() {},
        ask: (question: Question) => questions.push(question),
        renew() {},
      };
      const ownership = new Ownership<string>(sink);
      ownership.setTopology(topology("b"));
      ownership.open("a");
      const [begun] = questions.splice(0);
      assert(begun?.kind === "moves");
      begun.answer([]);
      ownership.setTopology(topology("c"));
      ownership.setTopology(topology("a"));
      const view = questions.find(({ kind }) => kind === "view");
      assert(view?.kind === "view");
      view.answer({
        role: "primary",
        slots: [],
        importing: new Map(),
        migrating: new Map(),
        moves,
      });
    };
  };
  for (const state of ["failed", "running", "succeeded"] as const) {
    const factor = growth(work(state)(2_000), work(state)(8_000), MOST);
    assert(factor < MOST, `four times as many that are ${state} take ${factor.toFixed(1)} times`);
  }
});
