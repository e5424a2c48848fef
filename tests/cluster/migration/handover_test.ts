import { assertEquals } from "@std/assert";
import { Handover } from "../../../cluster/migration/handover.ts";
import { type HeldEvent, NodeStream } from "../../../cluster/migration/node_stream.ts";
import { importing, Scene, silent } from "./filters.ts";

/** An event of the target, such as `set k`, after which the target answered whether it owns the slot. */
function event(text: string, owns = true): HeldEvent<string> {
  const [type, key] = text.split(" ") as [string, string];
  return { type, key, owns } as HeldEvent<string>;
}

/** A slot on its way, of which the source is known to repeat everything from now on. */
function begun(...emitted: readonly string[]): Handover<string> {
  const source = new NodeStream<string>(silent("a"), -1);
  source.provenOrder = 1;
  const handover = new Handover(source, new NodeStream<string>(silent("b"), -1), 1, 1);
  for (const { type, key } of emitted.map((text) => event(text))) handover.record(type, key, 0);
  return handover;
}

function split(handover: Handover<string>, events: readonly string[], owns = true): string {
  return handover.split(events.map((text) => event(text, owns))).join(" ");
}

Deno.test("everything up to the repetition of the source's last event is an artefact, the rest is real", () => {
  const handover = begun("set k", "append l");
  assertEquals(
    split(handover, ["set x", "set k", "append l", "set k"]),
    "artefact artefact artefact real",
  );
});

Deno.test("nothing is certain after the last repetition while more is to be repeated", () => {
  assertEquals(
    split(begun("set k", "append l"), ["set x", "set k", "set m"]),
    [
      "artefact",
      "artefact",
      "maybe",
    ].join(" "),
  );
});

Deno.test("nothing is certain if nothing was repeated, for all of it may be copies", () => {
  assertEquals(split(begun(), ["set x", "set y"]), "maybe maybe");
});

Deno.test("a repetition that was read before the handover ends the copies", () => {
  const handover = begun("set k");
  handover.repeat(event("set k"));
  assertEquals(split(handover, ["set x"]), "real");
});

Deno.test("a copy that looks like a repetition leaves it open where the repetitions end", () => {
  // The first may be the copy of the key, and the second what the source did to it.
  assertEquals(split(begun("set k"), ["set k", "set k", "set m"]), "artefact maybe real");
  const read = begun("set k");
  read.repeat(event("set k"));
  assertEquals(split(read, ["set k", "set m"]), "maybe real");
  // The copies come in any order.
  assertEquals(split(begun("set k", "set l"), ["set l", "set k", "set l"]).includes("real"), false);
});

Deno.test("effects are repeated under the names of the commands that replicate them", () => {
  const handover = begun("expired k", "spop s");
  assertEquals(split(handover, ["del k", "srem s", "del l"]), "artefact artefact real");
  // And not under their own.
  assertEquals(split(begun("expired k"), ["expired k"]), "maybe");
});

Deno.test("without the target's own word nothing is real", () => {
  assertEquals(split(begun("set k"), ["set k", "set m"], false), "artefact maybe");
  const events = [event("set k", false), event("set l", false), event("set m", true)];
  assertEquals(begun("set k").split(events), ["artefact", "maybe", "real"]);
});

Deno.test("the slot is not handed over in part while its target has yet to answer who owns it", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "set", "copied");
  scene.prove("a");
  scene.emit("a", "set");
  scene.emit("b", "set");
  const answered = scene.filter.order;
  scene.emit("b", "set", "later");
  scene.filter.fenced(scene.stream("b"), 1, false, answered);
  scene.report("b", importing(1, "succeeded"));
  scene.release("a");
  scene.prove("a", "b");
  assertEquals(scene.take(), ["a set k real"]);
  scene.answer("b", true);
  scene.report("b", importing(1, "succeeded"));
  scene.prove("a", "b");
  assertEquals(scene.take(), ["b set copied artefact", "b set k artefact", "b set later real"]);
});

Deno.test("what the source emits before it is known to be repeated, or as the owner again, is not waited for", () => {
  const source = new NodeStream<string>(silent("a"), -1);
  const handover = new Handover(source, new NodeStream<string>(silent("b"), -1), 1, 1);
  handover.record("set", "copied", 0);
  source.provenOrder = 1;
  handover.record("set", "k", 0);
  handover.isEnded = true;
  handover.record("set", "later", 0);
  assertEquals(split(handover, ["set k", "set m"]), "artefact real");
});

Deno.test("of too many events that were not repeated nothing is certain", () => {
  const many = Array.from({ length: 10_001 }, (_, n) => `set ${n}`);
  assertEquals(split(begun(...many), ["set 0", "set m"]), "maybe maybe");
});

Deno.test("a restore that an atomic migration makes while it runs belongs to no deletion", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "restore");
  scene.emit("a", "del");
  scene.answer("b", false);
  scene.report("b", importing(1));
  scene.report("a");
  for (let n = 0; n < 3; n++) scene.prove("a", "b");
  assertEquals(scene.take().toSorted(), ["a del k real", "b restore k artefact"]);
});

