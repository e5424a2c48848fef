import { assertEquals } from "@std/assert";
import { MigrationFilter } from "../../../cluster/migration/filter.ts";
import type { NodeReport, NodeStream } from "../../../cluster/migration/node_stream.ts";
import { IDLE, importing, Scene, silent } from "./filters.ts";

Deno.test("an event of which the fence is held is real at once", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.emit("a", "set");
  scene.emit("b", "expired", "x", 2);
  assertEquals(scene.take(), ["a set k real", "b expired x real"]);
  assertEquals([scene.asked, scene.filter.queues.held], [[], 0]);
});

Deno.test("a deletion by the owner waits until every other node has proven that no restore comes", () => {
  const scene = new Scene({ a: [1], b: [2], c: [3] });
  scene.emit("a", "del");
  scene.emit("a", "set", "later");
  assertEquals(scene.asked, ["ping b", "ping c"]);
  scene.report("a");
  scene.prove("b");
  assertEquals(scene.take(), []);
  scene.prove("c");
  assertEquals(scene.take(), ["a del k real", "a set later real"]);
  assertEquals([
    scene.filter.queues.artefacts,
    scene.filter.queues.uncertain,
    scene.filter.queues.held,
  ], [0, 0, 0]);
});

Deno.test("a call is made after everything of its node that waits, and not after what waits of others", () => {
  const scene = new Scene({ a: [1], b: [2], c: [3] });
  const mark = (id: string) =>
    scene.filter.mark(scene.stream(id), () => scene.decided.push(`${id} mark`));
  mark("a");
  assertEquals(scene.take(), ["a mark"]);
  scene.emit("a", "set", "before");
  scene.emit("a", "del", "one");
  mark("a");
  mark("a");
  scene.emit("a", "del", "two");
  mark("a");
  scene.emit("a", "set", "later");
  mark("b");
  scene.report("a");
  assertEquals(scene.take(), ["a set before real", "b mark"]);
  for (let n = 0; n < 2; n++) scene.prove("b", "c");
  assertEquals(scene.take(), [
    "a del one real",
    "a mark",
    "a del two real",
    "a mark",
    "a set later real",
  ]);
  mark("a");
  assertEquals([scene.take(), scene.filter.queues.held], [["a mark"], 0]);
});

Deno.test("a call is made when the connection is over and what waits before it is given up", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.emit("a", "append", "k", 2);
  scene.filter.mark(scene.stream("a"), () => scene.decided.push("mark"));
  scene.filter.close(scene.stream("a"));
  assertEquals(scene.take(), ["a append k maybe", "mark"]);
});

Deno.test("a ping that was sent before an event proves nothing of it", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.report("a");
  scene.emit("a", "del", "one");
  scene.emit("a", "del", "two");
  scene.report("a");
  scene.prove("b");
  assertEquals(scene.take(), ["a del one real"]);
  assertEquals(scene.asked.filter((question) => question === "ping b").length, 2);
  scene.prove("b");
  assertEquals(scene.take(), ["a del two real"]);
});

for (const first of ["del", "restore"] as const) {
  Deno.test(`a key that migrates makes two artefacts, the ${first} read first`, () => {
    const scene = new Scene({ a: [1], b: [] });
    if (first === "del") scene.emit("a", "del");
    scene.emit("b", "restore");
    if (first === "restore") scene.emit("a", "del");
    scene.answer("b", false);
    scene.report("b");
    scene.report("a");
    for (let n = 0; n < 3; n++) scene.prove("a", "b");
    assertEquals(scene.take().toSorted(), ["a del k artefact", "b restore k artefact"]);
    assertEquals([scene.filter.queues.artefacts, scene.filter.queues.held], [2, 0]);
  });
}

