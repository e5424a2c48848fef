/**
 * The ledger of a run: what was written, what was seen, what happened meanwhile, and the judgement
 * on it. Pure; all times in ms since the epoch, by one clock.
 */

/** A stretch of hash slots, both ends in it. */
export interface SlotRange {
  readonly first: number;
  readonly last: number;
}

/** A numbered change, written once and never again. */
export interface Write {
  readonly number: number;
  /** Where it was executed after all smaller numbers of the lane: one connection to one server. */
  readonly lane: string;
  /** The server, by the name that gaps give it; left out where a gap of any server counts. */
  readonly node?: string;
  /** The key's hash slot, in a cluster. */
  readonly slot?: number;
  readonly sentAt: number;
  /**
   * When the server was heard to have executed it, or to have refused. Null where no answer came:
   * then it may have happened or not, and both are right.
   */
  readonly answeredAt: number | null;
  /** Whether the answer was an error: then it did not happen. */
  readonly refused: boolean;
}

/** What a gap says; the library's own is one. */
export interface ReportedGap {
  readonly reason: string;
  readonly node: string;
  readonly from: number;
  readonly to: number;
  readonly dropped?: number;
  /** The slots it concerns; all of the node's if left out. */
  readonly slots?: readonly SlotRange[];
  /** The keys it concerns; all if left out. */
  readonly keys?: readonly string[];
}

/** One thing that the watcher was given: the notification of a write, or of something else; or a gap. */
export type Seen =
  | ({ readonly kind: "write"; readonly number: number } & Notified)
  | ({ readonly kind: "stranger"; readonly what: string } & Notified)
  | { readonly kind: "gap"; readonly gap: ReportedGap; readonly at: number };

interface Notified {
  readonly at: number;
  /** Whether it was marked as what a migration may have caused instead of a write. */
  readonly uncertain?: boolean;
}

/** A fault, and how much wider than itself a gap may be on its account. */
export interface Happening {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
  /** How long before its beginning, in ms. */
  readonly before: number;
  /** How long after its end, in ms. */
  readonly after: number;
  /** Of how long before its beginning a gap may hold what was delivered, in ms; 0 if left out. */
  readonly early?: number;
  /** The slots it concerns; all if left out. */
  readonly slots?: readonly SlotRange[];
}

export interface Ledger {
  readonly writes: readonly Write[];
  /** In the order in which the watcher was given it. */
  readonly seen: readonly Seen[];
  readonly happenings: readonly Happening[];
  /** For how much of a stretch of time nothing here could run, in ms; none if left out. */
  readonly stolen?: (from: number, to: number) => number;
}

/** A gap that says what is not so. */
export interface DishonestGap {
  readonly gap: ReportedGap;
  readonly why: string;
}

/** The judgement. Every list but those of plain counts must be empty. */
export interface Report {
  /** Writes the server is known to have executed. */
  readonly written: number;
  /** Writes of which it is not known. */
  readonly unanswered: number;
  readonly refused: number;
  /** Different writes that were delivered. */
  readonly delivered: number;
  /** Executed writes that were not delivered and lie inside a gap. */
  readonly insideGaps: number;
  /** Gaps, by reason. */
  readonly gaps: Readonly<Record<string, number>>;
  /** Notifications that were marked as what a migration may have caused. */
  readonly uncertain: number;
  /** How many notifications the gaps say were dropped. */
  readonly dropped: number;
  /** Executed writes that were neither delivered nor lie inside a gap. */
  readonly lostInSilence: readonly Write[];
  readonly duplicated: readonly number[];
  /** Writes that came after a later one of their lane. */
  readonly outOfOrder: readonly number[];
  /** What came although it was never written, was refused, or came before it was sent. */
  readonly unexpected: readonly (number | string)[];
  readonly gapsNotHonest: readonly DishonestGap[];
}

/**
 * How deep in a gap a write may lie, measured from the nearer end, and yet be delivered, in ms: how
 * exactly a gap has to tell what is missing. The time that notifications were under way at that end
 * is added, because from here nobody can tell more exactly than that what a server has sent.
 */
const BLUR = 250;

