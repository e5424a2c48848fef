import type { GapReason } from "../../pubsub/gap.ts";
import type { Takeover } from "./succession.ts";
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

/** A slot that some node covers, or covered last. */
interface CoveredSlot {
  readonly nodeId: string;
  /** Why nothing of the slot is received; null while the node covers it. */
  readonly reason: GapReason | null;
  /** Since when it is covered, or the last time at which its owner was certainly heard. */
  readonly since: number;
  /**
   * Whether the node ended its own events in its stream and every other primary was heard since, so
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
  /**
   * Since when it was not heard before `heardSince` though an earlier owner may have sent clients there, in
   * ms since the epoch; null if nothing is missing.
   */
  readonly unheardSince: (nodeId: string) => number | null;
  /** How it took over from an earlier owner, and up to when that one was heard. */
  readonly takeover: (nodeId: string) => Takeover;
  /** Up to when everything of an earlier owner was received, in ms since the epoch. */
  readonly provenAt: (nodeId: string) => number;
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

type Ended = Omit<SlotGap, "slots"> & { readonly slot: number };

/**
 * Accounts for each slot whose owner is heard, and reports the gaps of those of which something may be
 * missing. A gap begins at the last proof of the connection that should have delivered, and ends when
 * a connection is subscribed and its node owns the slot.
 */
export class Coverage {
  readonly #slots: (CoveredSlot | null)[] = new Array(SLOTS).fill(null);
  /** By slot. */
  readonly #doubts = new Map<number, readonly Doubt[]>();

  /** Of these slots something may be missing from `from` on, in ms since the epoch: nobody is heard yet. */
  expect(slots: Iterable<number>, nodeId: string, from: number): void {
    for (const slot of slots) {
      this.#slots[slot] ??= { nodeId, reason: "topology", since: from, isHanded: false };
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
    const once = { ...gain, takeover: remembering(gain.takeover) };
    const after = { nodeId, reason: null, since: now, isHanded: false };
    for (const slot of slots) {
      const before = this.#slots[slot]!;
      const isCovered = before?.reason === null;
      if (isCovered && before.nodeId === nodeId) continue;
      this.#slots[slot] = after;
      if (before === null) continue;
      const gap = missing(nodeId, before, once, now);
      if (gap !== null) ended.push({ slot, ...gap });
      if (!isCovered && !before.isHanded) continue;
      const doubt = { suspect: isCovered ? before.nodeId : null, isMissing: false, nodeId };
      // What is in the gap needs no other.
      if (isCovered && gap !== null) {
        this.#addDoubt(slot, { ...doubt, from: before.since, to: gap.from });
      }
      // A slot that it owned when it was connected to belonged to no other node once it was heard.
      const to = gain.atConnect ? gain.heardSince : now;
      this.#addDoubt(slot, { ...doubt, from: gap?.to ?? before.since, to });
    }
    return group(ended);
  }

  /**
   * A node has ended its own events of a slot.
   *
   * @param provenAt a time at which it still owned it, in ms since the epoch
   * @param areOthersHeard whether every other primary is heard
   * @param owner a node that owns it by now; null if none has said so
   * @param now in ms since the epoch
   * @param isKnown whether it is certain already that others are not heard
   * @returns the gaps that end
   */
  release(
    nodeId: string,
    slot: number,
    provenAt: number,
    areOthersHeard: boolean,
    owner: string | null,
    now: number,
    isKnown = false,
  ): SlotGap[] {
    // Until then it was heard, and afterwards it is as suspect as any other.
    const isMissing = !areOthersHeard;
    const doubts = this.#doubtsOf(slot).map((doubt) =>
      doubt.suspect === nodeId ? { ...doubt, suspect: null, isMissing, from: provenAt } : doubt
    );
    const before = this.#slots[slot]!;
    if (before?.reason === null && before.nodeId === nodeId) {
      if (owner !== null) {
        this.#slots[slot] = { ...before, nodeId: owner };
        doubts.push({ suspect: null, isMissing, nodeId: owner, from: provenAt, to: now });
      } else {
        const isHanded = areOthersHeard;
        this.#slots[slot] = { nodeId, reason: "topology", since: provenAt, isHanded };
      }
    }
    const isOver = (doubt: Doubt) => isKnown && doubt.isMissing;
    this.#setDoubts(slot, doubts.filter((doubt) => !isOver(doubt)));
    return group(
      doubts.flatMap((doubt) =>
        isOver(doubt) && doubt.from < doubt.to
          ? { ...doubt, slot, reason: "topology" as const }
          : []
      ),
    );
  }