Deno.test("what clients do at the target of a migration by key is real", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "append");
  scene.emit("b", "del");
  assertEquals(scene.asked.slice(0, 2), ["fence b 1", "report b"]);
  scene.answer("b", false);
  assertEquals(scene.take(), []);
  scene.report("b");
  assertEquals(scene.take(), ["b append k real"]);
  scene.prove("a");
  scene.prove("a");
  assertEquals(scene.take(), ["b del k real"]);
});

Deno.test("a restore that no deletion matches is uncertain at the target, and real at the owner", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.emit("b", "restore");
  scene.answer("b", false);
  scene.report("b");
  scene.prove("a", "a");
  scene.emit("a", "restore");
  scene.prove("b", "b");
  assertEquals(scene.take(), ["b restore k maybe", "a restore k real"]);
});

Deno.test("a deletion to which one of several restores can belong is uncertain, and they are", () => {
  const scene = new Scene({ a: [1], b: [], c: [] });
  scene.emit("b", "restore");
  scene.emit("c", "restore");
  scene.emit("a", "del");
  for (const id of ["b", "c"]) {
    scene.answer(id, false);
    scene.report(id);
  }
  scene.report("a");
  for (let n = 0; n < 4; n++) scene.prove("a", "b", "c");
  assertEquals(scene.take().toSorted(), [
    "a del k maybe",
    "b restore k maybe",
    "c restore k maybe",
  ]);
  assertEquals(scene.filter.queues.uncertain, 3);
});

Deno.test("a key that migrates there and back makes four artefacts", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "restore");
  scene.emit("a", "del");
  scene.emit("a", "restore");
  scene.emit("b", "del");
  scene.answer("b", false);
  scene.report("b");
  scene.report("a");
  for (let n = 0; n < 4; n++) scene.prove("a", "b");
  assertEquals([scene.take().length, scene.filter.queues.artefacts], [4, 4]);
});

Deno.test("a deletion and a restore by two owners are not migration of a key", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.emit("a", "del");
  // The slot has come to it meanwhile.
  scene.answer("b", true);
  scene.emit("b", "restore");
  scene.report("a");
  for (let n = 0; n < 3; n++) scene.prove("a", "b");
  assertEquals(scene.take().toSorted(), ["a del k real", "b restore k real"]);
});

Deno.test("what comes from another node, and from another database, is another key", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "restore", "other");
  scene.emit("a", "del");
  scene.answer("b", false);
  scene.report("b");
  scene.report("a");
  for (let n = 0; n < 3; n++) scene.prove("a", "b");
  assertEquals(scene.take().toSorted(), ["a del k real", "b restore other maybe"]);
});

Deno.test("while an atomic migration is under way its target's events are artefacts once the source proves that it still owns the slot", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "set");
  scene.answer("b", false);
  scene.report("b", importing(1));
  // The ping that was sent at the event proves nothing of the answer's time yet.
  assertEquals(scene.take(), []);
  scene.prove("a");
  assertEquals(scene.take(), ["b set k artefact"]);
  assertEquals(scene.filter.queues.artefacts, 1);
});

Deno.test("an event of a slot whose atomic migration has succeeded is no certain artefact", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "set");
  scene.answer("b", false);
  scene.report("b", importing(1, "succeeded"));
  scene.prove("a");
  scene.release("a");
  // The target owns the slot by now, unless it has lost it again.
  assertEquals(scene.take(), []);
  assertEquals(scene.asked.at(-1), "fence b 1");
  scene.answer("b", false);
  assertEquals(scene.take(), ["b set k maybe"]);
});

/** A report of a node to which an atomic migration has brought slots. */
function broughtBy(slots: readonly number[], epoch: number | null, ownEpoch = epoch): NodeReport {
  const ranges = slots.map((slot) => ({ first: slot, last: slot }));
  const [move] = importing(0, "succeeded").moves!;
  return { ...IDLE, epoch, ownEpoch, moves: [{ ...move!, slots: ranges }] };
}

