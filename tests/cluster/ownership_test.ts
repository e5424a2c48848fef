import { assertEquals } from "@std/assert";
import {
  type NodeHealth,
  type NodeRole,
  type NodeView,
  Ownership,
  type OwnershipOptions,
  type Question,
  type SlotMove,
  Topology,
} from "../../cluster/mod.ts";
import { node, shard } from "./shards.ts";

/** Two nodes, of which `a` owns slots 0 to 9 and `b` slot 10. */
function topology(): Topology {
  return new Topology([shard(node("a"), [[0, 9]]), shard(node("b"), [[10, 10]])]);
}

/** Both nodes' streams, and what comes of what is handed in. */
function open(options: OwnershipOptions = {}, tellsAll?: () => boolean) {
  const decided: string[] = [];
  const asked: Question[] = [];
  const renewed: string[] = [];
  const ownership = new Ownership<string>({
    decide: (item, verdict) => void decided.push(`${item} ${verdict}`),
    ask: (question) => void asked.push(question),
    renew: (node, since) => void renewed.push(`${node}, which was a replica at ${since}`),
  }, options);
  ownership.setTopology(topology());
  const streams = { a: ownership.open("a", tellsAll), b: ownership.open("b", tellsAll) };
  const event = (node: "a" | "b", slot: number, type: string, item: string, at = 0, bytes = 10) => {
    const keyBytes = new TextEncoder().encode(`key ${slot}`);
    streams[node].event(slot, { kind: "keyspace", eventType: type, database: 0, keyBytes }, item, {
      at,
      bytes,
    });
  };
  return { ownership, decided, asked, renewed, streams, event };
}

Deno.test("an owner's events pass at once; its deletions wait for a sign of a move", () => {
  const { ownership, decided, event, streams } = open({ settle: 3 });
  event("a", 1, "set", "first", 100);
  event("a", 1, "del", "gone", 100);
  event("a", 2, "set", "behind", 101);
  streams.a.more("behind, again");
  streams.a.pass("no event");
  event("b", 10, "set", "elsewhere", 101);
  assertEquals(decided, ["first real", "elsewhere real"]);
  assertEquals([ownership.held, ownership.deadline], [3, 103]);
  ownership.tick(102);
  assertEquals(decided.length, 2);
  ownership.tick(103);
  assertEquals(decided.slice(2), [
    "gone real",
    "behind real",
    "behind, again real",
    "no event real",
  ]);
  assertEquals([ownership.held, ownership.deadline], [0, null]);
});

Deno.test("no more waits than may; the oldest goes on, as uncertain, and what is behind it in order", () => {
  const { ownership, decided, event } = open({ maxHeld: 3, maxHeldBytes: 1_000 });
  for (let i = 0; i < 5; i++) event("b", 1, "set", `${i}`, 1, 10);
  assertEquals(decided, ["0 uncertain", "1 uncertain"]);
  assertEquals([ownership.held, ownership.uncertain], [3, 2]);
  event("b", 1, "set", "large", 1, 990);
  assertEquals(decided.slice(2), ["2 uncertain", "3 uncertain"]);
  event("b", 10, "set", "own", 1, 995);
  assertEquals(decided.slice(4), ["4 uncertain", "large uncertain"]);
  assertEquals(ownership.held, 1);
});

Deno.test("what waits longer than it may goes on, as uncertain", () => {
  const { ownership, decided, event } = open({ maxWait: 50 });
  event("b", 1, "set", "foreign", 100);
  event("b", 10, "set", "own", 120);
  ownership.tick(149);
  assertEquals([decided, ownership.deadline], [[], 150]);
  ownership.tick(150);
  assertEquals(decided, ["foreign uncertain", "own real"]);
});

Deno.test("a stream that closes leaves nothing behind; what comes on it later counts for nothing", () => {
  const { ownership, decided, asked, event, streams } = open();
  event("b", 1, "set", "foreign", 100);
  streams.b.close();
  assertEquals([decided, ownership.held], [["foreign uncertain"], 0]);
  event("b", 1, "set", "late", 100);
  for (const question of asked) {
    if (question.kind === "view") question.answer({ slots: [], importing: new Map() });
    else if (question.kind !== "topology") question.fail();
  }
  assertEquals(decided.length, 1);
  ownership.tick(10_000);
  ownership.tick(20_000);
  assertEquals(ownership.deadline, null);
});

Deno.test("a replica that is left takes what it repeats with it", () => {
  const { ownership, decided, asked, event, streams } = open();
  event("b", 1, "set", "1", 100);
  const view = asked.find(({ kind }) => kind === "view");
  if (view?.kind === "view") {
    view.answer({ role: "replica", slots: [], importing: new Map(), migrating: new Map() }, 1);
  }
  assertEquals(decided, ["1 phantom"]);
  event("b", 1, "set", "2", 101);
  const [a] = topology().shards;
  ownership.setTopology(new Topology([a!]));
  streams.b.close();
  assertEquals(decided.slice(1), ["2 phantom"]);
});

