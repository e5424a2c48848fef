import { DEL, MOST_ITEMS, RESTORE } from "./key_moves.ts";
import type { Classification, EventClassifier, HeldEvent, NodeStream } from "./node_stream.ts";
import type { Proofs } from "./proofs.ts";

/** The limits of what waits. */
export interface FilterLimits {
  /** How long an event may wait, in ms. */
  readonly hold?: number;
  /** How many events may wait. */
  readonly items?: number;
  /** How many bytes they may stand for. */
  readonly bytes?: number;
}

const HOLD_MS = 5_000;
const MOST_BYTES = 16 * 1024 * 1024;

/** The events of all nodes that wait. Those of a node are decided in order. */
export class EventQueues<Item> {
  /** Items decided to be artefacts. */
  artefacts = 0;
  /** Items that may be artefacts. */
  uncertain = 0;
  /** Events that wait. */
  held = 0;
  /** Bytes that those stand for. */
  heldBytes = 0;
  readonly #classifier: EventClassifier<Item>;
  readonly #proofs: Proofs<Item>;
  readonly #limits: Required<FilterLimits>;
  /** Nodes of which events wait. */
  readonly #waiting = new Set<NodeStream<Item>>();
  #isSettling = false;
  #isUnsettled = false;

  constructor(classifier: EventClassifier<Item>, proofs: Proofs<Item>, limits: FilterLimits) {
    const { hold = HOLD_MS, items = MOST_ITEMS, bytes = MOST_BYTES } = limits;
    this.#classifier = classifier;
    this.#proofs = proofs;
    this.#limits = { hold, items, bytes };
  }

  /** Has what waits of a node's earlier connection come before what comes by this one. */
  open(stream: NodeStream<Item>): void {
    const earlier = [...this.#waiting].find(({ id }) => id === stream.id);
    if (earlier === undefined) return;
    stream.queue = [...earlier.waiting()];
    this.#waiting.delete(earlier);
    this.#waiting.add(stream);
  }

  /** Takes an event that has to wait. */
  push(event: HeldEvent<Item>): void {
    event.stream.push(event);
    this.#waiting.add(event.stream);
    this.held++;
    this.heldBytes += event.bytes;
  }

  /** Hands an item out. */
  decide(item: Item, classification: Classification): void {
    if (classification === "artefact") this.artefacts++;
    else if (classification === "maybe") this.uncertain++;
    this.#classifier.decide(item, classification);
  }

  /** Decides everything that can be decided by now, and what has no room. */
  settle(): void {
    this.#isUnsettled = true;
    // A decision may lead back here, and then others wait.
    if (this.#isSettling) return;
    this.#isSettling = true;
    while (this.#isUnsettled) {
      this.#isUnsettled = false;
      for (const stream of this.#waiting) this.#settleOne(stream);
      if (this.held > this.#limits.items || this.heldBytes > this.#limits.bytes) this.#giveUp();
    }
    this.#isSettling = false;
  }

  #settleOne(queue: NodeStream<Item>): void {
    while (queue.head < queue.queue.length) {
      const event = queue.queue[queue.head]!;
      const { stream } = event;
      // With many nodes, most have not proven yet what it waits for.
      if (event.classification === null && stream.neededOrder > this.#proofs.provenBeside(stream)) {
        return;
      }
      stream.neededOrder = -1;
      event.classification ??= this.#classifier.classify(event);
      if (event.classification === null) return;
      queue.shift();
      event.isDone = true;
      this.held--;
      this.heldBytes -= event.bytes;
      this.#classifier.finish(event);
      for (const item of event.items) this.decide(item, event.classification);
      event.after?.();
      // It may have been what another stream waits for.
      this.#isUnsettled = true;
    }
    this.#waiting.delete(queue);
  }

  /** Decides what has waited too long. */
  tick(now: number): void {
    for (const stream of this.#waiting) {
      for (const event of stream.waiting()) {
        if (event.at + this.#limits.hold > now) break;
        event.classification ??= this.#classifier.classify(event) ?? unproven(event);
      }
    }
    this.settle();
  }

  /** Decides the event that has waited longest, so that there is room. */
  #giveUp(): void {
    let oldest: HeldEvent<Item> | null = null;
    for (const { queue, head } of this.#waiting) {
      if (oldest === null || queue[head]!.at < oldest.at) oldest = queue[head]!;
    }
    oldest!.classification ??= unproven(oldest!);
    this.#isUnsettled = true;
  }
}

/** Whether an event's meaning depends on what other nodes emit, or on what follows it. */
export function mustWait(type: string): boolean {
  return type === DEL || type === RESTORE || comesBeforeRestore(type);
}

/** Whether a server may emit an event before `restore`, for the same command. */
export function comesBeforeRestore(type: string): boolean {
  // Each event passes here, and a set would hash its name.
  return type === "new" || type === "overwritten" || type === "type_changed";
}

/** The classification of an event of which nothing more will be known. */
export function unproven({ isOwn, type }: HeldEvent<unknown>): Classification {
  return isOwn && !mustWait(type) ? "real" : "maybe";
}
