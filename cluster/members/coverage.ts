import type { GapReason } from "../../pubsub/gap.ts";
import { addSlot, type SlotRange, slotRanges, SLOTS } from "../discovery/slot.ts";

/** A time during which events of some slots may be missing. */
export interface SlotGap {
  /** The id of the node that covers the slots now, or did last. */
  readonly nodeId: string;
  readonly reason: GapReason;
  readonly slots: readonly SlotRange[];
  /** In ms since the epoch. */
  readonly from: number;
  /** In ms since the epoch. */
  readonly to: number;
}

/** Slots in a row that are alike. */
export interface SlotPart extends SlotRange {
  /** The id of the node that covers them, or did last; null if there was none. */
  readonly nodeId: string | null;
  readonly covered: boolean;
  /** In ms since the epoch; null if they never were covered. */
  readonly since: number | null;
}

/** A slot of which nothing is received. */
interface Hole {
  /** The last time at which its owner was certainly heard. */
  readonly from: number;
  readonly reason: GapReason;
  /** The node that covered it last. */
  readonly nodeId: string;
  /**
   * Whether that node ended its own events in its stream and every other primary was heard since, so
   * that nothing is missing of a node that owned the slot afterwards and was heard all the time.
   */
  readonly isHanded: boolean;
}

/** How a node came to own slots. */
export interface Gain {
  /** Since when everything of the node has been heard, in ms since the epoch. */
  readonly heardSince: number;
  /** Whether it owned them already when it was connected to. */
  readonly atConnect: boolean;
  /** Since when it was not heard before `heardSince`, in ms since the epoch; null if nothing is missing. */
  readonly unheardFrom: number | null;
  /**
   * A time, in ms since the epoch, at which the node did not own the slots of an earlier owner yet,
   * and up to which that one was heard; null if nothing is known of it.
   */
  readonly takenOverAfter: (nodeId: string) => number | null;
  /** Up to when everything of an earlier owner was received, in ms since the epoch. */
  readonly provenAt: (nodeId: string) => number;
  /** Whether the node can have replaced an earlier owner as its replica. */
  readonly isHeir: (nodeId: string) => boolean;
}

/** A time during which another node may have owned a slot, of which not everything was received yet. */
interface Doubt {
  /** The node that may have; null if any but the one that covers the slot since. */
  readonly suspect: string | null;
  /** Whether some node that may have was not heard, so that it is a gap. */
  readonly isMissing: boolean;
  /** The id of the node that covers the slot since. */
  readonly nodeId: string;
  /** In ms since the epoch. */
  readonly from: number;
  /** In ms since the epoch. */
  readonly to: number;
}

interface Ended {
  readonly slot: number;
  readonly nodeId: string;
  readonly reason: GapReason;
  readonly from: number;
  readonly to: number;
}

/**
 * Accounts for each slot whose owner is heard, and reports the gaps of those of which something may be
 * missing. A gap begins at the last proof of the connection that should have delivered, and ends when
 * a connection is subscribed and its node owns the slot.
 */
export class Coverage {
  readonly #holders: (string | null)[] = new Array(SLOTS).fill(null);
  readonly #holes: (Hole | null)[] = new Array(SLOTS).fill(null);
  readonly #since: (number | null)[] = new Array(SLOTS).fill(null);
  /** By slot. */
  readonly #doubts = new Map<number, readonly Doubt[]>();

