import { assertEquals } from "@std/assert";
import {
  type Happening,
  judge,
  type Ledger,
  type Report,
  type ReportedGap,
  type Seen,
  type Write,
} from "./ledger.ts";

const CUT: Happening = { name: "cut", begin: 50, end: 50, before: 5, after: 10 };

/** Write n is sent at 10n and answered 2 ms later. */
function write(number: number, changes: Partial<Write> = {}): Write {
  const sentAt = 10 * number;
  return { number, lane: "a", sentAt, answeredAt: sentAt + 2, refused: false, ...changes };
}

function writes(count: number): Write[] {
  return Array.from({ length: count }, (_, index) => write(index + 1));
}

function came(...numbers: number[]): Seen[] {
  return numbers.map((number) => ({ kind: "write", number, at: 10 * number + 3 }));
}

function gap(from: number, to: number, changes: Partial<ReportedGap> = {}): Seen {
  return {
    kind: "gap",
    gap: { reason: "disconnected", node: "s:1", from, to, ...changes },
    at: to,
  };
}

/** The findings of a judgement, without the plain counts and without what is empty. */
function findings(ledger: Partial<Ledger>): Record<string, unknown> {
  const report = judge({ writes: writes(8), seen: [], happenings: [CUT], ...ledger });
  const { lostInSilence, duplicated, outOfOrder, unexpected, gapsNotHonest } = report;
  const found = {
    lostInSilence: lostInSilence.map(({ number }) => number),
    duplicated,
    outOfOrder,
    unexpected,
    gapsNotHonest: gapsNotHonest.map(({ why }) => why),
  };
  return Object.fromEntries(Object.entries(found).filter(([, list]) => list.length > 0));
}

/** The plain counts of a judgement. */
function counts(report: Report): number[] {
  const { written, unanswered, refused, delivered, insideGaps } = report;
  return [written, unanswered, refused, delivered, insideGaps];
}

Deno.test("all delivered once and in order: nothing is found", () => {
  const ledger = { writes: writes(3), seen: came(1, 2, 3), happenings: [] };
  assertEquals(findings(ledger), {});
  assertEquals(counts(judge(ledger)), [3, 0, 0, 3, 0]);
});

Deno.test("a write that neither came nor lies inside a gap is lost in silence", () => {
  assertEquals(findings({ seen: came(1, 2, 4, 5, 6, 7, 8) }), { lostInSilence: [3] });
  assertEquals(findings({ seen: came(1, 2, 3, 4, 5, 6, 7) }), { lostInSilence: [8] });
  assertEquals(findings({ seen: [] }), { lostInSilence: [1, 2, 3, 4, 5, 6, 7, 8] });
});

Deno.test("a write inside a gap is not lost, be it by a moment", () => {
  for (const [from, to] of [[52, 60], [45, 50], [51, 51], [45, 60]] as const) {
    const ledger = {
      writes: writes(8),
      seen: [...came(1, 2, 3, 4), gap(from, to), ...came(6, 7, 8)],
      happenings: [CUT],
    };
    assertEquals(findings(ledger), {});
    assertEquals(counts(judge(ledger)), [8, 0, 0, 7, 1]);
    assertEquals(judge(ledger).gaps, { disconnected: 1 });
    assertEquals(judge(ledger).dropped, 0);
  }
});

Deno.test("a gap that names keys covers writes of these alone", () => {
  for (const [key, lost] of [["n:5:", []], ["n:55:", [5]]] as const) {
    const seen = [...came(1, 2, 3, 4), gap(45, 60, { keys: [key] }), ...came(6, 7, 8)];
    assertEquals(findings({ seen }), lost.length === 0 ? {} : { lostInSilence: lost });
  }
});

Deno.test("a gap that ends before a missing write, or begins after it, does not cover it", () => {
  for (const [from, to] of [[46, 49], [53, 60]] as const) {
    const seen = [...came(1, 2, 3, 4), gap(from, to), ...came(6, 7, 8)];
    assertEquals(findings({ seen }), { lostInSilence: [5] });
  }
});

