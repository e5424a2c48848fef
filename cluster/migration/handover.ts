import { REPEATED_AS } from "../../events/replication.ts";
import { includesSlot } from "../discovery/slot.ts";
import type { KeyMoves } from "./key_moves.ts";
import {
  type Classification,
  type ClusterEvent,
  type HeldEvent,
  type IncomingMove,
  isWithinOneEpoch,
  keyOf,
  type NodeStream,
  type TakeoverPlaces,
} from "./node_stream.ts";
import type { Proofs } from "./proofs.ts";

/** How many events of a source may wait for their repetition; beyond that nothing is certain. */
const MOST = 10_000;

interface SourceEvent {
  readonly type: string;
  readonly key: string;
}

/**
 * One slot on its way from a source to a target in an atomic migration.
 *
 * The target emits copies of the keys first, then repeats in order what the source emitted since the
 * copying began, then owns the slot. So everything up to the repetition of the source's last event is
 * an artefact, and everything after it is real.
 */
export class Handover<Item> {
  readonly source: NodeStream<Item>;
  readonly target: NodeStream<Item>;
  /** Events that the source emits once it has answered a ping sent at this place were not copied. */
  readonly order: number;
  /** Since when the source owned the slot when it emitted the last event, or when this began. */
  heldSince: number;
  /** Whether the target was asked again since the source does not own the slot any more. */
  isAskedAgain = false;
  /** Whether the source no longer owns the slot; what it emits later, as its owner again, is not repeated. */
  isEnded = false;
  /** What the source emitted and the target has not repeated yet. */
  #pending: SourceEvent[] = [];
  /** The last event of the source; null before the first. */
  #last: SourceEvent | null = null;
  #isBroken = false;
  /** The name of the migration; null until the target has said it. */
  #id: string | null;

  constructor(
    source: NodeStream<Item>,
    target: NodeStream<Item>,
    slot: number,
    order: number,
    id: string | null = null,
  ) {
    this.source = source;
    this.target = target;
    this.order = order;
    this.#id = id;
    this.heldSince = source.holds(slot) ? source.heldSince(slot) : Infinity;
  }

