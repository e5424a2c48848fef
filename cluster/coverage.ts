import type { GapReason } from "../pubsub/gap.ts";
import { SLOTS } from "./discovery/slot.ts";
import { addSlot, type SlotRange, slotRanges } from "./discovery/slot_range.ts";

/** A stretch of time in which the events of some slots may be missing. */
export interface SlotGap {
  /** The node that owns the slots now, by its id. */
  readonly nodeId: string;
  /** Why. */
  readonly reason: GapReason;
  /** The slots. */
  readonly slots: readonly SlotRange[];
  /** When it began, in ms since the epoch. */
  readonly from: number;
  /** When it ended, in ms since the epoch. */
  readonly to: number;
}

/** Since when a slot has not been covered, and why. */
interface Hole {
  readonly from: number;
  readonly reason: GapReason;
}

/** Slots that follow each other and are alike in all this. */
export interface SlotPart extends SlotRange {
  /** The id of the node that owns them, as far as is known. */
  readonly nodeId: string | null;
  /** Whether their events are received. */
  readonly covered: boolean;
  /** Since when, in ms since the epoch; null when they never were. */
  readonly since: number | null;
}

/**
 * Which slots are covered: whose owner is connected and has confirmed everything wanted.
 *
 * It knows no sockets: it is told who owns what, which node covers and which is lost, and answers
 * with the gaps that have ended.
 */
export class Coverage {
  readonly #owners: (string | null)[] = new Array(SLOTS).fill(null);
  readonly #holes: (Hole | null)[] = new Array(SLOTS).fill(null);
  /** When the owner was last known, of slots for which none is named now. */
  readonly #doubted: (number | null)[] = new Array(SLOTS).fill(null);
  /** Since when each slot has been covered. */
  readonly #coveredAt: (number | null)[] = new Array(SLOTS).fill(null);
  readonly #covering = new Set<string>();
  /** Since when nothing is heard of a node; of those that were there from the beginning not at first. */
  readonly #blind = new Map<string, Hole>();
  /** The last such time, where nobody knows what the node served at the end of it. */
  readonly #lastBlind = new Map<string, { readonly hole: Hole; readonly to: number }>();

  /**
   * Takes note of who owns which slot.
   *
   * A slot that passes from a covered owner to a covering one was never uncovered. One that passes
   * to a node which does not cover yet has been uncovered since the old owner was last known to own
   * it; so has one that passes to a node which did not cover at that time, but does now, until it did.
   * One that was uncovered already, and passes to a heir of its owner, has failed over since; to
   * another node it may have moved before. A slot for which no owner is named stays with the last
   * one: nobody serves it, or the node that was asked has heard half of a move.
   *
   * @param ownerOf the id of each slot's owner, or null
   * @param knownAt when the owners before these were last known to be right, in ms since the epoch
   * @param now when these were learned, in ms since the epoch
   * @param isHeir whether a node, by its id, could take over from another one as its replica
   * @returns the gaps that end, because an uncovered slot now has an owner that covers, or has had it
   * since before it was known to be the owner
   */
  assign(
    ownerOf: (slot: number) => string | null,
    knownAt: number,
    now: number,
    isHeir: (id: string, of: string) => boolean = () => false,
  ): SlotGap[] {
    const ended: Ended[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      const before = this.#owners[slot]!;
      const owner = ownerOf(slot);
      if (owner === null) {
        this.#doubted[slot] ??= knownAt;
        continue;
      }
      const lastKnown = this.#doubted[slot] ?? knownAt;
      this.#doubted[slot] = null;
      this.#owners[slot] = owner;
      if (owner === before) continue;
      const covers = this.#covering.has(owner);
      if (covers) this.#coveredAt[slot] = now;
      const hole = this.#holes[slot]!;
      // Before the first owner was known nothing was promised.
      if (before === null) continue;
      const tookOver = hole !== null && isHeir(owner, before);
      const blind = covers && !tookOver ? this.#lastBlind.get(owner) : undefined;
      if (blind !== undefined && blind.to > lastKnown) {
        const { hole: { reason, from }, to } = blind;
        const unheard = { from: Math.max(from, lastKnown), reason };
        ended.push({ slot, nodeId: owner, hole: unheard, to });
      }
      if (hole === null) {
        if (!covers) this.#holes[slot] = { from: lastKnown, reason: "topology" };
        continue;
      }
      const passed: Hole = tookOver
        ? { from: hole.from, reason: "failover" }
        : { from: covers ? hole.from : Math.min(hole.from, lastKnown), reason: "topology" };
      if (covers) ended.push({ slot, nodeId: owner, hole: passed, to: now });
      this.#holes[slot] = covers ? null : passed;
    }
    return group(ended);
  }

  /** A node is watched that was not there from the beginning; of what it told since `from` nothing is known. */
  join(nodeId: string, from: number): void {
    this.#blind.set(nodeId, { from, reason: "topology" });
  }