Deno.test("what is marked as uncertain may be the write's own, or not", () => {
  const mark = (seen: Seen[]) => seen.map((item) => ({ ...item, uncertain: true }));
  const stranger = { kind: "stranger", what: "restore n:3:", at: 34, uncertain: true } as const;
  const [early] = mark([{ kind: "write", number: 3, at: 20 }]);
  const judged = (...items: Seen[]) => {
    const ledger = { writes: writes(3), seen: items, happenings: [] };
    return [findings(ledger), judge(ledger).uncertain];
  };
  assertEquals(judged(...came(1, 2), ...mark(came(3))), [{}, 1]);
  assertEquals(judged(...came(1, 2), ...mark(came(3)), stranger), [{}, 2]);
  assertEquals(judged(early!, ...came(1, 2), ...mark(came(3)), ...came(3)), [{}, 2]);
  assertEquals(judged(...came(1, 2, 3), ...mark(came(1, 1))), [{}, 2]);
  assertEquals(judged(early!, ...came(1, 2)), [{ lostInSilence: [3] }, 1]);
  assertEquals(judged(...came(1, 2, 3), { ...stranger, uncertain: false }), [
    { unexpected: ["restore n:3:"] },
    0,
  ]);
});

Deno.test("gaps are counted by reason, and what they say was dropped is added up", () => {
  const overflow = { reason: "overflow", dropped: 3 };
  const seen = [gap(46, 47, overflow), gap(48, 49), gap(50, 51, { ...overflow, dropped: 4 })];
  const report = judge({ writes: [], seen, happenings: [CUT] });
  assertEquals(report.gaps, { overflow: 2, disconnected: 1 });
  assertEquals(report.dropped, 7);
});

Deno.test("a gap must be reported before whatever was sent after it", () => {
  const happenings = [{ ...CUT, before: 50, after: 50 }];
  const judged = (from: number, to: number) =>
    findings({ seen: [...came(1, 2, 3, 4, 6), gap(from, to), ...came(7, 8)], happenings });
  assertEquals(judged(45, 60), {});
  assertEquals(judged(45, 59), {
    gapsNotHonest: ["it was reported after 6, which was sent after it"],
  });
});

Deno.test("a gap holds nothing that was delivered, but near its ends", () => {
  // From 10 s on, a write each 100 ms.
  const spread = Array.from({ length: 20 }, (_, index) => {
    const sentAt = 10_000 + 100 * index;
    return write(index + 1, { sentAt, answeredAt: sentAt + 2 });
  });
  const seen = (...numbers: number[]): Seen[] =>
    numbers.map((number) => ({ kind: "write", number, at: 9_903 + 100 * number }));
  const judged = (before: number[], after: number[], stolen?: Ledger["stolen"]) =>
    findings({
      writes: spread,
      seen: [...seen(...before), gap(10_250, 11_550), ...seen(...after)],
      happenings: [{ ...CUT, begin: 10_250, end: 11_550 }],
      ...(stolen ? { stolen } : {}),
    });
  assertEquals(judged([1, 2, 3, 4, 5, 6], [14, 15, 16, 17, 18, 19, 20]), {});
  assertEquals(judged([1, 2, 3, 4, 5, 6], [12, 13, 14, 15, 16, 17, 18, 19, 20]), {});
  assertEquals(judged([1, 2, 3, 4, 5, 6], [11, 12, 13, 14, 15, 16, 17, 18, 19, 20]), {
    gapsNotHonest: ["11 was delivered, 750 ms after its beginning and 548 ms before its end"],
  });
  assertEquals(judged([1, 2, 3, 4, 5, 6, 7], [14, 15, 16, 17, 18, 19, 20]), {
    gapsNotHonest: ["7 was delivered, 350 ms after its beginning and 948 ms before its end"],
  });
  const busy = (from: number, to: number) => Math.max(0, Math.min(to, 10_400) - from);
  assertEquals(judged([1, 2, 3, 4, 5, 6, 7], [14, 15, 16, 17, 18, 19, 20], busy), {});
  // What was under way for long widens it, at that end and up to there.
  const late = (number: number, ms: number): Seen[] => [
    { kind: "write", number, at: 9_900 + 100 * number + ms },
  ];
  const happenings = [{ ...CUT, begin: 10_250, end: 11_550 }];
  const slow = (...items: Seen[]) => {
    const { gapsNotHonest } = findings({
      writes: spread,
      seen: [...items, gap(10_250, 11_550)],
      happenings,
    });
    return gapsNotHonest;
  };
  const rest = [...seen(6), ...seen(7)];
  const why = ["7 was delivered, 350 ms after its beginning and 948 ms before its end"];
  assertEquals(slow(...late(5, 100), ...rest), undefined);
  assertEquals(slow(...late(5, 99), ...rest), why);
  assertEquals(slow(...rest, ...late(14, 448)), undefined);
  assertEquals(slow(...rest, ...late(14, 447)), why);
});