/** The same at its end, where a question may take a connection of its own, which takes a while. */
const BLUR_AT_END = 500;

/**
 * Judges a run: each executed write was delivered exactly once, in the order of its lane, or some
 * moment at which it may have been executed lies inside a reported gap; and each gap is honest: it
 * lies within what happened, was reported before anything that was sent after it, and holds nothing
 * that was delivered, but near its ends.
 */
export function judge(ledger: Ledger): Report {
  const { writes, seen } = ledger;
  const byNumber = new Map(writes.map((write) => [write.number, write]));
  const delivered = new Map<number, Delivered>();
  const newest = new Map<string, number>();
  const duplicated: number[] = [];
  const outOfOrder: number[] = [];
  const unexpected: (number | string)[] = [];
  const gaps: PlacedGap[] = [];
  let uncertain = 0;
  for (const [place, item] of seen.entries()) {
    if (item.kind === "gap") {
      gaps.push({ gap: item.gap, place, at: item.at });
      continue;
    }
    if (item.uncertain) uncertain++;
    if (item.kind === "stranger") {
      if (!item.uncertain) unexpected.push(item.what);
      continue;
    }
    const write = byNumber.get(item.number);
    const isPossible = write !== undefined && !write.refused && write.sentAt <= item.at;
    const earlier = delivered.get(item.number);
    // An uncertain one may be the write's own, or not: it proves nothing against the others.
    if (item.uncertain && (!isPossible || earlier)) continue;
    if (!isPossible) {
      unexpected.push(item.number);
    } else if (earlier && !earlier.uncertain) {
      duplicated.push(item.number);
    } else {
      const { uncertain = false, at } = item;
      delivered.set(item.number, { write, place, at, uncertain });
      if (uncertain) continue;
      if (item.number < (newest.get(write.lane) ?? -Infinity)) outOfOrder.push(item.number);
      else newest.set(write.lane, item.number);
    }
  }

  const executed = writes.filter(({ answeredAt, refused }) => answeredAt !== null && !refused);
  const missing = executed.filter(({ number }) => !delivered.has(number));
  const lostInSilence = missing.filter((write) => !gaps.some(({ gap }) => covers(gap, write)));
  const reasons: Record<string, number> = {};
  for (const { gap: { reason } } of gaps) reasons[reason] = (reasons[reason] ?? 0) + 1;
  return {
    written: executed.length,
    unanswered: writes.filter(({ answeredAt }) => answeredAt === null).length,
    refused: writes.filter(({ refused }) => refused).length,
    delivered: delivered.size,
    insideGaps: missing.length - lostInSilence.length,
    gaps: reasons,
    uncertain,
    dropped: gaps.reduce((sum, { gap }) => sum + (gap.dropped ?? 0), 0),
    lostInSilence,
    duplicated,
    outOfOrder,
    unexpected,
    gapsNotHonest: gaps.flatMap((placed) => {
      const why = dishonesty(placed, ledger, [...delivered.values()]);
      return why === null ? [] : [{ gap: placed.gap, why }];
    }),
  };
}

interface Delivered {
  readonly write: Write;
  /** Its place among all that was seen. */
  readonly place: number;
  readonly at: number;
  readonly uncertain: boolean;
}

interface PlacedGap {
  readonly gap: ReportedGap;
  readonly place: number;
  readonly at: number;
}

/** Whether a moment at which the write may have been executed lies inside the gap. */
function covers(gap: ReportedGap, write: Write): boolean {
  return write.answeredAt! >= gap.from && gap.to >= write.sentAt && concerns(gap, write);
}

/** Whether it is a gap of the write's server, or of its slot. */
function concerns(gap: ReportedGap, { node, slot, number }: Write): boolean {
  if (gap.keys?.some((key) => key.startsWith(`n:${number}:`)) === false) return false;
  if (gap.slots !== undefined && slot !== undefined) return includes(gap.slots, slot);
  return node === undefined || node === gap.node;
}

function includes(ranges: readonly SlotRange[], slot: number): boolean {
  return ranges.some(({ first, last }) => first <= slot && slot <= last);
}

