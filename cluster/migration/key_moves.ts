import type { Classification, EventClassifier, HeldEvent } from "./node_stream.ts";
import type { Proofs } from "./proofs.ts";

/** The two events that `MIGRATE` makes of a key: `restore` at its target, then `del` at its source. */
export const RESTORE = "restore";
export const DEL = "del";

/** How many events may wait. */
export const MOST_ITEMS = 50_000;

/** How many events of one key are looked at together; of more nothing is certain. */
const MOST_EVENTS = 8;

/** Decides which `del` and `restore` events `MIGRATE` made, as it moves a key from node to node. */
export class KeyMoves<Item> {
  readonly #proofs: Proofs<Item>;
  readonly #classifier: EventClassifier<Item>;
  /** How many uncertain events may be remembered. */
  readonly #most: number;
  /** Waiting `restore` and `del` events, by database and key. */
  readonly #pairs = new Map<string, KeyEvents<Item>>();
  /** Those of them that were delivered as uncertain before all their opposites were read, in order. */
  #unpaired: HeldEvent<Item>[] = [];

  constructor(proofs: Proofs<Item>, classifier: EventClassifier<Item>, most: number = MOST_ITEMS) {
    this.#proofs = proofs;
    this.#classifier = classifier;
    this.#most = most;
  }

  /** Up to this place every node has to prove what it emitted, because of uncertain events. */
  get neededOrder(): number {
    return this.#unpaired.at(-1)?.order ?? 0;
  }

  /** Takes a `del` or `restore` that waits. */
  add(event: HeldEvent<Item>): void {
    const events = this.#pairs.get(event.key) ?? new KeyEvents();
    this.#pairs.set(event.key, events);
    events.add(event);
  }

  /** Forgets an event: it is the opposite of no other. */
  delete(event: HeldEvent<Item>): void {
    const events = this.#pairs.get(event.key);
    events?.delete(event);
    if (events?.isEmpty) this.#pairs.delete(event.key);
  }

  /** An event is delivered with its classification. */
  finish(event: HeldEvent<Item>): void {
    if (event.classification === "real" || !this.#pairs.get(event.key)?.has(event)) {
      return this.delete(event);
    }
    // Its opposite may still come, and is as uncertain as it is.
    this.#unpaired.push(event);
    this.#proofs.wantProofBeside(event.stream, event.order);
    this.dropUnpaired();
  }

