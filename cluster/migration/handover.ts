import { REPEATED_AS } from "../../events/replication.ts";
import type { HeldEvent, NodeStream, Verdict } from "./node_stream.ts";

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
  /** Since when the source owned the slot when it emitted the last event; nothing is known before. */
  heldSince: number = Infinity;
  /** What the source emitted and the target has not repeated yet. */
  #pending: SourceEvent[] = [];
  /** The last event of the source; null before the first. */
  #last: SourceEvent | null = null;
  #isBroken = false;
  #isEnded = false;
  /** The name of the migration; null until the target has said it. */
  #id: string | null;

  constructor(
    source: NodeStream<Item>,
    target: NodeStream<Item>,
    order: number,
    id: string | null = null,
  ) {
    this.source = source;
    this.target = target;
    this.order = order;
    this.#id = id;
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
    if (this.#isEnded || this.source.provenOrder < this.order) return;
    this.heldSince = heldSince;
    this.#last = { type, key };
    if (this.#pending.length === MOST) this.#isBroken = true;
    else this.#pending.push(this.#last);
  }

  /** The source owns the slot no more; what it emits later, as its owner again, is not repeated. */
  end(): void {
    this.#isEnded = true;
  }

  /** Notes an event of the target that is certainly an artefact. */
  repeat(event: HeldEvent<Item>): void {
    const index = this.#find(event, 0);
    if (index < 0) return;
    this.#pending.splice(0, index + 1);
  }

  /**
   * Decides events of the target that came around the moment at which it took the slot over.
   *
   * @param events in order, all that the target emitted since it last did not own the slot
   * @param ownsAfter whether the target certainly owned the slot after them
   */
  split(events: readonly HeldEvent<Item>[], ownsAfter: boolean): Verdict[] {
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
    return events.map((_, index) => {
      if (index <= earliest && !this.#isBroken) return "artefact";
      return isComplete && ownsAfter && index > latest ? "real" : "maybe";
    });
  }

  #find(event: HeldEvent<Item>, from: number): number {
    for (let index = from; index < this.#pending.length; index++) {
      if (isRepetition(event, this.#pending[index]!)) return index;
    }
    return -1;
  }
}

/** Whether an event of a target can repeat one of its source. */
function isRepetition({ type, key }: HeldEvent<unknown>, source: SourceEvent | null): boolean {
  return source !== null && source.key === key &&
    (REPEATED_AS[source.type] ?? source.type) === type;
}