/** What is wrong with a gap; null when nothing is. */
function dishonesty(
  placed: PlacedGap,
  ledger: Ledger,
  delivered: readonly Delivered[],
): string | null {
  const { gap, place, at } = placed;
  const { from, to } = gap;
  if (from > to) return "it ends before it begins";
  if (to > at) return `it ends ${to - at} ms after it was reported`;
  const late = delivered.find(({ write, place: before }) =>
    before < place && to < write.sentAt && concerns(gap, write)
  );
  if (late) return `it was reported after ${late.write.number}, which was sent after it`;
  // One that a replica went on to report is not known to have lost its part.
  const mayHoldAny = gap.reason === "topology";
  return unexplained(gap, ledger) ?? (mayHoldAny ? null : tooMuch(gap, ledger, delivered));
}

/** What of a gap nothing that happened explains. */
function unexplained(gap: ReportedGap, { happenings, stolen }: Ledger): string | null {
  const { from, to, slots } = gap;
  const spans = happenings
    .map((happening) => ({ happening, ...widened(happening, gap, stolen) }))
    .filter(({ begin, end }) => begin <= to && from <= end)
    .sort((a, b) => a.begin - b.begin);
  let explained = from;
  for (const { begin, end } of spans) {
    if (begin > explained) break;
    explained = Math.max(explained, end);
  }
  if (spans.length === 0) return "nothing had happened";
  if (spans[0]!.begin > from) return `it begins ${spans[0]!.begin - from} ms too early`;
  if (explained < to) return `its last ${to - explained} ms are unexplained`;
  if (slots === undefined) return null;
  const concerned = spans.map(({ happening }) => happening.slots);
  if (concerned.includes(undefined)) return null;
  const allowed = concerned.flatMap((ranges) => ranges!);
  const beyond = slots.find((range) => !isWithin(range, allowed));
  return beyond ? `nothing had happened to some of the slots ${beyond.first}-${beyond.last}` : null;
}

/** What a gap says may be missing, and was delivered. */
function tooMuch(
  gap: ReportedGap,
  { happenings, stolen = () => 0 }: Ledger,
  delivered: readonly Delivered[],
): string | null {
  const { from, to } = gap;
  const early = Math.max(
    0,
    ...happenings.filter(({ begin, end }) => begin <= to && from <= end)
      .map(({ begin, early = 0 }) => Math.min(early, begin - from)),
  );
  if (to - from <= BLUR + BLUR_AT_END) return null;
  const inside = delivered
    .filter(({ write }) =>
      write.answeredAt !== null && from < write.sentAt && write.answeredAt < to &&
      concerns(gap, write)
    )
    .sort((a, b) => a.write.number - b.write.number);
  const underWay = ({ write, at }: Delivered) => at - write.sentAt;
  let latest = 0;
  const nearBegin = inside.map((one) => {
    latest = Math.max(latest, underWay(one));
    const { sentAt } = one.write;
    return sentAt - from - stolen(from, sentAt) <= BLUR + early + latest;
  });
  latest = 0;
  for (const [index, one] of [...inside.entries()].reverse()) {
    latest = Math.max(latest, underWay(one));
    const { number, sentAt, answeredAt } = one.write;
    const fromEnd = to - answeredAt! - stolen(answeredAt!, to);
    if (nearBegin[index] || fromEnd <= BLUR_AT_END + latest) continue;
    return `${number} was delivered, ${sentAt - from} ms after its beginning and ` +
      `${to - answeredAt!} ms before its end`;
  }
  return null;
}

/** A happening as wide as a gap on its account may be; time in which nothing ran does not count. */
function widened(
  { begin, end, before, after }: Happening,
  { from, to }: ReportedGap,
  stolen: Ledger["stolen"] = () => 0,
): { begin: number; end: number } {
  return {
    begin: begin - before - (from < begin ? stolen(from, begin) : 0),
    end: end + after + (end < to ? stolen(end, to) : 0),
  };
}

function isWithin({ first, last }: SlotRange, ranges: readonly SlotRange[]): boolean {
  let slot = first;
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    if (range.first <= slot && slot <= range.last) slot = range.last + 1;
  }
  return slot > last;
}