Deno.test("a slot that comes back before it was known to have gone hides nothing that is real", () => {
  const { decided, asked, event, ownership } = open();
  const slot = { first: 10, last: 10 };
  const move = (id: string, source: string, direction: "in" | "out", state: SlotMove["state"]) => {
    return { id, slots: [slot], direction, source, state, isRetried: false, created: 1_000 };
  };
  /** The node answers whatever it was asked. */
  const answer = (node: "a" | "b", view: Partial<NodeView>, position: number) => {
    const questions = asked.splice(0);
    asked.push(...questions.filter((one) => one.kind === "topology" || one.node !== node));
    for (const question of questions) {
      if (question.kind === "topology" || question.node !== node) continue;
      if (question.kind === "ping") question.answer();
      if (question.kind === "moves") question.answer(view.moves ?? []);
      if (question.kind === "keys") {
        question.answer(new Map([[10, [new TextEncoder().encode("key 10")]]]));
      }
      if (question.kind !== "view") continue;
      question.answer({ slots: [], importing: new Map(), migrating: new Map(), ...view }, position);
    }
  };
  answer("a", {}, 0);
  answer("b", {}, 0);
  // It is b's no more: a tells of it, and says so.
  event("a", 10, "set", "a's", 100);
  const owned = { slots: [{ first: 0, last: 10 }], moves: [move("1", "b", "in", "succeeded")] };
  answer("a", owned, 1);
  // While b is still taken for the owner, the slot comes back, and the key is copied.
  event("b", 10, "set", "a copy", 101);
  const gone = move("1", "b", "out", "succeeded");
  answer("b", { moves: [move("2", "a", "in", "running"), gone] }, 1);
  // Now it is b's again.
  event("b", 10, "hset", "b's", 102);
  answer("a", owned, 1);
  answer("b", { slots: [slot], moves: [move("2", "a", "in", "succeeded"), gone] }, 2);
  const lost = [move("2", "a", "out", "succeeded"), move("1", "b", "in", "succeeded")];
  answer("a", { slots: [{ first: 0, last: 9 }], moves: lost }, 1);
  ownership.tick(2_000);
  assertEquals(decided.find((one) => one.startsWith("b's")), "b's uncertain");
});

Deno.test("a key that the source had is not taken for copied where not all it wrote is repeated", () => {
  for (const [repeatsAll, verdict] of [[true, "phantom"], [false, "uncertain"]] as const) {
    const { ownership, decided, asked, event } = open();
    const whole = { importing: new Map(), migrating: new Map() };
    const stats = { repeatsAll, emptied: null };
    const moves = (direction: "in" | "out"): SlotMove[] => {
      const [slots, state, created] = [[{ first: 1, last: 1 }], "succeeded" as const, 1_000];
      return [{ id: "1", slots, direction, source: "a", state, isRetried: false, created }];
    };
    for (const question of asked.splice(0)) if (question.kind === "moves") question.answer([]);
    event("b", 1, "set", "it", 100);
    for (let round = 0; round < 3; round++) {
      for (const question of asked.splice(0)) {
        if (question.kind === "ping") question.answer();
        if (question.kind === "keys") {
          question.answer(new Map([[1, [new TextEncoder().encode("key 1")]]]));
        }
        if (question.kind !== "view") continue;
        const isTarget = question.node === "b";
        const slots = isTarget ? [{ first: 1, last: 1 }] : [];
        const view = { slots, moves: moves(isTarget ? "in" : "out"), stats, ...whole };
        question.answer(view, isTarget ? 1 : 0);
      }
      ownership.tick(101 + round);
    }
    assertEquals(decided, [`it ${verdict}`]);
  }
});

Deno.test("the first that is known of a key proves nothing where more came than is remembered", () => {
  for (const [filler, verdict] of [[1, "phantom"], [1_000_000, "uncertain"]] as const) {
    const { ownership, decided, asked, event, streams } = open({}, () => true);
    const stats = { repeatsAll: true, emptied: "" };
    for (const question of asked.splice(0)) {
      if (question.kind === "moves") question.answer([], stats);
    }
    const log = (key: string) => {
      const keyBytes = new TextEncoder().encode(key);
      const fact = { kind: "keyspace", eventType: "set", database: 0, keyBytes };
      streams.b.event(1, fact, "filler", { at: 100, bytes: 10 });
    };
    event("a", 1, "set", "at the source", 100);
    for (let i = 0; i < 5; i++) log(`${i}`.padEnd(filler));
    event("b", 1, "set", "the copy, or not", 100);
    const move = (direction: "in" | "out"): SlotMove => {
      const slots = [{ first: 1, last: 1 }];
      const facts = { source: "a", state: "succeeded", isRetried: false, created: 1_000 } as const;
      return { id: "1", slots, direction, ...facts };
    };
    for (let round = 0; round < 3; round++) {
      for (const question of asked.splice(0)) {
        if (question.kind === "ping") question.answer();
        if (question.kind !== "view") continue;
        const [slots, direction] = question.node === "b"
          ? [[{ first: 1, last: 1 }], "in" as const]
          : [[], "out" as const];
        const markers = { importing: new Map(), migrating: new Map() };
        const view = { slots, moves: [move(direction)], stats, ...markers };
        question.answer(view, question.node === "b" ? 6 : 1);
      }
      ownership.tick(101 + round);
    }
    assertEquals(decided.at(-1), `the copy, or not ${verdict}`);
  }
});