  /**
   * A node has confirmed everything wanted, and covers its slots from now on.
   *
   * @param served the slots that it serves, its own or others'; null where nobody knows. Of those that
   * are not known as its own it may have told something before.
   * @returns the gaps that end
   */
  cover(nodeId: string, now: number, served: readonly SlotRange[] | null): SlotGap[] {
    this.#covering.add(nodeId);
    const blind = this.#blind.get(nodeId);
    this.#blind.delete(nodeId);
    this.#lastBlind.delete(nodeId);
    const unowned: Ended[] = [];
    if (blind !== undefined) {
      if (served === null) this.#lastBlind.set(nodeId, { hole: blind, to: now });
      for (const { first, last } of served ?? []) {
        for (let slot = first; slot <= last; slot++) {
          if (this.#owners[slot] !== nodeId) unowned.push({ slot, nodeId, hole: blind, to: now });
        }
      }
    }
    for (let slot = 0; slot < SLOTS; slot++) {
      if (this.#owners[slot] !== nodeId) continue;
      if (this.#holes[slot] !== null || this.#coveredAt[slot] === null) this.#coveredAt[slot] = now;
    }
    return [...this.#end(nodeId, now, () => null), ...group(unowned)];
  }

  /**
   * A node is connected again, and yet something wanted cannot come: the gap up to now can be
   * reported, and lasts.
   *
   * @returns the gaps up to now
   */
  coverInPart(nodeId: string, now: number): SlotGap[] {
    return this.#end(nodeId, now, ({ reason }) => ({ from: now, reason }));
  }

  /** Whether nothing is heard of a node, or on something wanted, which was not so from the beginning. */
  isBlind(nodeId: string): boolean {
    return this.#blind.has(nodeId);
  }

  /** A node is watched as another one from now on: what was covered stays so. */
  rename(before: string, after: string): void {
    if (this.#covering.delete(before)) this.#covering.add(after);
    for (const times of [this.#blind, this.#lastBlind] as Map<string, unknown>[]) {
      const time = times.get(before);
      if (times.delete(before)) times.set(after, time);
    }
  }

  /** A node covers its slots no longer; nothing is missing from before `from`. */
  lose(nodeId: string, from: number, reason: GapReason): void {
    this.#covering.delete(nodeId);
    if (!this.#blind.has(nodeId)) this.#blind.set(nodeId, { from, reason });
    for (let slot = 0; slot < SLOTS; slot++) {
      if (this.#owners[slot] === nodeId) this.#holes[slot] ??= { from, reason };
    }
  }

  /** Ends every gap that is open, when nothing more is wanted. */
  end(now: number): SlotGap[] {
    return [...new Set(this.#owners)].flatMap((owner) =>
      owner === null ? [] : this.#end(owner, now, () => null)
    );
  }

  /** The slots that are covered, or those that are not. */
  slots(covered: boolean): SlotRange[] {
    return slotRanges((slot) => this.#isCovered(slot) === covered);
  }

  /** All slots: which node owns them, whether they are covered, and since when. */
  parts(): SlotPart[] {
    const parts: (SlotPart & { last: number })[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      const nodeId = this.#owners[slot]!;
      const covered = this.#isCovered(slot);
      const since = covered ? this.#coveredAt[slot]! : this.#holes[slot]?.from ?? null;
      const before = parts.at(-1);
      if (before?.nodeId === nodeId && before.covered === covered && before.since === since) {
        before.last = slot;
      } else parts.push({ first: slot, last: slot, nodeId, covered, since });
    }
    return parts;
  }

  #isCovered(slot: number): boolean {
    const owner = this.#owners[slot]!;
    return owner !== null && this.#covering.has(owner) && this.#holes[slot] === null;
  }

  #end(nodeId: string, now: number, next: (hole: Hole) => Hole | null): SlotGap[] {
    const ended: Ended[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      const hole = this.#holes[slot]!;
      if (hole === null || this.#owners[slot] !== nodeId) continue;
      ended.push({ slot, nodeId, hole, to: now });
      this.#holes[slot] = next(hole);
    }
    return group(ended);
  }
}

/** A slot whose hole has ended. */
interface Ended {
  readonly slot: number;
  readonly nodeId: string;
  readonly hole: Hole;
  readonly to: number;
}

/**
 * One gap for all slots whose holes were at the same time, for the same reason, at the same node.
 *
 * @param ended in ascending order of the slots
 */
function group(ended: readonly Ended[]): SlotGap[] {
  const groups = new Map<string, SlotGap & { readonly slots: SlotRange[] }>();
  for (const { slot, nodeId, hole: { from, reason }, to } of ended) {
    const key = `${nodeId} ${from} ${to} ${reason}`;
    const gap = groups.get(key) ?? { nodeId, reason, slots: [], from, to: Math.max(from, to) };
    groups.set(key, gap);
    addSlot(gap.slots, slot);
  }
  return [...groups.values()];
}