  /** Of these slots something may be missing from `from` on, in ms since the epoch: nobody is heard yet. */
  expect(slots: Iterable<number>, nodeId: string, from: number): void {
    for (const slot of slots) {
      if (this.#holders[slot] !== null || this.#holes[slot] !== null) continue;
      this.#holes[slot] = { from, reason: "topology", nodeId, isHanded: false };
    }
  }

  /**
   * A node owns slots and is heard.
   *
   * @param now in ms since the epoch
   * @returns the gaps that end
   */
  gain(nodeId: string, slots: Iterable<number>, gain: Gain, now: number): SlotGap[] {
    const ended: Ended[] = [];
    const once = { ...gain, takenOverAfter: remembering(gain.takenOverAfter) };
    for (const slot of slots) {
      const before = this.#holders[slot]!;
      const hole = this.#holes[slot]!;
      this.#holders[slot] = nodeId;
      this.#holes[slot] = null;
      if (before === nodeId) continue;
      const since = this.#since[slot]!;
      this.#since[slot] = now;
      const earlier = hole?.nodeId ?? before;
      if (earlier === null) continue;
      const gap = this.#missing(nodeId, earlier, hole, once, now);
      if (gap !== null) ended.push({ slot, ...gap });
      if (before === null && !hole?.isHanded) continue;
      const doubt = { suspect: before, isMissing: false, nodeId };
      // What is in the gap needs no other.
      if (hole === null && gap !== null) {
        this.#addDoubt(slot, { ...doubt, from: since, to: gap.from });
      }
      // One that it owned when it was connected to was no other's when all of it came.
      const to = gain.atConnect ? gain.heardSince : now;
      this.#addDoubt(slot, { ...doubt, from: gap?.to ?? hole?.from ?? since, to });
    }
    return group(ended);
  }

  #missing(
    nodeId: string,
    earlier: string,
    hole: Hole | null,
    { heardSince, atConnect, unheardFrom, takenOverAfter, provenAt, isHeir }: Gain,
    now: number,
  ): Omit<Ended, "slot"> | null {
    const isOther = earlier !== nodeId;
    const ownedUntil = hole?.from ?? provenAt(earlier);
    const isLateHeard = isOther && (atConnect || ownedUntil < heardSince);
    // Without a hole the earlier owner was heard until now, and only the new one may not have been.
    if (hole === null && !isLateHeard) return null;
    // A node that takes a slot over owns it a while before the earlier owner learns of that.
    const taken = !isLateHeard
      ? null
      : isHeir(earlier) || hole === null && unheardFrom === null
      ? takenOverAfter(earlier)
      : unheardFrom;
    const from = Math.min(hole?.from ?? Infinity, taken ?? Infinity);
    const to = hole === null || hole.isHanded ? heardSince : now;
    if (!(from < to)) return null;
    const reason = isOther ? isHeir(earlier) ? "failover" : "topology" : hole!.reason;
    return { nodeId, reason, from, to };
  }

  /**
   * A node has ended its own events of a slot.
   *
   * @param provenAt a time at which it still owned it, in ms since the epoch
   * @param areOthersHeard whether every other primary is heard
   * @param owner a node that owns it by now; null if none has said so
   * @param now in ms since the epoch
   */
  release(
    nodeId: string,
    slot: number,
    provenAt: number,
    areOthersHeard: boolean,
    owner: string | null,
    now: number,
  ): void {
    // Until then it was heard, and afterwards it is as suspect as any other.
    const isMissing = !areOthersHeard;
    const doubts = (this.#doubts.get(slot) ?? [])
      .map((doubt) =>
        doubt.suspect === nodeId ? { ...doubt, suspect: null, isMissing, from: provenAt } : doubt
      )
      .filter(({ from, to }) => from < to);
    const isHolder = this.#holders[slot] === nodeId;
    if (isHolder && owner !== null) {
      this.#holders[slot] = owner;
      doubts.push({ suspect: null, isMissing, nodeId: owner, from: provenAt, to: now });
    } else if (isHolder) {
      this.#holders[slot] = null;
      this.#holes[slot] = { from: provenAt, reason: "topology", nodeId, isHanded: areOthersHeard };
    }
    this.#setDoubts(slot, doubts);
  }

  /** What clients were sent to a node for in slots that migrate to it, while it was not heard. */
  import(nodeId: string, slots: Iterable<number>, from: number, to: number): SlotGap[] {
    // Of slots that nobody covers since it did, the gap goes on.
    const others = [...slots].filter((slot) => this.#holes[slot]?.nodeId !== nodeId);
    return group(others.map((slot) => ({ slot, nodeId, reason: "topology", from, to })));
  }

  /**
   * A node is heard no more, or it is a primary that was not known.
   *
   * @param from everything from before this time was received, in ms since the epoch
   * @param isEnded whether it has ended its fences in its stream, so that nothing of its own is missing
   * @returns the gaps of slots that another node has covered since
   */
  lose(
    nodeId: string,
    from: number,
    reason: GapReason,
    isEnded = false,
  ): SlotGap[] {
    for (let slot = 0; slot < SLOTS; slot++) {
      const hole = this.#holes[slot]!;
      if (this.#holders[slot] === nodeId) {
        this.#holders[slot] = null;
        this.#holes[slot] = { from, reason, nodeId, isHanded: false };
      } else if (hole?.isHanded) {
        // This node may have owned the slot meanwhile, or its heir, which is not heard.
        this.#holes[slot] = { ...hole, isHanded: false };
      }
    }
    const ended: Ended[] = [];
    for (const [slot, doubts] of this.#doubts) {
      const isOf = ({ suspect, nodeId: holder, to }: Doubt) =>
        from < to && (suspect === nodeId || suspect === null && holder !== nodeId && !isEnded);
      this.#setDoubts(slot, doubts.filter((one) => !isOf(one) && one.suspect !== nodeId));
      for (const doubt of doubts.filter(isOf)) {
        const start = Math.max(from, doubt.from);
        ended.push(missingOf(slot, { ...doubt, from: start }));
        // Another node may have been silent for longer.
        if (doubt.suspect === null) this.#addDoubt(slot, { ...doubt, to: start });
      }
    }
    return group(ended);
  }

  /**
   * Every node has proven that everything from before `provenAt` was received, in ms since the epoch.
   *
   * @returns gaps that became known with the end of fences
   */
  proven(provenAt: number): SlotGap[] {
    const ended: Ended[] = [];
    for (const [slot, doubts] of this.#doubts) {
      for (const doubt of doubts) if (doubt.isMissing) ended.push(missingOf(slot, doubt));
      this.#setDoubts(slot, doubts.filter(({ to, isMissing }) => to > provenAt && !isMissing));
    }
    return group(ended);
  }

  #addDoubt(slot: number, doubt: Doubt): void {
    if (doubt.from < doubt.to) this.#setDoubts(slot, [...this.#doubts.get(slot) ?? [], doubt]);
  }

  #setDoubts(slot: number, doubts: readonly Doubt[]): void {
    if (doubts.length > 0) this.#doubts.set(slot, doubts);
    else this.#doubts.delete(slot);
  }