Deno.test("what a target emitted before it answered that it does not own the slot is an artefact if it cannot have lost it", () => {
  const classification = (before: number | null, after: NodeReport, owns = true) => {
    const scene = new Scene({ a: [1], b: [] });
    scene.report("b", { ...IDLE, epoch: before });
    scene.ping("b");
    scene.emit("b", "set", "copied");
    scene.answer("b", false);
    scene.release("a");
    scene.report("b", after);
    scene.prove("a");
    scene.answer("b", owns);
    scene.report("b", after);
    scene.prove("a", "b");
    return scene.take();
  };
  assertEquals(classification(5, broughtBy([1], 6)), ["b set copied artefact"]);
  // A node whose epoch is the highest takes slots over without raising it.
  assertEquals(classification(5, broughtBy([1], 5)), ["b set copied artefact"]);
  // It may have owned the slot, lost it and gained it again.
  assertEquals(classification(5, broughtBy([1], 7)), ["b set copied maybe"]);
  assertEquals(classification(5, broughtBy([1], 6, 5)), ["b set copied maybe"]);
  assertEquals(classification(5, broughtBy([1], 6), false), ["b set copied maybe"]);
  assertEquals(classification(null, broughtBy([1], 6)), ["b set copied maybe"]);
  assertEquals(classification(5, broughtBy([1], null)), ["b set copied maybe"]);
});

Deno.test("a target takes all slots of an atomic migration over at once", () => {
  const classifications = (after: NodeReport) => {
    const scene = new Scene({ a: [1, 2, 3], b: [] });
    scene.report("b", { ...IDLE, epoch: 5 });
    scene.ping("b");
    for (const slot of [1, 2]) scene.emit("b", "set", `copied ${slot}`, slot);
    scene.answer("b", false, 1);
    scene.emit("b", "set", "between", 2);
    for (const slot of [1, 2]) scene.release("a", slot);
    scene.answer("b", true, 1);
    scene.emit("b", "set", "later", 2);
    scene.answer("b", true, 2);
    for (let n = 0; n < 3; n++) {
      scene.prove("a", "b");
      scene.report("b", after);
    }
    return scene.take();
  };
  assertEquals(classifications(broughtBy([1, 2], 6)), [
    "b set copied 1 artefact",
    "b set copied 2 artefact",
    "b set between maybe",
    "b set later real",
  ]);
  assertEquals(classifications(broughtBy([1, 2], 7)), [
    "b set copied 1 maybe",
    "b set copied 2 maybe",
    "b set between maybe",
    "b set later maybe",
  ]);
});

Deno.test("an answer after a target's report does not say when it took the slots over", () => {
  const scene = new Scene({ a: [1, 2], b: [], c: [] });
  scene.report("b", { ...IDLE, epoch: 5 });
  scene.ping("b");
  scene.emit("b", "set", "copied");
  scene.emit("b", "set", "real");
  scene.answer("b", true);
  scene.report("b", broughtBy([1, 2], 6));
  for (let n = 0; n < 2; n++) scene.prove("a", "b", "c");
  // By now it has lost slot 2, which it gains again.
  scene.emit("b", "set", "later", 2);
  scene.answer("b", false, 2);
  assertEquals(scene.take(), []);
  scene.release("a");
  assertEquals(scene.take(), ["b set copied maybe", "b set real maybe"]);
});

Deno.test("an epoch that any node has reported is that of what comes after the answer to a later ping", () => {
  const scene = new Scene({ a: [1], b: [] });
  const epoch = () => {
    scene.emit("b", "set");
    return [...scene.stream("b").waiting()].at(-1)!.epoch;
  };
  scene.filter.pingSent(scene.stream("b"));
  // It may come by another connection, so that the ping may have been answered before.
  scene.report("a", { ...IDLE, epoch: 5 });
  assertEquals(epoch(), 1);
  scene.prove("b");
  assertEquals(epoch(), 1);
  scene.ping("b");
  assertEquals(epoch(), 5);
  // One that does not know it yet.
  scene.report("b", { ...IDLE, epoch: 4 });
  scene.ping("b");
  assertEquals(epoch(), 5);
  scene.open("b", []);
  assertEquals(epoch(), 5);
});