  /**
   * A node that was not heard emitted events of slots that others own: clients were sent there because the
   * slots migrate to it, or it did not know that it was replaced.
   *
   * @param since since when it may have, by the owner of the slot, in ms since the epoch
   * @param to up to when, in ms since the epoch
   */
  miss(
    nodeId: string,
    slots: Iterable<number>,
    since: (owner: string) => number,
    to: number,
    reason: GapReason = "topology",
  ): SlotGap[] {
    return group([...slots].flatMap((slot) => {
      const one = this.#slots[slot]!;
      // Of slots that nobody covers since it did, the gap goes on.
      if (isHole(one, nodeId)) return [];
      return { slot, nodeId, reason, from: since(one?.nodeId ?? nodeId), to };
    }));
  }

  /**
   * A node is no longer heard, or it is a primary that was not known.
   *
   * @param from everything from before this time was received, in ms since the epoch
   * @param isEnded whether it has ended its fences in its stream, so that nothing of its own is missing
   * @param isHeirHeard whether nothing is missing of the node that replaced it either
   * @param covered slots of which nothing is missing, because a replica covers them
   * @returns the gaps of slots that another node has covered since
   */
  lose(
    nodeId: string,
    from: number,
    reason: GapReason,
    isEnded = false,
    isHeirHeard = false,
    covered: ReadonlySet<number> | null = null,
  ): SlotGap[] {
    const lost = { nodeId, reason, since: from, isHanded: false };
    for (const [slot, before] of this.#slots.entries()) {
      if (before?.reason === null) {
        if (before.nodeId === nodeId && !covered?.has(slot)) this.#slots[slot] = lost;
      } else if (before?.isHanded && !isHeirHeard) {
        // This node may have owned the slot meanwhile, or its heir, which is not heard.
        this.#slots[slot] = { ...before, isHanded: false };
      }
    }
    const ended: Ended[] = [];
    for (const [slot, doubts] of this.#doubts) {
      const left = doubts.flatMap((doubt) => {
        const { suspect, nodeId: holder, to } = doubt;
        if (suspect !== nodeId && (suspect !== null || holder === nodeId || isEnded)) {
          return [doubt];
        }
        const start = Math.max(from, doubt.from);
        if (start < to) ended.push({ ...doubt, slot, reason: "topology", from: start });
        // Another node may have been silent for longer.
        return suspect === null ? [{ ...doubt, to: Math.min(start, to) }] : [];
      });
      this.#setDoubts(slot, left);
    }
    return group(ended);
  }

  /** Of these slots of a node something is missing after all. */
  uncover(nodeId: string, slots: ReadonlySet<number>, from: number, reason: GapReason): void {
    for (const slot of slots) {
      const before = this.#slots[slot]!;
      if (before?.reason !== null || before.nodeId !== nodeId) continue;
      this.#slots[slot] = { nodeId, reason, since: from, isHanded: false };
    }
  }

  /**
   * Every node has proven that everything from before `provenAt` was received, in ms since the epoch.
   *
   * @returns gaps that became known with the end of fences
   */
  proven(provenAt: number): SlotGap[] {
    const ended: Ended[] = [];
    for (const [slot, doubts] of this.#doubts) {
      for (const doubt of doubts) {
        if (doubt.isMissing) ended.push({ ...doubt, slot, reason: "topology" });
      }
      this.#setDoubts(slot, doubts.filter(({ to, isMissing }) => to > provenAt && !isMissing));
    }
    return group(ended);
  }

  #doubtsOf(slot: number): readonly Doubt[] {
    return this.#doubts.get(slot) ?? [];
  }