Deno.test("a restore before the end of an atomic migration may belong to a deletion all the same", () => {
  const scene = new Scene({ a: [1], b: [] });
  scene.emit("b", "set", "copied");
  scene.prove("a");
  scene.emit("b", "restore");
  scene.emit("a", "del");
  scene.emit("b", "del");
  scene.release("a");
  scene.answer("b", true);
  scene.report("b", importing(1, "succeeded"));
  scene.report("a");
  for (let n = 0; n < 4; n++) scene.prove("a", "b");
  assertEquals(scene.take().toSorted(), [
    "a del k maybe",
    "b del k artefact",
    "b restore k artefact",
    "b set copied artefact",
  ]);
});

/** A slot that its owner has gained since the other node proved something last. */
function gainedLately(): Scene {
  const scene = new Scene({ a: [3], b: [] });
  scene.emit("a", "del", "other", 3);
  scene.answer("a", true);
  return scene;
}

/** The target emits an event while an atomic migration runs. */
function copy(scene: Scene): string[] {
  scene.take();
  scene.emit("b", "set");
  scene.answer("b", false);
  scene.report("b", importing(1));
  for (let n = 0; n < 2; n++) scene.prove("b", "a");
  return scene.take();
}

Deno.test("an event is no certain copy of a slot that its owner may have gained afterwards", () => {
  assertEquals(copy(gainedLately()), ["b set k maybe"]);
});

Deno.test("an event is a copy if the source owned the slot before the target answered last", () => {
  const scene = gainedLately();
  scene.report("a");
  for (let n = 0; n < 2; n++) scene.prove("b");
  assertEquals(copy(scene), ["b set k artefact"]);
});

Deno.test("an event is a copy if its migration is known to have run before", () => {
  const known = (isLater: boolean) => {
    const scene = new Scene({ a: [3], b: [] });
    // A report may come by another connection: it holds for what follows the answer to a later ping.
    if (!isLater) scene.filter.pingSent(scene.stream("b"));
    scene.report("b", importing(1));
    scene.prove("b");
    scene.emit("a", "del", "other", 3);
    scene.answer("a", true);
    return copy(scene);
  };
  assertEquals(known(true), ["b set k artefact"]);
  assertEquals(known(false), ["b set k maybe"]);
});

for (const owner of ["since long ago", "since lately"]) {
  const classification = owner === "since lately" ? "maybe" : "artefact";
  Deno.test(`before the handover of a slot that the source has owned ${owner} events are ${classification}`, () => {
    const scene = owner === "since lately" ? gainedLately() : new Scene({ a: [1], b: [] });
    scene.emit("b", "set", "copied");
    // The migration began after the source had gained the slot.
    scene.report("b");
    for (let n = 0; n < 2; n++) scene.prove("a");
    scene.emit("a", "append");
    scene.emit("b", "append");
    scene.release("a");
    scene.answer("b", true);
    scene.report("b", importing(1, "succeeded"));
    scene.report("a");
    for (let n = 0; n < 2; n++) scene.prove("a");
    const decided = scene.take().filter((text) => text.startsWith("b "));
    assertEquals(decided, [`b set copied ${classification}`, `b append k ${classification}`]);
  });
}

for (const isEnded of [true, false]) {
  const classification = isEnded ? "artefact" : "maybe";
  Deno.test(`what is repeated is ${classification} if the connection to the source is lost ${isEnded ? "after" : "before"} the end of its fence`, () => {
    const scene = new Scene({ a: [1], b: [] });
    scene.emit("b", "set", "copied");
    scene.prove("a");
    scene.emit("a", "append");
    if (isEnded) scene.release("a");
    scene.filter.close(scene.stream("a"));
    scene.open("a", isEnded ? [] : [1]);
    scene.emit("b", "append");
    if (!isEnded) {
      scene.emit("a", "set", "later");
      scene.emit("b", "set", "later");
      scene.release("a");
    }
    scene.answer("b", true);
    scene.report("b", importing(1, "succeeded"));
    for (let n = 0; n < 2; n++) scene.prove("a");
    const decided = scene.take().filter((text) => text.startsWith("b "));
    assertEquals(decided.slice(0, 2), [
      `b set copied ${classification}`,
      `b append k ${classification}`,
    ]);
    if (!isEnded) assertEquals(decided[2], "b set later maybe");
  });
}

Deno.test("a migration that follows one of the same slot uses nothing of that one", () => {
  const scene = new Scene({ a: [1], b: [] });
  const event = (key: string, id: string) => {
    scene.emit("b", "set", key);
    scene.answer("b", false);
    scene.report("b", importing(1, "running", id));
    return scene.take();
  };
  assertEquals(event("one", "first"), []);
  scene.prove("a");
  assertEquals(scene.take(), ["b set one artefact"]);
  scene.prove("a");
  // That the first one has failed and is no longer listed was not seen.
  assertEquals(event("two", "second"), ["b set two maybe"]);
  assertEquals(event("three", "second"), []);
  for (let n = 0; n < 2; n++) scene.prove("a");
  assertEquals(scene.take(), ["b set three artefact"]);
});

Deno.test("a handover is that of the migration in which its first event was emitted", () => {
  const isOf = (order: number) => {
    const handover = new Handover(
      new NodeStream(silent("a"), 0),
      new NodeStream(silent("b"), 0),
      1,
      1,
    );
    return [handover.isOf("first", order), handover.isOf("second", 1), handover.isOf("first", 5)];
  };
  assertEquals(isOf(1), [true, false, true]);
  // Which one an event that came later belongs to says nothing of those before it.
  assertEquals(isOf(2), [false, true, false]);
});