Deno.test("the epoch that a node reports while it is connected to is that of all that comes", () => {
  const scene = new Scene({ a: [1], b: [] });
  const stream = scene.filter.open(silent("b"));
  for (const [epoch, known] of [[7, 7], [8, 7]] as const) {
    scene.filter.reportAsked(stream);
    scene.filter.reported(stream, { ...IDLE, epoch });
    assertEquals(stream.epoch, known);
    scene.filter.heard(stream);
  }
});

Deno.test("the events around a handover are decided by a report that was asked for after all of them", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "set", "copied");
  scene.prove("a");
  scene.emit("a", "set");
  scene.emit("b", "set");
  scene.report("b", importing(1, "succeeded", "first"));
  scene.emit("b", "set", "later");
  scene.release("a");
  scene.answer("b", true);
  scene.prove("a", "b");
  assertEquals(scene.take(), ["a set k real"]);
  // Either migration may have copied the last one.
  const { moves } = importing(1, "succeeded", "second");
  const first = importing(1, "succeeded", "first");
  scene.report("b", { ...first, moves: [...first.moves!, ...moves!] });
  scene.prove("a", "b");
  assertEquals(scene.take(), ["b set copied maybe", "b set k maybe", "b set later maybe"]);
});

Deno.test("an event of a slot whose atomic migration has failed is uncertain at once, for its source keeps the slot", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "set");
  scene.answer("b", false);
  scene.report("b", importing(1, "failed"));
  assertEquals(scene.take(), ["b set k maybe"]);
});

Deno.test("a write that ASK sent to a target is uncertain if an atomic migration of the slot failed before", () => {
  const scene = new Scene({ a: [1, 2], b: [] });
  const done = broughtBy([1, 2], 6);
  const failed: NodeReport = { ...done, moves: [{ ...done.moves![0]!, state: "failed" }] };
  scene.report("b", { ...IDLE, epoch: 5 });
  scene.ping("b");
  scene.emit("b", "set", "copied", 2);
  // Slot 1 comes key by key.
  scene.emit("b", "set", "asked");
  scene.release("a");
  scene.answer("b", true);
  scene.answer("b", false, 2);
  for (let n = 0; n < 3; n++) {
    scene.report("b", failed);
    scene.prove("a", "b");
  }
  assertEquals(scene.take(), ["b set copied maybe", "b set asked maybe"]);
});

Deno.test("a write that ASK sent to a target may be none if an atomic migration was over before its source regained the slot", () => {
  const classifications = (isListed: boolean) => {
    const scene = new Scene({ a: [1], b: [] });
    scene.release("a");
    scene.answer("a", true);
    scene.ping("b");
    // What began later did not end before.
    if (isListed) scene.report("b");
    scene.emit("b", "set", "first");
    scene.prove("a");
    scene.emit("a", "set");
    scene.emit("b", "set");
    scene.release("a");
    scene.answer("b", true);
    scene.report("b", importing(1, "succeeded"));
    scene.prove("a", "b");
    return scene.take().filter((text) => text.startsWith("b "));
  };
  assertEquals(classifications(false), ["b set first maybe", "b set k maybe"]);
  assertEquals(classifications(true), ["b set first artefact", "b set k artefact"]);
});

Deno.test("a migration of another slot makes nothing an artefact", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "set");
  scene.answer("b", false);
  scene.report("b", importing(2));
  scene.prove("a");
  assertEquals(scene.take(), ["b set k real"]);
});