  #addDoubt(slot: number, doubt: Doubt): void {
    this.#setDoubts(slot, [...this.#doubtsOf(slot), doubt]);
  }

  #setDoubts(slot: number, doubts: readonly Doubt[]): void {
    const open = doubts.filter(({ from, to }) => from < to);
    if (open.length > 0) this.#doubts.set(slot, open);
    else this.#doubts.delete(slot);
  }

  /**
   * A node is connected again and owns slots, yet some desired events cannot be delivered. The gap up to
   * now is reported, and continues.
   */
  coverInPart(slots: Iterable<number>, now: number): SlotGap[] {
    const ended: Ended[] = [];
    for (const slot of slots) {
      const hole = this.#slots[slot]!;
      if (hole === null || hole.reason === null) continue;
      ended.push({ slot, nodeId: hole.nodeId, reason: hole.reason, from: hole.since, to: now });
      this.#slots[slot] = { ...hole, since: now };
    }
    return group(ended);
  }

  /** Ends every gap, because nothing is desired any longer. */
  end(now: number): SlotGap[] {
    const gaps = this.coverInPart(this.#slots.keys(), now);
    for (const [slot, one] of this.#slots.entries()) {
      if (one?.reason !== null) this.#slots[slot] = null;
    }
    return gaps;
  }

  /** Whether a node covered slots last that nobody covers now. */
  hasHole(nodeId: string): boolean {
    return this.#slots.some((one) => isHole(one, nodeId));
  }

  /** The slots that a node covers, or covered last. */
  slotsLastOf(nodeId: string): number[] {
    return this.#slots.flatMap((one, slot) => one?.nodeId === nodeId ? [slot] : []);
  }

  /** The slots that are covered, or those that are not, of those that are desired. */
  slots(covered: boolean, isWanted: (slot: number) => boolean = () => true): SlotRange[] {
    return slotRanges((slot) => isWanted(slot) && this.covers(slot) === covered);
  }

  /** The node that covers a slot, or covered it last; null if none has. */
  nodeOf(slot: number): string | null {
    return this.#slots[slot]?.nodeId ?? null;
  }

  /** Whether a node covers a slot. */
  covers(slot: number): boolean {
    return this.#slots[slot]?.reason === null;
  }

  /** Forgets slots whose events are no longer desired. */
  forget(slots: Iterable<number>): void {
    for (const slot of slots) {
      this.#slots[slot] = null;
      this.#doubts.delete(slot);
    }
  }

  /** All slots. */
  parts(): SlotPart[] {
    const parts: (SlotPart & { last: number })[] = [];
    for (const [slot, one] of this.#slots.entries()) {
      const { nodeId = null, since = null } = one ?? {};
      const covered = one?.reason === null;
      const before = parts.at(-1);
      if (before?.nodeId === nodeId && before.covered === covered && before.since === since) {
        before.last = slot;
      } else parts.push({ first: slot, last: slot, nodeId, covered, since });
    }
    return parts;
  }
}

/** Whether a node covered a slot last that nobody covers now. */
function isHole(one: CoveredSlot | null, nodeId: string): boolean {
  return one?.nodeId === nodeId && one.reason !== null;
}

/** What may be missing of a slot that a node has gained; null if nothing is. */
function missing(
  nodeId: string,
  before: CoveredSlot,
  { heardSince, atConnect, unheardSince, takeover, provenAt }: Gain,
  now: number,
): Omit<Ended, "slot"> | null {
  const earlier = before.nodeId;
  const isOther = earlier !== nodeId;
  const isCovered = before.reason === null;
  const ownedUntil = isCovered ? provenAt(earlier) : before.since;
  const { isHeir, after, isEarlier, until } = takeover(earlier);
  const unheardFrom = unheardSince(earlier);
  const isLateHeard = isOther && (atConnect || ownedUntil < heardSince || isEarlier);
  // The earlier owner was heard until now, and only the new one may not have been.
  if (isCovered && !isLateHeard) return null;
  // A node that takes a slot over owns it a while before the earlier owner learns of that.
  const taken = isOther && !isLateHeard || before.since >= until
    ? Infinity
    : !isOther || isHeir || isCovered && unheardFrom === null
    ? after
    : unheardFrom ?? Infinity;
  const from = Math.min(isCovered ? Infinity : before.since, taken);
  const to = isCovered || before.isHanded ? heardSince : now;
  if (!(from < to)) return null;
  const reason = isOther ? isHeir ? "failover" : "topology" : before.reason!;
  return { nodeId, reason, from, to };
}

/** A function that answers each question once: all slots of a node have the same earlier owner. */
function remembering<T>(answer: (question: string) => T): (question: string) => T {
  const answers = new Map<string, T>();
  return (question) => {
    if (!answers.has(question)) answers.set(question, answer(question));
    return answers.get(question)!;
  };
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
