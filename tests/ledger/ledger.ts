/**
 * The ledger of a run: what was written, what was seen, what happened meanwhile, and the judgement
 * on it. Pure; all times in ms since the epoch, by one clock.
 */

/** A stretch of hash slots, both ends in it. */
export type SlotRange = readonly [first: number, last: number];

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
}

/** One thing that the watcher was given: the notification of a write, or a gap. */
export type Seen =
  | { readonly kind: "write"; readonly number: number; readonly at: number }
  | { readonly kind: "gap"; readonly gap: ReportedGap; readonly at: number };

/** A fault, and how much wider than itself a gap may be on its account. */
export interface Happening {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
  /** How long before its beginning, in ms. */
  readonly before: number;
  /** How long after its end, in ms. */
  readonly after: number;
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
  /** Executed writes that were neither delivered nor lie inside a gap. */
  readonly lostInSilence: readonly Write[];
  /** Writes inside a gap that stands elsewhere in the stream than they are missing. */
  readonly misplaced: readonly Write[];
  readonly duplicated: readonly number[];
  /** Writes that came after a later one of their lane. */
  readonly outOfOrder: readonly number[];
  /** What came although it was never written, was refused, or came before it was sent. */
  readonly unexpected: readonly number[];
  readonly gapsNotHonest: readonly DishonestGap[];
}

/**
 * Judges a run: each executed write was delivered exactly once, in the order of its lane, or some
 * moment at which it may have been executed lies inside a reported gap, which stands in the stream
 * where the write is missing; and each gap lies within what happened.
 */
export function judge(ledger: Ledger): Report {
  const { writes, seen } = ledger;
  const byNumber = new Map(writes.map((write) => [write.number, write]));
  const places = new Map<number, number>();
  const newest = new Map<string, number>();
  const duplicated: number[] = [];
  const outOfOrder: number[] = [];
  const unexpected: number[] = [];
  const gaps: PlacedGap[] = [];
  for (const [place, item] of seen.entries()) {
    if (item.kind === "gap") {
      gaps.push({ gap: item.gap, place, at: item.at });
      continue;
    }
    const write = byNumber.get(item.number);
    if (write === undefined || write.refused || item.at < write.sentAt) {
      unexpected.push(item.number);
    } else if (places.has(item.number)) {
      duplicated.push(item.number);
    } else {
      places.set(item.number, place);
      if (item.number < (newest.get(write.lane) ?? -Infinity)) outOfOrder.push(item.number);
      else newest.set(write.lane, item.number);
    }
  }

  let insideGaps = 0;
  const lostInSilence: Write[] = [];
  const misplaced: Write[] = [];
  for (const { write, after, before } of missing(writes, places)) {
    const around = gaps.filter(({ gap }) => concerns(gap, write));
    if (around.length === 0) lostInSilence.push(write);
    else if (around.some(({ place }) => after < place && place < before)) insideGaps++;
    else misplaced.push(write);
  }

  const reasons: Record<string, number> = {};
  for (const { gap: { reason } } of gaps) reasons[reason] = (reasons[reason] ?? 0) + 1;
  return {
    written: writes.filter(wasExecuted).length,
    unanswered: writes.filter(({ answeredAt }) => answeredAt === null).length,
    refused: writes.filter(({ refused }) => refused).length,
    delivered: places.size,
    insideGaps,
    gaps: reasons,
    lostInSilence,
    misplaced,
    duplicated,
    outOfOrder,
    unexpected,
    gapsNotHonest: gaps.flatMap((placed) => {
      const why = dishonesty(placed, ledger);
      return why === null ? [] : [{ gap: placed.gap, why }];
    }),
  };
}

interface PlacedGap {
  readonly gap: ReportedGap;
  /** Its place among all that was seen. */
  readonly place: number;
  readonly at: number;
}

function wasExecuted({ answeredAt, refused }: Write): boolean {
  return answeredAt !== null && !refused;
}

/** Executed writes that were not seen, with the places of their lane's neighbours that were. */
function* missing(
  writes: readonly Write[],
  places: ReadonlyMap<number, number>,
): Iterable<{ write: Write; after: number; before: number }> {
  const lanes = Map.groupBy(writes, ({ lane }) => lane);
  for (const lane of lanes.values()) {
    lane.sort((a, b) => a.number - b.number);
    const next = new Array<number>(lane.length + 1).fill(Infinity);
    for (let index = lane.length - 1; index >= 0; index--) {
      next[index] = places.get(lane[index]!.number) ?? next[index + 1]!;
    }
    let after = -1;
    for (const [index, write] of lane.entries()) {
      const place = places.get(write.number);
      if (place !== undefined) after = place;
      else if (wasExecuted(write)) yield { write, after, before: next[index]! };
    }
  }
}

/** Whether a moment at which the write may have been executed lies inside the gap. */
function concerns(gap: ReportedGap, { node, slot, sentAt, answeredAt }: Write): boolean {
  if (answeredAt! < gap.from || gap.to < sentAt) return false;
  if (gap.slots !== undefined && slot !== undefined) return includes(gap.slots, slot);
  return node === undefined || node === gap.node;
}

function includes(ranges: readonly SlotRange[], slot: number): boolean {
  return ranges.some(([first, last]) => first <= slot && slot <= last);
}

/** What is wrong with a gap; null when nothing is. */
function dishonesty({ gap, at }: PlacedGap, ledger: Ledger): string | null {
  const { from, to, slots } = gap;
  if (from > to) return "it ends before it begins";
  if (to > at) return `it ends ${to - at} ms after it was told`;
  const spans = ledger.happenings
    .map((happening) => ({ happening, ...widened(happening, gap, ledger.stolen) }))
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
  return beyond ? `nothing had happened to some of the slots ${beyond.join("-")}` : null;
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

function isWithin([first, last]: SlotRange, ranges: readonly SlotRange[]): boolean {
  let slot = first;
  for (const [begin, end] of [...ranges].sort(([a], [b]) => a - b)) {
    if (begin <= slot && slot <= end) slot = end + 1;
  }
  return slot > last;
}