Deno.test("what stands before the repetition of the source's last event is an artefact, and what follows is real", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "set", "copied");
  scene.prove("a");
  scene.emit("a", "append", "one");
  scene.emit("a", "expired", "two");
  scene.emit("b", "append", "one");
  scene.emit("b", "del", "two");
  scene.emit("b", "set", "three");
  assertEquals(scene.take(), ["a append one real", "a expired two real"]);
  scene.release("a");
  scene.answer("b", true);
  scene.report("b", importing(1, "succeeded"));
  // What the source emitted before is to be read first.
  assertEquals(scene.take(), []);
  scene.prove("a", "a");
  assertEquals(scene.take(), [
    "b set copied artefact",
    "b append one artefact",
    "b del two artefact",
    "b set three real",
  ]);
});

Deno.test("what the target emits around the handover is uncertain while the source may have more to repeat", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "set", "copied");
  scene.prove("a");
  scene.emit("a", "append", "one");
  scene.emit("a", "append", "two");
  scene.emit("b", "append", "one");
  scene.emit("b", "set", "three");
  scene.take();
  scene.answer("b", true);
  scene.report("b", importing(1, "succeeded"));
  // The source has not ended its fence in its stream yet.
  assertEquals(scene.take(), []);
  scene.release("a");
  scene.prove("a", "a");
  assertEquals(scene.take(), [
    "b set copied artefact",
    "b append one artefact",
    "b set three maybe",
  ]);
});

Deno.test("a node that does not say which migrations it takes part in leaves its events uncertain", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "set");
  scene.answer("b", false);
  scene.report("b", { ...IDLE, moves: null });
  assertEquals(scene.take(), ["b set k maybe"]);
});

Deno.test("what a replica repeats is an artefact, and it is reported as demoted", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.release("a");
  scene.emit("a", "set");
  scene.answer("a", false);
  scene.report("a", { ...IDLE, role: "replica" });
  assertEquals(scene.take(), ["a set k artefact"]);
  assertEquals(scene.asked.at(-1), "demoted a");
});

Deno.test("what came before a node ended its last fence is no certain repetition", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("a", "set", "x", 2);
  scene.answer("a", false, 2);
  scene.release("a");
  scene.emit("a", "set");
  scene.answer("a", false);
  scene.report("a", { ...IDLE, role: "replica" });
  assertEquals(scene.take(), ["a set x maybe", "a set k artefact"]);
});

for (const slot of [1, 3]) {
  Deno.test(`a replica may have gained slot ${slot} after its last fence ended, and lost it before it became one`, () => {
    const classifications = (epoch: number | null) => {
      const scene = new Scene({ a: [1], b: [2] });
      scene.release("a");
      // What another node says by now does not count from before the end.
      scene.report("b", { ...IDLE, epoch: 2 });
      scene.ping("a");
      scene.emit("a", "set", "k", slot);
      scene.answer("a", false, slot);
      scene.report("a", { ...IDLE, epoch, role: "replica" });
      return scene.take();
    };
    // The epoch is raised once for the end of the fence, and again for each slot that it gains and loses.
    assertEquals(classifications(2), ["a set k artefact"]);
    assertEquals(classifications(3), ["a set k maybe"]);
    assertEquals(classifications(null), ["a set k maybe"]);
  });
}

Deno.test("of a node that has ended all its fences, and is a primary, it is uncertain what it emitted meanwhile", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.release("a");
  scene.emit("a", "set", "meanwhile");
  scene.answer("a", false);
  scene.report("a");
  assertEquals(scene.take(), ["a set meanwhile maybe"]);
  scene.emit("a", "set", "later");
  scene.answer("a", false);
  scene.report("a");
  assertEquals(scene.take(), ["a set later real"]);
});

Deno.test("a restore that a replica repeats belongs to no deletion", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.release("a");
  scene.answer("b", true);
  scene.emit("a", "restore");
  scene.emit("b", "del");
  scene.answer("a", false);
  scene.report("a", { ...IDLE, role: "replica" });
  scene.report("b");
  for (let n = 0; n < 3; n++) scene.prove("a", "b");
  assertEquals(scene.take().toSorted(), ["a restore k artefact", "b del k real"]);
});

