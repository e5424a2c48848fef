import { assertEquals } from "@std/assert";
import { Coverage } from "../../cluster/coverage.ts";
import { formatSlots } from "../../cluster/discovery/slot_range.ts";

/** Who owns what, as `{ a: [0, 9] }`. */
function owners(runs: Record<string, [number, number][]>): (slot: number) => string | null {
  return (slot) =>
    Object.entries(runs).find(([, ranges]) =>
      ranges.some(([first, last]) => slot >= first && slot <= last)
    )?.[0] ?? null;
}

const HALVES = owners({ a: [[0, 8191]], b: [[8192, 16383]] });

function covered(): Coverage {
  const coverage = new Coverage();
  assertEquals(coverage.assign(HALVES, 0, 10), []);
  assertEquals(formatSlots(coverage.slots(true)), "");
  assertEquals(coverage.cover("a", 20, null), []);
  assertEquals(formatSlots(coverage.slots(true)), "0-8191");
  assertEquals(coverage.cover("b", 30, null), []);
  assertEquals(formatSlots(coverage.slots(false)), "");
  return coverage;
}

Deno.test("what was never covered is no gap; what is lost and comes back is one, of its slots", () => {
  const coverage = covered();
  coverage.lose("a", 100, "disconnected");
  coverage.lose("a", 150, "unresponsive");
  assertEquals(formatSlots(coverage.slots(false)), "0-8191");
  assertEquals(coverage.cover("a", 200, null), [
    { nodeId: "a", reason: "disconnected", slots: [{ first: 0, last: 8191 }], from: 100, to: 200 },
  ]);
  assertEquals(formatSlots(coverage.slots(false)), "");
});

Deno.test("a slot that moves between nodes that both cover is never uncovered", () => {
  const coverage = covered();
  const moved = owners({ a: [[0, 99], [101, 8191]], b: [[100, 100], [8192, 16383]] });
  assertEquals(coverage.assign(moved, 100, 110), []);
  assertEquals(formatSlots(coverage.slots(false)), "");
  coverage.lose("b", 200, "disconnected");
  assertEquals(formatSlots(coverage.slots(false)), "100,8192-16383");
});

Deno.test("a slot that moves to a node which does not cover yet is uncovered since it was last known", () => {
  const coverage = covered();
  const joined = owners({ a: [[0, 8000]], b: [[8192, 16383]], c: [[8001, 8191]] });
  assertEquals(coverage.assign(joined, 100, 110), []);
  assertEquals(formatSlots(coverage.slots(false)), "8001-8191");
  assertEquals(coverage.cover("c", 140, null), [
    { nodeId: "c", reason: "topology", slots: [{ first: 8001, last: 8191 }], from: 100, to: 140 },
  ]);
});

Deno.test("a slot that moves to a node which covers, but did not when it may have moved, is a gap", () => {
  const coverage = covered();
  const moved = owners({ a: [[0, 8190]], b: [[8191, 16383]] });
  coverage.lose("b", 100, "disconnected");
  coverage.cover("b", 200, null);
  assertEquals(coverage.assign(moved, 150, 300), [
    {
      nodeId: "b",
      reason: "disconnected",
      slots: [{ first: 8191, last: 8191 }],
      from: 150,
      to: 200,
    },
  ]);
  assertEquals(coverage.assign(HALVES, 300, 310), []);
  assertEquals(coverage.assign(moved, 310, 320), []);
  assertEquals(formatSlots(coverage.slots(false)), "");
});

Deno.test("it is that gap too when the old node was lost afterwards", () => {
  const coverage = covered();
  coverage.lose("b", 100, "disconnected");
  coverage.cover("b", 200, null);
  coverage.lose("a", 250, "unresponsive");
  const moved = owners({ a: [[0, 8190]], b: [[8191, 16383]] });
  const told = coverage.assign(moved, 150, 300);
  assertEquals(told.map(({ reason, from, to }) => `${reason} ${from}-${to}`), [
    "disconnected 150-200",
    "topology 250-300",
  ]);
});

Deno.test("slots that a node served when it was heard again are told at once, and not again", () => {
  const coverage = covered();
  coverage.lose("b", 100, "disconnected");
  assertEquals([coverage.isBlind("a"), coverage.isBlind("b")], [false, true]);
  const served = [{ first: 8191, last: 16383 }];
  const gap = { nodeId: "b", reason: "disconnected", from: 100, to: 200 } as const;
  assertEquals(coverage.cover("b", 200, served), [
    { ...gap, slots: [{ first: 8192, last: 16383 }] },
    { ...gap, slots: [{ first: 8191, last: 8191 }] },
  ]);
  assertEquals(coverage.isBlind("b"), false);
  // Slot 8190 came to it when it was heard again.
  const moved = owners({ a: [[0, 8189]], b: [[8190, 16383]] });
  assertEquals(coverage.assign(moved, 150, 300), []);
  assertEquals(coverage.cover("b", 400, served), []);
});

