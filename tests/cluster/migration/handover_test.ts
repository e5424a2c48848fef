import { assertEquals } from "@std/assert";
import { Handover } from "../../../cluster/migration/handover.ts";
import { type HeldEvent, NodeStream } from "../../../cluster/migration/node_stream.ts";

/** An event of the target, such as `set k`. */
function event(text: string): HeldEvent<string> {
  const [type, key] = text.split(" ") as [string, string];
  return { type, key } as HeldEvent<string>;
}

/** A slot on its way, of which the source is known to repeat everything from now on. */
function begun(...emitted: readonly string[]): Handover<string> {
  const source = new NodeStream<string>("a", -1);
  source.provenOrder = 1;
  const handover = new Handover(source, new NodeStream<string>("b", -1), 1);
  for (const { type, key } of emitted.map(event)) handover.record(type, key, 0);
  return handover;
}

function split(handover: Handover<string>, events: readonly string[], ownsAfter = true): string {
  return handover.split(events.map(event), ownsAfter).join(" ");
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
});

Deno.test("what the source emits before it is known to be repeated, or as the owner again, is not waited for", () => {
  const source = new NodeStream<string>("a", -1);
  const handover = new Handover(source, new NodeStream<string>("b", -1), 1);
  handover.record("set", "copied", 0);
  source.provenOrder = 1;
  handover.record("set", "k", 0);
  handover.end();
  handover.record("set", "later", 0);
  assertEquals(split(handover, ["set k", "set m"]), "artefact real");
});

Deno.test("of too many events that were not repeated nothing is certain", () => {
  const many = Array.from({ length: 10_001 }, (_, n) => `set ${n}`);
  assertEquals(split(begun(...many), ["set 0", "set m"]), "maybe maybe");
});
