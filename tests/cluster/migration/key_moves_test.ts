/** Which `del` and `restore` events `MIGRATE` made, and which clients did. */
import { assertEquals } from "@std/assert";
import { IDLE, Scene } from "./filters.ts";

Deno.test("a deletion is uncertain if its restore was delivered as uncertain before", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "restore");
  scene.answer("b", false);
  scene.report("b", { ...IDLE, moves: null });
  assertEquals(scene.take(), ["b restore k maybe"]);
  // The deletion was read before the answer that proves that no other comes.
  scene.emit("a", "del");
  for (let n = 0; n < 3; n++) scene.prove("a", "b");
  scene.report("a");
  assertEquals(scene.take(), ["a del k maybe"]);
});

Deno.test("once a restore is delivered as uncertain, every other node is asked for its last opposites", () => {
  const scene = new Scene({ a: [1], b: [], c: [] });
  scene.emit("b", "restore");
  scene.answer("b", false);
  assertEquals(scene.asked.includes("ping c"), false);
  scene.report("b", { ...IDLE, moves: null });
  assertEquals(scene.take(), ["b restore k maybe"]);
  assertEquals(scene.asked.includes("ping c"), true);
});

Deno.test("a deletion is uncertain after its restore, also of a node that is not waited for any more", () => {
  const scene = new Scene({ a: [1], b: [] }, { hold: 1_000 });
  scene.emit("b", "restore");
  scene.answer("b", false);
  scene.report("b");
  scene.filter.queues.tick(1_000);
  assertEquals(scene.take(), ["b restore k maybe"]);
  scene.now = 1_001;
  scene.emit("a", "del");
  for (let n = 0; n < 3; n++) scene.prove("b", "a");
  scene.report("a");
  assertEquals(scene.take(), ["a del k maybe"]);
});

Deno.test("as many uncertain events are remembered as may wait", () => {
  const scene = new Scene({ a: [1], b: [] }, { items: 2 });
  for (const key of ["one", "two"]) {
    scene.emit("b", "restore", key);
    scene.answer("b", false);
    scene.report("b", { ...IDLE, moves: null });
  }
  scene.emit("a", "del", "one");
  for (let n = 0; n < 3; n++) scene.prove("a", "b");
  scene.report("a");
  assertEquals(scene.take(), ["b restore one maybe", "b restore two maybe", "a del one maybe"]);
});

Deno.test("of a node that answered between a restore and its deletion, the deletion is a client's", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "restore");
  // MIGRATE answers nothing in between.
  scene.prove("a");
  scene.emit("a", "del");
  scene.answer("b", false);
  scene.report("b");
  scene.report("a");
  for (let n = 0; n < 3; n++) scene.prove("a", "b");
  assertEquals(scene.take().toSorted(), ["a del k real", "b restore k maybe"]);
});

Deno.test("of a node that answered between a deletion and a restore, the restore is a client's", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("a", "del");
  scene.prove("b");
  scene.emit("b", "restore");
  scene.answer("b", false);
  scene.report("b");
  scene.report("a");
  for (let n = 0; n < 3; n++) scene.prove("a", "b");
  assertEquals(scene.take().toSorted(), ["a del k real", "b restore k maybe"]);
});

for (const isHeard of [true, false]) {
  const classification = isHeard ? "real" : "maybe";

  Deno.test(`a restore by the owner is ${classification} if ${isHeard ? "every" : "not every"} node is heard`, () => {
    const scene = new Scene({ a: [1], b: [2] });
    if (!isHeard) scene.filter.setTopology(new Set(["a", "b", "c"]), 3, () => null);
    scene.emit("a", "restore");
    scene.prove("b");
    assertEquals(scene.take(), [`a restore k ${classification}`]);
  });

  Deno.test(`what happens to a key that migrates there and back is ${isHeard ? "known" : "uncertain"} if ${isHeard ? "every" : "not every"} node is heard`, () => {
    const scene = new Scene({ a: [1], b: [] });
    if (!isHeard) scene.filter.setTopology(new Set(["a", "b", "c"]), 3, () => null);
    scene.emit("a", "restore");
    scene.emit("b", "restore");
    scene.emit("a", "del");
    scene.emit("a", "restore");
    scene.emit("b", "del");
    scene.answer("b", false);
    scene.report("b");
    scene.report("a");
    for (let n = 0; n < 4; n++) scene.prove("a", "b");
    const moved = isHeard ? "artefact" : "maybe";
    assertEquals(scene.take().toSorted(), [
      `a del k ${moved}`,
      `a restore k ${moved}`,
      `a restore k ${classification}`,
      `b del k ${moved}`,
      `b restore k ${moved}`,
    ]);
  });
}

Deno.test("no slot migrates to a primary that has become a replica", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.filter.setTopology(new Set(["a", "b", "c"]), 2, () => null);
  scene.filter.proofs.removePrimary("c");
  scene.emit("a", "del");
  scene.prove("b");
  scene.report("a");
  assertEquals(scene.take(), ["a del k real"]);
});

Deno.test("slots may migrate to a primary that was promoted, also while topologies do not name it yet", () => {
  const scene = new Scene({ a: [1], b: [2] });
  const del = () => {
    scene.emit("a", "del");
    scene.prove("b");
    scene.report("a");
    return scene.take();
  };
  scene.filter.proofs.addPrimary("c");
  assertEquals(del(), ["a del k maybe"]);
  scene.filter.setTopology(new Set(["a", "b"]), 2, () => null);
  assertEquals(del(), ["a del k maybe"]);
  scene.filter.setTopology(new Set(["a", "b", "c"]), 2, () => null);
  scene.filter.setTopology(new Set(["a", "b"]), 2, () => null);
  assertEquals(del(), ["a del k real"]);
});

for (
  const [what, slots, target, classification] of [
    ["hands its slot over to nobody", [1], null, "real"],
    ["hands its slot over to a node that is heard", [1], "b", "real"],
    ["hands its slot over to a node that is not connected", [1], "c", "maybe"],
    ["no longer owns the slot", [2], null, "maybe"],
  ] as const
) {
  Deno.test(`where not all nodes are heard, a deletion is ${classification} of a node that ${what}`, () => {
    const scene = new Scene({ a: [1], b: [] });
    scene.filter.proofs.isNarrow = true;
    scene.emit("a", "del");
    for (let n = 0; n < 3; n++) scene.prove("a", "b");
    scene.report("a", {
      ...IDLE,
      slots: slots.map((slot) => ({ first: slot, last: slot })),
      sends: new Map(target === null ? [] : [[1, target]]),
    });
    assertEquals(scene.take(), []);
    // The report may have come by another connection.
    scene.ping("a");
    assertEquals(scene.take(), [`a del k ${classification}`]);
  });
}

Deno.test("where not all nodes are heard, a restore is an artefact if its deletion is heard, or else uncertain", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.filter.proofs.isNarrow = true;
  scene.emit("b", "restore");
  scene.emit("a", "del");
  for (let n = 0; n < 3; n++) scene.prove("a", "b");
  scene.answer("b", false);
  scene.report("a");
  scene.report("b");
  assertEquals(scene.take(), ["b restore k artefact", "a del k artefact"]);
  scene.emit("a", "restore");
  for (let n = 0; n < 3; n++) scene.prove("a", "b");
  scene.report("a");
  scene.report("b");
  assertEquals(scene.take(), ["a restore k maybe"]);
});