  /**
   * Whether it is the migration of this name, which is the only one by which the target can have emitted
   * the event at this place.
   */
  isOf(id: string, order: number): boolean {
    if (this.#id === null && order === this.order) this.#id = id;
    return this.#id === id;
  }

  /** Notes an event of the source, which has owned the slot since the place `heldSince` in the order. */
  record(type: string, key: string, heldSince: number): void {
    if (this.isEnded || this.source.provenOrder < this.order) return;
    this.heldSince = heldSince;
    this.#last = { type, key };
    if (this.#pending.length === MOST) this.#isBroken = true;
    else this.#pending.push(this.#last);
  }

  /** Notes an event of the target that is certainly an artefact. */
  repeat(event: HeldEvent<Item>): void {
    const index = this.#find(event, 0);
    if (index >= 0) this.#pending.splice(0, index + 1);
  }

  /**
   * Decides events of the target that came around the moment at which it took the slot over.
   *
   * @param events in order, all that the target emitted since it last did not own the slot
   */
  split(events: readonly HeldEvent<Item>[]): Classification[] {
    // A copy may look like the repetition of what the source emitted since, so that the last repetition
    // stands anywhere from the first place that fits to the last one.
    let earliest = -1;
    let next = 0;
    for (const [index, event] of events.entries()) {
      if (next === this.#pending.length) break;
      const found = this.#find(event, next);
      if (found < 0) continue;
      next = found + 1;
      earliest = index;
    }
    const isComplete = !this.#isBroken && next === this.#pending.length && this.#last !== null;
    const latest = events.findLastIndex((event) => isRepetition(event, this.#last));
    return events.map(({ owns }, index) => {
      if (index <= earliest && !this.#isBroken) return "artefact";
      return isComplete && owns === true && index > latest ? "real" : "maybe";
    });
  }

  #find(event: HeldEvent<Item>, from: number): number {
    for (let index = from; index < this.#pending.length; index++) {
      if (isRepetition(event, this.#pending[index]!)) return index;
    }
    return -1;
  }
}

/** Decides which events of slots that atomic migrations bring to a node are artefacts. */
export class Handovers<Item> {
  readonly #proofs: Proofs<Item>;
  readonly #keyMoves: KeyMoves<Item>;
  readonly #nextOrder: () => number;
  /** By slot. */
  readonly #handovers = new Map<number, Handover<Item>>();

  /** @param nextOrder returns a new place in the order in which events are read */
  constructor(proofs: Proofs<Item>, keyMoves: KeyMoves<Item>, nextOrder: () => number) {
    this.#proofs = proofs;
    this.#keyMoves = keyMoves;
    this.#nextOrder = nextOrder;
  }

  /** How many slots are on their way. */
  get size(): number {
    return this.#handovers.size;
  }

  /** The first event of a slot at a node that does not own it: what its owner emits has to be known. */
  begin({ stream, slot, order }: HeldEvent<Item>): void {
    if (this.#handovers.get(slot)?.target === stream) return;
    const source = this.#proofs.holderOf(slot, stream);
    if (source !== null) this.#begin(new Handover(source, stream, slot, order), slot);
  }

  #begin(handover: Handover<Item>, slot: number): void {
    this.#handovers.set(slot, handover);
    this.#proofs.wantProof(handover.source, handover.order);
  }

  /** Notes an event of a node that owns its slot. */
  record(stream: NodeStream<Item>, slot: number, event: ClusterEvent): void {
    const handover = this.#handovers.get(slot);
    if (handover?.source !== stream) return;
    handover.record(event.eventType, keyOf(event), stream.heldSince(slot));
  }

  /** A node has stopped owning a slot. */
  released(stream: NodeStream<Item>, slot: number): void {
    const handover = this.#handovers.get(slot);
    if (handover?.source === stream) handover.isEnded = true;
  }

  /** A node has reported: forgets the migrations to it that are over. */
  reported(stream: NodeStream<Item>): void {
    if (stream.report!.moves === null) return;
    for (const [slot, { target }] of this.#handovers) {
      if (target === stream && !stream.isReceiving(slot)) this.forget(stream, slot);
    }
  }

  /** Forgets an atomic migration to a node that is over, unless events of it wait. */
  forget(stream: NodeStream<Item>, slot: number): void {
    if (stream.foreign(slot).length === 0) this.delete(stream, slot);
  }

  /** Forgets that a slot may come to a node by an atomic migration. */
  delete(stream: NodeStream<Item>, slot: number): void {
    if (this.#handovers.get(slot)?.target === stream) this.#handovers.delete(slot);
  }

  /** The connection of a node is over. What a source emits on its next one may not follow this. */
  close(stream: NodeStream<Item>): void {
    for (const [slot, { source, target, isEnded }] of this.#handovers) {
      if (target === stream || source === stream && !isEnded) this.#handovers.delete(slot);
    }
  }

  /**
   * Says what an event of a slot is that an atomic migration brings to its node.
   *
   * @returns null while that is not known
   */
  classify(event: HeldEvent<Item>, move: IncomingMove): Classification | "own" | null {
    const { stream, slot, answeredAt } = event;
    const { id, source, state } = move;
    const handover = this.#handovers.get(slot);
    if (handover?.target !== stream || handover.source.id !== source) return "maybe";
    if (!handover.isOf(id, event.order)) {
      // An earlier one did not end with the slot at the target.
      this.#begin(new Handover(handover.source, stream, slot, this.#nextOrder(), id), slot);
      return "maybe";
    }
    if (state === "failed") {
      // The source keeps the slot, so no end of its fence is to wait for. The event may come from after
      // the migration: a target that owns the slot has it by another one.
      this.delete(stream, slot);
      return "maybe";
    }
    // It may have been over before the source gained the slot again.
    if (state === "succeeded" && move.begunAfter < handover.heldSince) return "maybe";
    if (event.owns || state !== "running") return this.#classifyEnd(event, move, handover);
    const owner = this.#proofs.holderOf(slot, stream);
    if (owner?.id !== source) return this.#classifyEnd(event, move, handover);
    if (!this.#proofs.wantProof(owner, answeredAt)) return null;
    if (!owner.holds(slot)) return this.#classifyEnd(event, move, handover);
    if (!isMigrating(event, move, owner.heldSince(slot))) return "maybe";
    handover.repeat(event);
    // While the migration runs, the slot does not migrate key by key.
    this.#keyMoves.delete(event);
    return "artefact";
  }

  /** Decides what came around the moment at which an atomic migration handed a slot over. */
  #classifyEnd(
    event: HeldEvent<Item>,
    move: IncomingMove,
    handover: Handover<Item>,
  ): Classification | "own" | null {
    const { stream, slot } = event;
    // All that the source emitted as the owner is known once it has ended the fence.
    const { source } = handover;
    if (source.isOpen && source.holds(slot)) {
      if (source.heldSince(slot) <= event.provenOrder) return null;
      // It may have ended the fence, and own the slot again.
      if (!this.#proofs.wantProof(source, event.answeredAt)) return null;
    }
    const isOwner = stream.holds(slot);
    if (stream.isOpen && !isOwner) {
      if (stream.asked.has(slot)) return null;
      // The source gives the slot up after the target has taken it over.
      if (!handover.isAskedAgain) {
        handover.isAskedAgain = true;
        this.#proofs.wantFence(stream, slot);
        return null;
      }
    }
    const all = stream.foreign(slot);
    const end = all.findIndex(({ owns, order }) => owns === null || move.overSince < order);
    const events = end < 0 ? all : all.slice(0, end);
    // Another migration may have begun since the last report.
    const { order } = events.at(-1) ?? event;
    const since = isOwner ? Math.max(order, stream.heldSince(slot)) : order;
    if (!this.#proofs.wantReport(stream, since)) return null;
    const classifications = handover.split(events);
    const takeover = isOwner ? takeoverOf(stream, move) : null;
    for (const [index, other] of events.entries()) {
      const kept = isLatest(other) ? takeover : null;
      if (classifications[index] === "real" || kept !== null && other.order > kept.before) {
        other.isOwn = true;
      } else if (!isMigrating(other, move, handover.heldSince)) other.classification ??= "maybe";
      else if (kept !== null && other.order <= kept.after) other.classification ??= "artefact";
      else other.classification ??= classifications[index]!;
    }
    this.#handovers.delete(slot);
    return event.isOwn ? "own" : event.classification ?? "maybe";
  }
}

/**
 * Whether an event was emitted during an atomic migration that was under way later: that was known
 * before, or the source has owned the slot since before then without a break.
 */
function isMigrating(event: HeldEvent<unknown>, move: IncomingMove, heldSince: number): boolean {
  return heldSince <= event.provenOrder || move.runsSince < event.order;
}

/**
 * Between which places in the order a node has taken over the slots of a migration, all at once: after the
 * last answer before its report that it does not own one, and before the first one that it does. What it
 * answered after the report may come from its having lost the slot since. Found once for all slots.
 */
function takeoverOf(stream: NodeStream<unknown>, move: IncomingMove): TakeoverPlaces {
  if (move.takeover !== null) return move.takeover;
  let after = -Infinity;
  let before = Infinity;
  for (const [slot, order] of stream.deniedOrders) {
    if (order > after && order <= stream.reportOrder && includesSlot(move.slots, slot)) {
      after = order;
    }
  }
  for (const { first, last } of move.slots) {
    for (let slot = first; slot <= last; slot++) {
      if (stream.holds(slot)) before = Math.min(before, stream.heldSince(slot));
    }
  }
  return move.takeover = { after, before };
}

/**
 * Whether a node has lost no slot between an event and its last report. Who takes a slot from a node gets
 * a higher epoch than it, so a node that took slots over, lost one and has the highest epoch again has
 * raised it twice at least.
 */
function isLatest({ stream, epoch }: HeldEvent<unknown>): boolean {
  const { epoch: current, ownEpoch } = stream.report!;
  return current === ownEpoch && isWithinOneEpoch(epoch, current);
}

/** Whether an event of a target can repeat one of its source. */
function isRepetition({ type, key }: HeldEvent<unknown>, source: SourceEvent | null): boolean {
  return source !== null && source.key === key &&
    (REPEATED_AS[source.type] ?? source.type) === type;
}