  /**
   * A node is connected again and owns slots, yet something wanted cannot come: the gap up to now is
   * reported, and goes on.
   */
  coverInPart(slots: Iterable<number>, now: number): SlotGap[] {
    const ended: Ended[] = [];
    for (const slot of slots) {
      const hole = this.#holes[slot]!;
      if (hole === null) continue;
      const { nodeId, reason, from } = hole;
      ended.push({ slot, nodeId, reason, from, to: now });
      this.#holes[slot] = { ...hole, from: now };
    }
    return group(ended);
  }

  /** Ends every gap, since nothing more is wanted. */
  end(now: number): SlotGap[] {
    const ended = this.#holes.flatMap((hole, slot) =>
      hole === null ? [] : [{ slot, ...hole, to: now }]
    );
    this.#holes.fill(null);
    return group(ended);
  }

  /** Whether a node covered slots last that nobody covers now. */
  hasHole(nodeId: string): boolean {
    return this.#holes.some((hole) => hole?.nodeId === nodeId);
  }

  /** The slots that a node covers, or covered last. */
  slotsLastOf(nodeId: string): number[] {
    const slots: number[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      if ((this.#holders[slot] ?? this.#holes[slot]?.nodeId) === nodeId) slots.push(slot);
    }
    return slots;
  }

  /** The slots that are covered, or those that are not. */
  slots(covered: boolean): SlotRange[] {
    return slotRanges((slot) => (this.#holders[slot] !== null) === covered);
  }

  /** All slots. */
  parts(): SlotPart[] {
    const parts: (SlotPart & { last: number })[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      const hole = this.#holes[slot]!;
      const nodeId = this.#holders[slot] ?? hole?.nodeId ?? null;
      const covered = this.#holders[slot] !== null;
      const since = covered ? this.#since[slot]! : hole?.from ?? null;
      const before = parts.at(-1);
      if (before?.nodeId === nodeId && before.covered === covered && before.since === since) {
        before.last = slot;
      } else parts.push({ first: slot, last: slot, nodeId, covered, since });
    }
    return parts;
  }
}

/** A function that answers each question once: all slots of a node have the same earlier owner. */
function remembering<T>(answer: (question: string) => T): (question: string) => T {
  const answers = new Map<string, T>();
  return (question) => {
    if (!answers.has(question)) answers.set(question, answer(question));
    return answers.get(question)!;
  };
}

function missingOf(slot: number, { nodeId, from, to }: Doubt): Ended {
  return { slot, nodeId, reason: "topology", from, to };
}

/** One gap for all slots that are missing at the same time, for the same reason, at the same node. */
function group(ended: readonly Ended[]): SlotGap[] {
  const groups = new Map<string, SlotGap & { readonly slots: SlotRange[] }>();
  // In ascending order, as ranges are made; nodes answer in the order of the questions.
  for (
    const { slot, nodeId, reason, from, to } of ended.toSorted((a, b) => a.slot - b.slot)
  ) {
    const key = `${nodeId} ${from} ${to} ${reason}`;
    const gap = groups.get(key) ?? { nodeId, reason, slots: [], from, to: Math.max(from, to) };
    groups.set(key, gap);
    addSlot(gap.slots, slot);
  }
  return [...groups.values()];
}