Deno.test("one who takes all slots over is contested until the other says so, or will not say", () => {
  const { ownership, asked, streams } = open();
  const [a, b] = topology().shards;
  const taken = (health: NodeHealth = "online") =>
    new Topology([
      { ...b!, slots: [{ first: 0, last: 10 }] },
      { ...a!, slots: [], nodes: [{ ...a!.primary!, health }] },
    ]);
  const view = () => {
    const question = asked.splice(0).find((one) => one.kind === "view" && one.node === "a");
    if (question?.kind !== "view") throw new Error("a was not asked");
    return question;
  };
  const owning = { role: "primary", slots: [{ first: 0, last: 9 }], importing: new Map() } as const;
  const contested = () => ["a", "b"].filter((id) => ownership.isContested(id));
  assertEquals(contested(), []);
  ownership.setTopology(taken());
  assertEquals(contested(), ["b"]);
  view().answer(owning, 0);
  assertEquals(contested(), ["b"]);
  ownership.setTopology(taken("failed"));
  assertEquals(contested(), []);
  ownership.setTopology(taken());
  ownership.tick(1_000);
  view().fail();
  assertEquals(contested(), []);
  ownership.tick(2_000);
  view().answer(owning, 0);
  assertEquals(contested(), ["b"]);
  ownership.tick(3_000);
  view().answer({ role: "replica", slots: [], importing: new Map() }, 0);
  assertEquals(contested(), []);
  ownership.setTopology(topology());
  ownership.setTopology(taken());
  streams.a.close();
  assertEquals(contested(), []);
});

Deno.test("one whom the topology names as no primary, or as one of two, is contested", () => {
  const { ownership } = open();
  const [a, b] = topology().shards;
  const contested = () => ["a", "b"].filter((id) => ownership.isContested(id));
  const both = { ...a!, nodes: [a!.primary!, b!.primary!] };
  ownership.setTopology(new Topology([both]));
  assertEquals(contested(), ["a", "b"]);
  ownership.setTopology(new Topology([a!]));
  assertEquals(contested(), ["b"]);
  ownership.setTopology(topology());
  assertEquals(contested(), []);
});

Deno.test("one who keeps some of its slots does not become a replica, and is not waited for", () => {
  const { ownership } = open();
  const [a, b] = topology().shards;
  ownership.setTopology(
    new Topology([
      { ...a!, slots: [{ first: 0, last: 0 }] },
      { ...b!, slots: [{ first: 1, last: 10 }] },
    ]),
  );
  assertEquals(ownership.isContested("b"), false);
});

Deno.test("what a node sends after it was a replica is told by another stream only", () => {
  const { ownership, asked, event, decided, renewed, streams } = open();
  const view = (answer: Partial<NodeView>) => {
    const question = asked.splice(0).find((one) => one.kind === "view" && one.node === "b");
    if (question?.kind !== "view") throw new Error("b was not asked");
    question.answer({ slots: [], importing: new Map(), ...answer }, streams.b.position);
  };
  ownership.tick(150);
  event("b", 1, "set", "repeated", 150);
  view({ role: "replica" });
  event("b", 1, "set", "repeated too, or not", 160);
  assertEquals([decided, renewed], [["repeated phantom"], []]);
  view({ role: "primary", slots: [{ first: 0, last: 10 }] });
  assertEquals(decided.slice(1), ["repeated too, or not phantom"]);
  assertEquals(renewed, ["b, which was a replica at 150"]);
  event("b", 1, "set", "its own", 170);
  streams.b.more("its own, for another");
  assertEquals([decided.length, ownership.held], [2, 0]);
});

Deno.test("a replica to which the topology gives slots is unheard since it first said what it is", () => {
  const { ownership, asked, renewed } = open();
  const [a, b] = topology().shards;
  const empty = { ...b!, slots: [] };
  const all = [{ first: 0, last: 10 }];
  const says = (role: NodeRole) => {
    const question = asked.splice(0).find((one) => one.kind === "view" && one.node === "a");
    if (question?.kind !== "view") throw new Error("a was not asked");
    question.answer({ role, slots: role === "primary" ? all : [], importing: new Map() }, 0);
  };
  ownership.tick(100);
  ownership.setTopology(new Topology([{ ...a!, slots: all }, empty]));
  says("primary");
  ownership.setTopology(new Topology([{ ...a!, slots: [] }, { ...b!, slots: all }]), 200);
  says("replica");
  ownership.setTopology(new Topology([{ ...a!, slots: all }, empty]), 300);
  says("replica");
  ownership.tick(400);
  says("replica");
  ownership.tick(500);
  says("primary");
  assertEquals(renewed, ["a, which was a replica at 200"]);
});
