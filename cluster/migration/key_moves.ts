import type { HeldEvent, Verdict } from "./node_stream.ts";

/** The two events that `MIGRATE` makes of a key: `restore` at its target, then `del` at its source. */
export const RESTORE = "restore";
export const DEL = "del";

/** How many events of one key are looked at together; of more nothing is certain. */
const MOST_EVENTS = 8;

/** Waiting `del` and `restore` events of one key. */
export class KeyEvents<Item> {
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
 * possible. What only some of the explanations with so few call a client's is uncertain.
 */
export function explain<Item>(events: readonly HeldEvent<Item>[]): Map<HeldEvent<Item>, Verdict> {
  const verdicts = new Map<HeldEvent<Item>, Verdict>(events.map((event) => [event, "maybe"]));
  if (events.length > MOST_EVENTS) return verdicts;
  const bySize: number[][] = events.map(() => []);
  for (let real = 0; real < 2 ** events.length - 1; real++) {
    const size = events.filter((_, index) => real & (1 << index)).length;
    if (isChain(events.filter((_, index) => !(real & (1 << index))))) bySize[size]!.push(real);
  }
  const fewest = bySize.find((explanations) => explanations.length > 0) ?? [];
  for (const [index, event] of events.entries()) {
    const count = fewest.filter((real) => real & (1 << index)).length;
    if (fewest.length === 0 || count > 0 && count < fewest.length) continue;
    const isCertain = event.type === DEL || event.isOwn;
    verdicts.set(event, count === 0 ? "artefact" : isCertain ? "real" : "maybe");
  }
  return verdicts;
}