Deno.test("events of a slot that a node gains wait until the other nodes have answered", () => {
  const scene = new Scene({ a: [1], b: [2], c: [3] });
  scene.emit("c", "del", "other", 3);
  scene.answer("b", true);
  scene.asked = [];
  scene.emit("b", "set");
  scene.emit("b", "set", "another", 2);
  assertEquals(scene.take(), []);
  scene.prove("a");
  assertEquals(scene.take(), []);
  scene.prove("c");
  assertEquals(scene.take(), ["b set k real", "b set another real"]);
  scene.emit("b", "set");
  assertEquals(scene.take(), ["b set k real"]);
});

Deno.test("after the end of a fence the node's events are not its own", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.emit("a", "set", "before");
  scene.release("a");
  scene.emit("a", "set", "after");
  assertEquals(scene.take(), ["a set before real"]);
  assertEquals([scene.filter.queues.held, scene.asked.slice(0, 2)], [1, ["report a", "fence a 1"]]);
});

Deno.test("an answer holds for what came before it, and only if the node owns the slot for what follows", () => {
  const scene = new Scene({ a: [2], b: [] });
  scene.emit("b", "set", "before");
  const answered = scene.filter.order;
  scene.emit("b", "set", "after");
  scene.asked = [];
  scene.filter.fenced(scene.stream("b"), 1, false, answered);
  assertEquals(scene.asked.includes("fence b 1"), true);
  const stream = scene.stream("b");
  assertEquals(Array.from(stream.waiting(), ({ owns }) => owns), [false, null]);
  scene.filter.fenced(stream, 1, true, answered);
  assertEquals(Array.from(stream.waiting(), ({ owns, isOwn }) => [owns, isOwn]), [
    [false, false],
    [null, true],
  ]);
});

Deno.test("an event that came before a report was asked for is not decided by an earlier one", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.filter.reportAsked(scene.stream("b"));
  scene.emit("b", "set");
  scene.answer("b", false);
  scene.filter.reported(scene.stream("b"), IDLE);
  assertEquals(scene.take(), []);
  scene.report("b");
  assertEquals(scene.take(), ["b set k real"]);
});

Deno.test("nothing waits longer than it may: what is unproven then is uncertain", () => {
  const scene = new Scene({ a: [1], b: [2] }, { hold: 1_000 });
  scene.now = 5;
  scene.emit("a", "del");
  scene.now = 6;
  scene.emit("a", "set");
  scene.filter.queues.tick(1_004);
  assertEquals(scene.take(), []);
  scene.filter.queues.tick(1_005);
  assertEquals(scene.take(), ["a del k maybe", "a set k real"]);
});

Deno.test("a deletion waits for nodes that its owner counts and the topology does not name", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.emit("a", "del");
  scene.prove("b");
  scene.report("a", { ...IDLE, known: 3 });
  assertEquals([scene.take(), scene.asked.at(-1)], [[], "topology"]);
  scene.filter.setTopology(new Set(["a", "b"]), 3, () => "a");
  assertEquals(scene.take(), ["a del k real"]);
});

Deno.test("where opposites are not heard, a deletion is uncertain", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.filter.proofs.hearsOpposites = false;
  scene.emit("a", "del");
  scene.prove("b");
  scene.report("a");
  assertEquals(scene.take(), ["a del k maybe"]);
});

Deno.test("a deletion is uncertain while a node that may restore its key is not connected", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.filter.setTopology(new Set(["a", "b", "c"]), 3, () => null);
  scene.emit("a", "del");
  scene.prove("b");
  scene.report("a");
  assertEquals(scene.take(), ["a del k maybe"]);
});

