import { assertEquals, assertThrows } from "@std/assert";
import { type Emission, History } from "./model/history.ts";
import { type Fault, type Item, Report } from "./model/report.ts";

/** An event of a key at a time, and what its node sends of it. */
function emit(
  history: History,
  key: string,
  at: number,
  fields: Partial<Emission & { receivedAt: number[] }> = {},
): void {
  const { receivedAt = [at], ...rest } = fields;
  const emission = history.add({
    port: 7_000,
    slot: 1,
    key,
    type: "set",
    at,
    truth: "real",
    why: "a test",
    isMigrating: false,
    ...rest,
  });
  history.messages.push({ emission, kind: "keyspace", receivedAt });
}

function item(key: string, receivedAt: number, fields: Partial<Item> = {}): Item {
  const base = { kind: "keyspace", port: 7_000, key, type: "set", receivedAt, migration: false };
  return { ...base, ...fields } as Item;
}

function gap(from: number, to: number, first = 1): Item {
  const slots = [{ first, last: first }];
  return { kind: "gap", reason: "disconnected", node: "127.0.0.1:7000", slots, from, to };
}

/** Slots 1 and 2 are the node's, which was out of reach for a while. */
function report(history: History, items: readonly Item[]): Report {
  history.firstOwners.set(1, 7_000).set(2, 7_000);
  history.outages.push({ port: 7_000, from: 250, to: 350, stream: 7_000 });
  return new Report(history, items, {
    connectedAt: 100,
    subscribedAt: 200,
    closedAt: 1_000,
    slack: 20,
    roundTrips: new Map([[7_000, 1]]),
  }, "a test");
}

/** The faults of what was delivered, where a node emitted `a` at 300 and `b` at 400. */
function faults(items: readonly Item[], fields: Parameters<typeof emit>[3] = {}): Fault[] {
  const history = new History();
  emit(history, "{0}z", 245, { truth: "either" });
  emit(history, "{0}a", 300, fields);
  emit(history, "{0}b", 400);
  return report(history, items).faults.map(({ fault }) => fault);
}

const A = item("{0}a", 300);
const B = item("{0}b", 400);

Deno.test("a report finds what is missing, doubled, invented or out of order", () => {
  assertEquals(faults([A, B]), []);
  assertEquals(faults([B]), ["hidden"]);
  assertEquals(faults([B], { receivedAt: [] }), ["lost"]);
  assertEquals(faults([B, A]), ["order"]);
  assertEquals(faults([A, A, B]), ["invented"]);
  assertEquals(faults([A, B, item("{0}c", 300)]), ["invented"]);
  assertEquals(faults([A, item("{0}a", 301), B], { receivedAt: [300, 301] }), ["duplicate"]);
  assertEquals(faults([item("{0}a", 300, { migration: true }), B]), ["hidden"]);
  assertEquals(faults([B], { truth: "either" }), []);
});

Deno.test("a report accepts what is in a gap of the slot at that time, reported in time", () => {
  assertEquals(faults([gap(250, 350), B], { receivedAt: [] }), []);
  assertEquals(faults([gap(250, 299), B], { receivedAt: [] }), ["lost"]);
  assertEquals(faults([gap(301, 350), B], { receivedAt: [] }), ["lost"]);
  assertEquals(faults([gap(250, 350, 2), B], { receivedAt: [] }), ["lost"]);
  assertEquals(faults([B, gap(250, 350)], { receivedAt: [] }), ["late gap"]);
  assertEquals(faults([gap(99, 350), A, B]), ["wide gap", "gap"]);
});

Deno.test("a report accepts a gap that is hardly longer than the outage", () => {
  // That is 20 ms, and ten round trips of 1 ms.
  assertEquals(faults([gap(240, 370), A, B]), []);
  assertEquals(faults([gap(215, 350), A, B]), []);
  assertEquals(faults([gap(214, 350), A, B]), ["wide gap"]);
  assertEquals(faults([A, gap(300, 381), B]), ["wide gap"]);
  assertEquals(faults([gap(250, 350, 2), A, B]), []);
  assertEquals(faults([A, B, gap(500, 510)]), ["wide gap"]);
});

Deno.test("a report accepts a longer gap if the process was paused, or nothing came before", () => {
  const paused = new History();
  paused.pauses.push({ from: 360, to: 400 });
  assertEquals(report(paused, [gap(250, 420)]).faults, []);
  const before = (at: number) => {
    const history = new History();
    emit(history, "{0}a", at);
    return report(history, [item("{0}a", at), gap(205, 350)]).faults.map(({ fault }) => fault);
  };
  assertEquals(before(210), []);
  assertEquals(before(240), ["wide gap"]);
});

Deno.test("a report accepts no gap of a slot whose node was in reach", () => {
  const owned = (takenAt: number) => {
    const history = new History();
    history.firstOwners.set(3, 7_001);
    history.takeovers.push({ slot: 3, port: 7_000, at: takenAt });
    return report(history, [gap(250, 350, 3)]).faults.map(({ fault }) => fault);
  };
  assertEquals(owned(340), []);
  assertEquals(owned(390), ["wide gap"]);
});

Deno.test("a report demands the order of each slot, not of all slots of a node", () => {
  const history = new History();
  emit(history, "{0}a", 300);
  emit(history, "{1}b", 400, { slot: 2 });
  assertEquals(report(history, [item("{1}b", 400), item("{0}a", 300)]).faults, []);
});

Deno.test("a report accepts artefacts only if they are marked", () => {
  const artefact = { truth: "artefact", isMigrating: true } as const;
  assertEquals(faults([A, B], artefact), ["artefact"]);
  assertEquals(faults([B], artefact), []);
  assertEquals(faults([item("{0}a", 300, { migration: true }), B], artefact), []);
  assertEquals(faults([item("{0}a", 300, { migration: "maybe" }), B], artefact), []);
});

Deno.test("a report accepts some uncertain events of migrating slots", () => {
  const maybe = (count: number, isMigrating: boolean, takeoverAt?: number, before?: Item) => {
    const history = new History();
    const items: Item[] = before === undefined ? [] : [before];
    for (let n = 0; n < count; n++) {
      emit(history, `{0}${n}`, 300, { isMigrating });
      items.push(item(`{0}${n}`, 300, { migration: "maybe" }));
    }
    if (takeoverAt) history.takeovers.push({ slot: 1, port: 7_000, at: takeoverAt });
    return report(history, items).faults.map(({ fault }) => fault);
  };
  assertEquals(maybe(1, false), ["uncertain"]);
  assertEquals(maybe(10, true), []);
  assertEquals(maybe(11, true), ["uncertain"]);
  assertEquals(maybe(11, true, 305), []);
  assertEquals(maybe(11, true, 310), ["uncertain"]);
  assertEquals(maybe(11, true, undefined, gap(290, 310)), []);
  assertEquals(maybe(11, true, undefined, gap(290, 310, 2)), ["uncertain"]);
});

Deno.test("a report throws what it found", () => {
  const history = new History();
  emit(history, "{0}a", 300);
  const found = report(history, []);
  found.assertSound("artefact", "order");
  assertThrows(() => found.assertSound(), Error, "hidden: set of {0}a");
});
