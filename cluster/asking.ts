import type { NodeView, SlotMove } from "./node_view.ts";
import type { NodeState } from "./node_state.ts";
import type { Question } from "./question.ts";
import type { CommandStats } from "./server_info.ts";

/** How many slots one question for keys is about, and how many keys it is for in all. */
const KEYS_SLOTS = 16;
const MOST_KEYS = 16_000;
/** Beyond so many slots at once, keys are not asked for: such a move lasts. */
const MOST_KEYS_SLOTS = 32;
const MOST_MARKS = 16;

/** A question that was put and not answered. */
export interface Asked {
  readonly kind: Exclude<Question["kind"], "topology">;
  readonly needsMarkers: boolean;
  /** Its place among all that came and was asked. */
  order: number;
  /** The position of the node's stream when it was sent. */
  position: number;
  /** When it was sent, or a time before: the last that was told. */
  at: number;
  /** The positions of the streams of nodes that take slots in, when it was sent. */
  targets: ReadonlyMap<NodeState, number>;
}

/** What becomes of answers. */
export interface AnswerSink {
  onView(node: NodeState, view: NodeView, upTo: number, from: number, asked: Asked): void;
  onMoves(
    node: NodeState,
    moves: readonly SlotMove[] | null,
    stats: CommandStats | undefined,
    asked: Asked,
  ): void;
  onKeys(
    node: NodeState,
    keys: ReadonlyMap<number, readonly Uint8Array[]>,
    asked: Asked,
  ): void;
  /** Called after each answer, and after each failure to get one. */
  onHeard(): void;
}

/** Puts questions, each once, and notes what each answer proves by the mere fact that it came. */
export class Asking {
  readonly #ask: (question: Question) => void;
  readonly #sink: AnswerSink;
  readonly #open = new Map<NodeState, Set<Asked>>();
  readonly #keysWanted = new Map<NodeState, Set<number>>();
  readonly #targets: () => Iterable<NodeState>;
  readonly #now: () => number;
  #order = 0;
  #topologyAsked = false;

  constructor(
    ask: (question: Question) => void,
    sink: AnswerSink,
    targets: () => Iterable<NodeState>,
    now: () => number,
  ) {
    this.#ask = ask;
    this.#sink = sink;
    this.#targets = targets;
    this.#now = now;
  }

  /** The next place among all that comes and is asked. */
  nextOrder(): number {
    return this.#order++;
  }

  /** Wants to know that all has come that the node sent before an order. */
  wantPing(node: NodeState, order: number): void {
    for (const asked of this.#of(node)) if (asked.order > order || asked.kind === "ping") return;
    const asked = this.#put(node, "ping");
    this.#ask({
      kind: "ping",
      ...this.#common(node, asked),
      answer: () => this.#answer(node, asked, () => {}),
    });
  }

  /** Wants the node's own word on its slots. */
  wantView(node: NodeState, needsMarkers: boolean): void {
    for (const asked of this.#of(node)) if (asked.kind === "view") return;
    const asked = this.#put(node, "view", needsMarkers);
    let first = Infinity;
    let last = 0;
    for (const slots of [node.incoming, node.words]) {
      for (const slot of slots.keys()) {
        first = Math.min(first, slot);
        last = Math.max(last, slot);
      }
    }
    this.#ask({
      kind: "view",
      slots: first > last ? { first: 0, last: 0 } : { first, last },
      needsMarkers,
      ...this.#common(node, asked),
      answer: (view, position) =>
        this.#answer(node, asked, () => {
          const upTo = position ?? asked.position;
          node.told = { order: asked.order, view, upTo };
          this.#sink.onView(node, view, upTo, position ?? node.position, asked);
        }),
    });
  }

  /** Wants to know which moves were under way or over when the stream began. */
  wantMoves(node: NodeState): void {
    const asked = this.#put(node, "moves");
    this.#ask({
      kind: "moves",
      ...this.#common(node, asked),
      answer: (moves, stats) =>
        this.#answer(node, asked, () => this.#sink.onMoves(node, moves, stats, asked)),
    });
  }

  /** Wants the keys that a node has in a slot that another is about to take in. */
  wantKeys(node: NodeState, slot: number, taker: NodeState): void {
    if (taker.incoming.size > MOST_KEYS_SLOTS) return;
    const wanted = this.#keysWanted.get(node) ?? new Set();
    this.#keysWanted.set(node, wanted.add(slot));
    this.#askKeys(node);
  }

  /** Wants to know who owns what, once until that has been told. */
  wantTopology(): void {
    if (this.#topologyAsked) return;
    this.#topologyAsked = true;
    this.#ask({ kind: "topology" });
  }

  /** The topology has been told. */
  topologyCame(): void {
    this.#topologyAsked = false;
  }

  /** The node's stream is over; answers that still come count for nothing. */
  forget(node: NodeState): void {
    this.#open.delete(node);
    this.#keysWanted.delete(node);
  }

  #of(node: NodeState): Set<Asked> {
    let open = this.#open.get(node);
    if (open === undefined) this.#open.set(node, open = new Set());
    return open;
  }

  #askKeys(node: NodeState): void {
    for (const asked of this.#of(node)) if (asked.kind === "keys") return;
    const wanted = this.#keysWanted.get(node) ?? new Set();
    const slots = [...wanted].slice(0, KEYS_SLOTS);
    if (slots.length === 0) return;
    for (const slot of slots) wanted.delete(slot);
    const asked = this.#put(node, "keys");
    this.#ask({
      kind: "keys",
      slots,
      count: Math.floor(MOST_KEYS / slots.length),
      ...this.#common(node, asked),
      answer: (keys) => this.#answer(node, asked, () => this.#sink.onKeys(node, keys, asked)),
    });
  }

  #put(node: NodeState, kind: Asked["kind"], needsMarkers = false): Asked {
    const asked = { kind, needsMarkers, order: 0, position: 0, at: 0, targets: new Map() };
    this.#stamp(node, asked);
    this.#of(node).add(asked);
    return asked;
  }

  #stamp(node: NodeState, asked: Asked): void {
    asked.order = this.nextOrder();
    asked.position = node.position;
    asked.at = this.#now();
    const targets = new Map<NodeState, number>();
    for (const target of this.#targets()) {
      if (target !== node) targets.set(target, target.position);
    }
    asked.targets = targets;
  }

  #common(node: NodeState, asked: Asked) {
    return {
      node: node.id,
      sent: () => {
        if (this.#open.get(node)?.has(asked)) this.#stamp(node, asked);
      },
      fail: () => {
        if (!this.#close(node, asked)) return;
        if (asked.kind === "view") node.unanswerable.view = asked.order;
        if (asked.kind === "ping") node.unanswerable.ping = asked.order;
        this.#sink.onHeard();
      },
    };
  }

  #answer(node: NodeState, asked: Asked, apply: () => void): void {
    if (!this.#close(node, asked)) return;
    node.heardTo = Math.max(node.heardTo, asked.order);
    for (const [target, position] of asked.targets) {
      const marks = target.marks.get(node) ?? [];
      target.marks.set(node, marks);
      const last = marks.at(-1);
      if (last?.source === node.position && last.target === position) continue;
      marks.push({ source: node.position, target: position });
      // The oldest prove most, while there are events to lay against them; the newest need fewest.
      if (marks.length > MOST_MARKS) marks.splice(MOST_MARKS / 2, 1);
    }
    apply();
    if (asked.kind === "keys") this.#askKeys(node);
    this.#sink.onHeard();
  }

  #close(node: NodeState, asked: Asked): boolean {
    return this.#open.get(node)?.delete(asked) ?? false;
  }
}