Deno.test("a write that came twice is duplicated", () => {
  assertEquals(findings({ seen: came(1, 2, 3, 3, 4, 5, 6, 7, 8) }), { duplicated: [3] });
  assertEquals(findings({ seen: came(1, 2, 3, 4, 5, 6, 7, 8, 2, 2) }), { duplicated: [2, 2] });
});

Deno.test("a write that came after a later one of its lane is out of order", () => {
  assertEquals(findings({ seen: came(1, 2, 4, 3, 5, 6, 7, 8) }), { outOfOrder: [3] });
});

Deno.test("lanes have no order between them", () => {
  const b = (number: number) => write(number, { lane: "b" });
  const both = [write(1), b(2), write(3), b(4), write(5), b(6)];
  assertEquals(findings({ writes: both, seen: came(2, 1, 4, 6, 3, 5) }), {});
  assertEquals(findings({ writes: both, seen: came(2, 1, 6, 4, 3, 5) }), { outOfOrder: [4] });
});

Deno.test("a write without an answer may come or not, but not twice and not out of order", () => {
  const unknown = write(3, { answeredAt: null });
  const some = [write(1), write(2), unknown, write(4)];
  assertEquals(findings({ writes: some, seen: came(1, 2, 4) }), {});
  assertEquals(findings({ writes: some, seen: came(1, 2, 3, 4) }), {});
  assertEquals(findings({ writes: some, seen: came(1, 2, 3, 3, 4) }), { duplicated: [3] });
  assertEquals(findings({ writes: some, seen: came(1, 2, 4, 3) }), { outOfOrder: [3] });
  assertEquals(counts(judge({ writes: some, seen: [], happenings: [] })), [3, 1, 0, 0, 0]);
});

Deno.test("what was refused, never written or not yet sent must not come", () => {
  const some = [write(1), write(2, { refused: true }), write(3)];
  assertEquals(findings({ writes: some, seen: came(1, 3) }), {});
  assertEquals(findings({ writes: some, seen: came(1, 2, 3, 4) }), { unexpected: [2, 4] });
  assertEquals(counts(judge({ writes: some, seen: [], happenings: [] })), [2, 0, 1, 0, 0]);
  const stranger: Seen = { kind: "stranger", what: "restore k", at: 15 };
  assertEquals(findings({ writes: [], seen: [stranger] }), { unexpected: ["restore k"] });
  const early: Seen[] = [{ kind: "write", number: 1, at: 9 }];
  assertEquals(findings({ writes: [write(1)], seen: early }), {
    unexpected: [1],
    lostInSilence: [1],
  });
});

Deno.test("a gap is honest within what happened and its margins", () => {
  const all = came(1, 2, 3, 4, 5, 6, 7, 8);
  const judged = (from: number, to: number, changes: Partial<Ledger> = {}) =>
    findings({ seen: [gap(from, to), ...all], ...changes });
  assertEquals(judged(45, 60), {});
  assertEquals(judged(44, 60), { gapsNotHonest: ["it begins 1 ms too early"] });
  assertEquals(judged(45, 62), { gapsNotHonest: ["its last 2 ms are unexplained"] });
  assertEquals(judged(61, 62), { gapsNotHonest: ["nothing had happened"] });
  assertEquals(judged(45, 60, { happenings: [] }), { gapsNotHonest: ["nothing had happened"] });
  assertEquals(judged(55, 50), { gapsNotHonest: ["it ends before it begins"] });
  const told: Seen = { kind: "gap", gap: { reason: "x", node: "s", from: 46, to: 60 }, at: 57 };
  assertEquals(findings({ seen: [told, ...all] }), {
    gapsNotHonest: ["it ends 3 ms after it was reported"],
  });
});