Deno.test("events that a restore makes before it share its classification, and others do not", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "new");
  scene.emit("b", "restore");
  scene.emit("a", "del");
  scene.answer("b", false);
  scene.report("b");
  scene.report("a");
  for (let n = 0; n < 3; n++) scene.prove("a", "b");
  assertEquals(scene.take().toSorted(), [
    "a del k artefact",
    "b new k artefact",
    "b restore k artefact",
  ]);
  scene.emit("a", "new");
  scene.emit("a", "set");
  assertEquals(scene.take(), ["a new k real", "a set k real"]);
  // Nothing follows: the node has proven that it has emitted nothing else.
  scene.emit("a", "new");
  assertEquals(scene.take(), []);
  for (let n = 0; n < 2; n++) scene.prove("a");
  assertEquals(scene.take(), ["a new k real"]);
});

Deno.test("what may come before a restore is uncertain if the connection is lost after it", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("a", "new", "first");
  scene.emit("a", "new", "last");
  scene.filter.close(scene.stream("a"));
  assertEquals(scene.take(), ["a new first real", "a new last maybe"]);
});

Deno.test("of too many events that wait the oldest is decided", () => {
  const scene = new Scene({ a: [1], b: [2] }, { items: 2 });
  for (const key of ["one", "two", "three"]) scene.emit("a", "del", key);
  assertEquals([scene.take(), scene.filter.queues.held], [["a del one maybe"], 2]);
  const bytes = new Scene({ a: [1], b: [2] }, { bytes: 20 });
  for (const key of ["one", "two", "three"]) bytes.emit("a", "del", key);
  assertEquals([bytes.take(), bytes.filter.queues.heldBytes], [["a del one maybe"], 20]);
});

Deno.test("all messages of an event get the same classification, those too that come after it", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "set");
  scene.filter.more(scene.stream("b"), "second");
  scene.answer("b", false);
  scene.report("b", { ...IDLE, moves: null });
  scene.filter.more(scene.stream("b"), "third");
  scene.emit("a", "set");
  scene.filter.more(scene.stream("a"), "another");
  assertEquals(scene.take(), [
    "b set k maybe",
    "second maybe",
    "third maybe",
    "a set k real",
    "another real",
  ]);
});

Deno.test("of a node without fences nothing is hidden, and events of a slot that seems to migrate are uncertain", () => {
  const scene = new Scene({ a: [], b: [] });
  scene.filter.setTopology(new Set(["a", "b"]), 2, () => "a");
  scene.emit("b", "set", "early");
  for (const id of ["a", "b"]) scene.filter.withoutFences(scene.stream(id));
  scene.emit("a", "del");
  scene.emit("b", "restore");
  scene.emit("a", "del");
  assertEquals(scene.take(), [
    "b set early maybe",
    "a del k real",
    "b restore k maybe",
    "a del k maybe",
  ]);
  scene.filter.setTopology(new Set(["a", "b"]), 2, () => "b");
  scene.emit("b", "del");
  assertEquals(scene.take(), ["b del k real"]);
  assertEquals([scene.asked.includes("ping a"), scene.filter.queues.artefacts], [false, 0]);
});

Deno.test("what waits of a connection that is over is delivered, and marked if it is unproven", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "set");
  scene.filter.close(scene.stream("b"));
  assertEquals(scene.take(), ["b set k maybe"]);
  // While that node is not heard a deletion may belong to a restore of it.
  scene.emit("a", "del", "one");
  for (let n = 0; n < 2; n++) scene.prove("a");
  scene.open("b", []);
  scene.emit("a", "del", "two");
  for (let n = 0; n < 2; n++) scene.prove("a", "b");
  scene.emit("a", "del", "three");
  scene.filter.close(scene.stream("a"));
  for (let n = 0; n < 2; n++) scene.prove("b");
  assertEquals(scene.take(), ["a del one maybe", "a del two maybe", "a del three real"]);
});