  /** Forgets uncertain events whose opposites have been read if there are any. */
  dropUnpaired(): void {
    let read = 0;
    const { length } = this.#unpaired;
    while (read < length) {
      const event = this.#unpaired[read]!;
      const isRead = event.order <= this.#proofs.provenBeside(event.stream) &&
        this.#pairs.get(event.key)!.isDone;
      if (!isRead && length - read <= this.#most) break;
      this.delete(event);
      read++;
    }
    this.#unpaired = this.#unpaired.slice(read);
  }

  /**
   * Whether a `del` or `restore` was made by `MIGRATE`, together with its opposite at another node.
   *
   * @param owns whether its node owned the slot
   * @returns null while that is not known
   */
  classify(event: HeldEvent<Item>, owns: boolean): Classification | null {
    if (!this.#proofs.isProvenBeside(event.stream, event.order)) return null;
    const group = this.#pairs.get(event.key)?.group ?? [];
    if (!group.includes(event)) {
      if (owns && event.type === DEL) return this.#classifyLoneDeletion(event);
      return (owns || event.type === DEL) && this.#proofs.hearsAll(event) ? "real" : "maybe";
    }
    for (const other of group) {
      if (other === event) continue;
      // What was decided without its opposite may be the opposite of this one all the same.
      if (other.classification !== null) return "maybe";
      const kind = this.#classifier.kindOf(other);
      if (kind === null) return null;
      if (kind === "maybe" || other.classification !== null) return "maybe";
      if (kind === "artefact") {
        // It was not made by MIGRATE.
        this.#settle(other, kind);
        return this.classify(event, owns);
      }
      if (!this.#proofs.isProvenBeside(other.stream, other.order)) return null;
    }
    // If an event of several may be missing, the explanation of the others may be a wrong one.
    const isCertain = group.length === 2 || group.every((one) => this.#proofs.hearsAll(one));
    for (const [one, classification] of explain(group)) {
      const isProven = isCertain && (classification !== "real" || this.#proofs.hearsAll(one));
      this.#settle(one, isProven ? classification : "maybe");
    }
    return event.classification;
  }

  #settle(event: HeldEvent<Item>, classification: Classification): void {
    event.classification = classification;
    this.delete(event);
  }

  /**
   * A deletion whose `restore` no node has emitted. It is real unless the slot migrates to a node that
   * is not heard.
   */
  #classifyLoneDeletion(event: HeldEvent<Item>): Classification | null {
    const { stream } = event;
    // The connection is over: what the node would say is not to be had.
    if (!stream.isOpen) return this.#proofs.hearsAll(event) ? "real" : "maybe";
    if (!this.#proofs.wantReport(stream, event.order)) return null;
    if (this.#proofs.isNarrow) {
      // The report may come by another connection, before the end of the fence is read.
      if (!this.#proofs.wantProof(stream, stream.reportReadOrder)) return null;
      return this.#proofs.hearsAll(event) ? "real" : "maybe";
    }
    const { known } = stream.report!;
    if (known !== null && known > this.#proofs.known) {
      this.#classifier.outdated(stream);
      return null;
    }
    // Of a node that the topology does not name nothing is heard.
    return this.#proofs.hearsAll(event) && (known ?? 0) <= this.#proofs.named ? "real" : "maybe";
  }
}

/** Waiting `del` and `restore` events of one key. */
class KeyEvents<Item> {
  readonly #events: Readonly<Record<string, Set<HeldEvent<Item>>>> = {
    [DEL]: new Set(),
    [RESTORE]: new Set(),
  };

  get isEmpty(): boolean {
    return this.#events[DEL]!.size + this.#events[RESTORE]!.size === 0;
  }

  /** Whether all of them have been decided. */
  get isDone(): boolean {
    return [this.#events[DEL]!, this.#events[RESTORE]!].every((events) => {
      for (const { isDone } of events) if (!isDone) return false;
      return true;
    });
  }

  has(event: HeldEvent<Item>): boolean {
    return this.#events[event.type]?.has(event) ?? false;
  }

  add(event: HeldEvent<Item>): void {
    this.#events[event.type]!.add(event);
  }

  delete(event: HeldEvent<Item>): void {
    this.#events[event.type]?.delete(event);
  }

  /**
   * Those that `MIGRATE` can have made, in the order in which they were read; all if they are many.
   *
   * @returns none if there is no opposite of anything
   */
  get group(): HeldEvent<Item>[] {
    const deletions = this.#events[DEL]!;
    const restores = this.#events[RESTORE]!;
    if (deletions.size === 0 || restores.size === 0) return [];
    const all = [...deletions, ...restores].sort((a, b) => a.order - b.order);
    if (all.length > 4 * MOST_EVENTS) return all;
    return all.filter((one) => all.some((other) => isPair(one, other)));
  }
}

/**
 * Whether `MIGRATE` can have made both. Of two owners neither is the target of a migration. And its
 * source answers nothing in between: a node that has answered what was sent after one of them was read
 * emitted the other for another reason.
 */
function isPair<Item>(one: HeldEvent<Item>, other: HeldEvent<Item>): boolean {
  return one.stream !== other.stream && one.type !== other.type && !(one.isOwn && other.isOwn) &&
    one.provenOrder < other.order && other.provenOrder < one.order;
}

/**
 * Whether the events of a key are explained by it migrating from node to node, each time as a
 * `restore` at one and a `del` at another, in the order in which each node emitted them.
 */
function isChain<Item>(events: readonly HeldEvent<Item>[]): boolean {
  if (events.length === 0) return true;
  const firsts = events.filter((one, index) =>
    events.findIndex(({ stream }) => stream === one.stream) === index
  );
  return firsts.some((one) =>
    one.type === DEL &&
    firsts.some((other) =>
      isPair(one, other) && isChain(events.filter((event) => event !== one && event !== other))
    )
  );
}

/**
 * Finds the events of a key that clients made, given that it migrated from node to node: as few as
 * possible. If several explanations have so few, only what all of them call a client's is certain.
 */
function explain<Item>(events: readonly HeldEvent<Item>[]): Map<HeldEvent<Item>, Classification> {
  const classifications = new Map<HeldEvent<Item>, Classification>(
    events.map((event) => [event, "maybe"]),
  );
  if (events.length > MOST_EVENTS) return classifications;
  const bySize: number[][] = events.map(() => []);
  for (let real = 0; real < 2 ** events.length - 1; real++) {
    const size = events.filter((_, index) => real & (1 << index)).length;
    if (isChain(events.filter((_, index) => !(real & (1 << index))))) bySize[size]!.push(real);
  }
  const fewest = bySize.find((explanations) => explanations.length > 0) ?? [];
  for (const [index, event] of events.entries()) {
    const count = fewest.filter((real) => real & (1 << index)).length;
    const isCertain = event.type === DEL || event.isOwn;
    if (count === 0 && fewest.length === 1) classifications.set(event, "artefact");
    if (count > 0 && count === fewest.length && isCertain) classifications.set(event, "real");
  }
  return classifications;
}