Deno.test("a gap may span several faults, but not the quiet between them", () => {
  const second = { ...CUT, begin: 62, end: 70 };
  const third = { ...CUT, begin: 90, end: 90 };
  const seen = [...came(1, 2, 3, 4), gap(46, 80)];
  assertEquals(findings({ seen, happenings: [third, second, CUT] }), {});
  const why = { gapsNotHonest: ["its last 20 ms are unexplained"] };
  assertEquals(findings({ seen, happenings: [third, CUT] }), why);
  const atItsEnd = { ...CUT, begin: 75, end: 80 };
  assertEquals(findings({ seen, happenings: [atItsEnd, CUT] }), why);
});

Deno.test("in a cluster a gap may hold what came before its fault, and one of the topology anything", () => {
  const spread = Array.from({ length: 20 }, (_, index) => {
    const sentAt = 10_000 + 100 * index;
    return write(index + 1, { sentAt, answeredAt: sentAt + 2 });
  });
  const seen = (...numbers: number[]): Seen[] =>
    numbers.map((number) => ({ kind: "write", number, at: 9_903 + 100 * number }));
  const judged = (early: number, reason: string, last: number) => {
    const before = Array.from({ length: last }, (_, index) => index + 1);
    const { gapsNotHonest } = findings({
      writes: spread,
      seen: [...seen(...before), gap(10_000, 11_900, { reason }), ...seen(20)],
      happenings: [{ ...CUT, begin: 10_500, end: 11_900, before: 500, early }],
    });
    return gapsNotHonest as string[] | undefined;
  };
  assertEquals(judged(0, "failover", 3), undefined);
  assertEquals(judged(0, "failover", 8)?.length, 1);
  assertEquals(judged(500, "failover", 8), undefined);
  assertEquals(judged(500, "failover", 10)?.length, 1);
  assertEquals(judged(0, "topology", 15), undefined);
});

Deno.test("time in which nothing could run widens the margins, where it was", () => {
  const late = [gap(42, 66), ...came(1, 2, 3, 4, 5, 6, 7, 8)];
  const stolen = (least: number, most: number) => (from: number, to: number) =>
    Math.max(0, Math.min(to, most) - Math.max(from, least));
  assertEquals(findings({ seen: late, stolen: stolen(40, 66) }), {});
  assertEquals(findings({ seen: late, stolen: stolen(50, 66) }), {
    gapsNotHonest: ["it begins 3 ms too early"],
  });
  assertEquals(findings({ seen: late, stolen: stolen(40, 50) }), {
    gapsNotHonest: ["its last 6 ms are unexplained"],
  });
});

Deno.test("in a cluster a gap covers its node, or its slots, and nothing else", () => {
  const at = (node: string, slot: number) => [write(5, { node, slot })];
  const judged = (node: string, slot: number, changes: Partial<ReportedGap>) =>
    findings({ writes: at(node, slot), seen: [gap(46, 55, changes)] });
  assertEquals(judged("s:1", 7, {}), {});
  assertEquals(judged("s:2", 7, {}), { lostInSilence: [5] });
  assertEquals(judged("s:2", 7, { slots: [{ first: 0, last: 3 }, { first: 7, last: 9 }] }), {});
  assertEquals(judged("s:1", 6, { slots: [{ first: 0, last: 3 }, { first: 7, last: 9 }] }), {
    lostInSilence: [5],
  });
});

Deno.test("in a cluster a gap must be reported before what its node sent after it, and no other", () => {
  const judged = (node: string) =>
    findings({ writes: [write(6, { node })], seen: [...came(6), gap(46, 55)] });
  assertEquals(judged("s:2"), {});
  assertEquals(judged("s:1"), {
    gapsNotHonest: ["it was reported after 6, which was sent after it"],
  });
});

Deno.test("in a cluster a gap concerns no slots to which nothing had happened", () => {
  const judged = (slots: ReportedGap["slots"], happenings: Happening[]) =>
    findings({ writes: [], seen: [gap(46, 55, slots ? { slots } : {})], happenings });
  const first: Happening = { ...CUT, slots: [{ first: 0, last: 99 }] };
  const second: Happening = { ...CUT, slots: [{ first: 100, last: 199 }] };
  assertEquals(judged([{ first: 0, last: 99 }], [first]), {});
  assertEquals(judged([{ first: 50, last: 150 }], [second, first]), {});
  assertEquals(judged([{ first: 50, last: 150 }], [first, CUT]), {});
  const why = { gapsNotHonest: ["nothing had happened to some of the slots 50-150"] };
  assertEquals(judged([{ first: 0, last: 3 }, { first: 50, last: 150 }], [first]), why);
});