Deno.test("every other node is pinged once a node is heard, also if a ping is under way", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.emit("b", "del", "x", 2);
  assertEquals(scene.asked.includes("ping a"), true);
  scene.filter.close(scene.stream("b"));
  scene.open("b", [2]);
  for (let n = 0; n < 2; n++) scene.prove("a", "b");
  scene.emit("a", "del");
  scene.report("a");
  scene.prove("b");
  assertEquals(scene.take().at(-1), "a del k real");
});

for (const isReported of [true, false]) {
  const classification = isReported ? "an artefact" : "uncertain";
  Deno.test(`what waits of a demoted node's connection is ${classification} if it has ${isReported ? "" : "not "}reported since`, () => {
    const scene = new Scene({ a: [1], b: [2] });
    scene.release("a");
    scene.filter.reportAsked(scene.stream("a"));
    scene.emit("a", "set");
    if (isReported) {
      scene.filter.reported(scene.stream("a"), { ...IDLE, role: "replica" });
      assertEquals(scene.take(), []);
    } else scene.stream("a").isReplica = true;
    scene.filter.close(scene.stream("a"));
    assertEquals(scene.take(), [`a set k ${isReported ? "artefact" : "maybe"}`]);
  });
}

Deno.test("what waits of a node's earlier connection comes before events of the next", () => {
  const scene = new Scene({ a: [1], b: [2], c: [3] });
  scene.emit("a", "del");
  // What is missing of an earlier owner of a slot is reported before, also while the node reconnects.
  scene.answer("a", true, 4);
  scene.emit("a", "set", "gained", 4);
  scene.filter.close(scene.stream("a"));
  scene.open("a", [1, 4]);
  scene.emit("a", "set");
  scene.prove("b");
  assertEquals(scene.take(), []);
  scene.prove("c");
  assertEquals(scene.take(), ["a del k maybe", "a set gained real", "a set k real"]);
});

Deno.test("what a node has to prove for others is needed also once their connections are over", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.filter.pingSent(scene.stream("b"));
  scene.emit("a", "del", "first");
  scene.emit("a", "del", "second");
  scene.filter.close(scene.stream("a"));
  scene.filter.open(silent("a"));
  scene.asked = [];
  // The ping under way was sent before any of the events.
  scene.prove("b");
  assertEquals([scene.take(), scene.asked], [[], ["ping b"]]);
  scene.prove("b");
  assertEquals(scene.take().length, 2);
  // Nothing is asked for once nothing waits.
  scene.asked = [];
  scene.ping("b");
  assertEquals(scene.asked, []);
});

Deno.test("each node proves once that all are heard, however many there are", () => {
  const ids = Array.from({ length: 50 }, (_, index) => `${index}`);
  const asked: NodeStream<string>[] = [];
  const filter = new MigrationFilter<string>({ decide() {}, outdated() {}, demoted() {} });
  const open = (id: string) => {
    const ping = () => {
      asked.push(stream);
      filter.pingSent(stream);
    };
    const stream: NodeStream<string> = filter.open({ ...silent(id), ping });
    return stream;
  };
  filter.setTopology(new Set(ids), ids.length, () => null);
  for (const id of ids) {
    filter.heard(open(id));
    // Each answers before the next one is heard.
    for (const stream of asked) if (stream.pingOrder !== null) filter.proven(stream);
  }
  for (const stream of asked) if (stream.pingOrder !== null) filter.proven(stream);
  assertEquals(asked.map(({ id }) => id).toSorted(), ids.toSorted());
});

Deno.test("a report that was asked for before a node ended its fences does not say what it is since", () => {
  const scene = new Scene({ a: [1], b: [2] });
  scene.filter.reportAsked(scene.stream("a"));
  scene.release("a");
  scene.filter.reported(scene.stream("a"), IDLE);
  scene.emit("a", "set");
  scene.answer("a", false);
  scene.report("a", { ...IDLE, role: "replica" });
  assertEquals(scene.take(), ["a set k artefact"]);
});