Deno.test("of a node that joins nothing is known since before it was known", () => {
  const coverage = covered();
  coverage.join("c", 100);
  coverage.cover("c", 120, null);
  const joined = owners({ a: [[0, 8000]], b: [[8192, 16383]], c: [[8001, 8191]] });
  assertEquals(coverage.assign(joined, 90, 200), [
    { nodeId: "c", reason: "topology", slots: [{ first: 8001, last: 8191 }], from: 100, to: 120 },
  ]);
});

Deno.test("a failover is a gap of that shard's slots, from the loss of the old to the new", () => {
  const coverage = covered();
  coverage.lose("a", 100, "disconnected");
  const failedOver = owners({ r: [[0, 8191]], b: [[8192, 16383]] });
  const isHeir = (id: string, of: string) => id === "r" && of === "a";
  assertEquals(coverage.assign(failedOver, 90, 300, isHeir), []);
  assertEquals(coverage.cover("r", 350, null), [
    { nodeId: "r", reason: "failover", slots: [{ first: 0, last: 8191 }], from: 100, to: 350 },
  ]);
});

Deno.test("slots of a lost node that pass to no heir may have moved before it was lost", () => {
  const coverage = covered();
  coverage.lose("a", 100, "disconnected");
  const moved = owners({ c: [[0, 8191]], b: [[8192, 16383]] });
  assertEquals(coverage.assign(moved, 90, 300), []);
  assertEquals(coverage.cover("c", 350, null), [
    { nodeId: "c", reason: "topology", slots: [{ first: 0, last: 8191 }], from: 90, to: 350 },
  ]);
});

Deno.test("slots of a lost node that pass to one which covers end their gap there", () => {
  const coverage = covered();
  coverage.lose("a", 100, "disconnected");
  assertEquals(coverage.assign(owners({ b: [[0, 16383]] }), 90, 300), [
    { nodeId: "b", reason: "topology", slots: [{ first: 0, last: 8191 }], from: 100, to: 300 },
  ]);
  assertEquals(formatSlots(coverage.slots(false)), "");
});

Deno.test("slots for which no owner is named stay with the last one", () => {
  const coverage = covered();
  assertEquals(coverage.assign(owners({ b: [[8192, 16383]] }), 100, 110), []);
  assertEquals(formatSlots(coverage.slots(false)), "");
  assertEquals(coverage.assign(owners({ b: [[8192, 16383]] }), 110, 120), []);
  // The new owner took over at some time after the old one was last known.
  assertEquals(coverage.assign(owners({ b: [[8192, 16383]], c: [[0, 8191]] }), 120, 130), []);
  assertEquals(formatSlots(coverage.slots(false)), "0-8191");
  assertEquals(coverage.cover("c", 140, null).map(({ from, to }) => [from, to]), [[100, 140]]);
});

Deno.test("a node that covers in part reports up to now, and its gap lasts", () => {
  const coverage = covered();
  coverage.lose("a", 100, "disconnected");
  const slots = [{ first: 0, last: 8191 }];
  assertEquals(coverage.coverInPart("a", 200), [
    { nodeId: "a", reason: "disconnected", slots, from: 100, to: 200 },
  ]);
  assertEquals(coverage.slots(false), slots);
  assertEquals(coverage.cover("a", 300, null), [
    { nodeId: "a", reason: "disconnected", slots, from: 200, to: 300 },
  ]);
});

Deno.test("at the end every open gap is told", () => {
  const coverage = covered();
  coverage.lose("a", 100, "disconnected");
  coverage.lose("b", 120, "unresponsive");
  assertEquals(coverage.end(200).map(({ nodeId, from, to }) => [nodeId, from, to]), [
    ["a", 100, 200],
    ["b", 120, 200],
  ]);
  assertEquals(coverage.end(300), []);
});

Deno.test("of each slot it is known whose it is, and since when it has been covered or not", () => {
  const all = (coverage: Coverage) =>
    coverage.parts().map(({ first, last, nodeId, covered, since }) =>
      `${first}-${last} ${nodeId} ${covered ? "covered" : "uncovered"} ${since}`
    );
  const coverage = new Coverage();
  assertEquals(all(coverage), ["0-16383 null uncovered null"]);
  coverage.assign(HALVES, 0, 10);
  coverage.cover("a", 20, null);
  assertEquals(all(coverage), ["0-8191 a covered 20", "8192-16383 b uncovered null"]);
  coverage.cover("b", 30, null);
  coverage.lose("a", 100, "disconnected");
  coverage.cover("b", 110, null);
  assertEquals(all(coverage), ["0-8191 a uncovered 100", "8192-16383 b covered 30"]);
  coverage.cover("a", 120, null);
  coverage.assign(owners({ a: [[0, 9]], b: [[10, 16383]] }), 130, 140);
  assertEquals(all(coverage), [
    "0-9 a covered 120",
    "10-8191 b covered 140",
    "8192-16383 b covered 30",
  ]);
});
