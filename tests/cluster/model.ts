/**
 * A cluster in one thread, with moving slots as servers really make them: what each node emits, in
 * which order, and what it says of itself, was measured on Redis 7.0, 8.0, 8.6 and Valkey 9.1.
 *
 * - By key: the target emits `new`, `restore` (and `overwritten` after it) for a key that moves,
 *   then the source, which does nothing between, `del`. Keys that are not at the source are written
 *   at the target. The target's own `CLUSTER NODES` shows the marker.
 * - As a whole: the target emits a copy of each key that the source had when the copying began, then
 *   all the source's events since then in their order, then it owns the slots at once. The source
 *   takes no write from some moment before that on, and emits nothing when it drops the keys. A move
 *   that fails or is cancelled is dropped without an event.
 */
import type { CommandStats, NodeView, SlotMove } from "../../cluster/mod.ts";
import { slotRanges } from "../../cluster/mod.ts";
import type { Random } from "../random.ts";

/** An event as a node sent it, and whether anything happened to the key by it. */
export interface ModelEvent {
  readonly serial: number;
  readonly node: string;
  readonly slot: number;
  readonly type: string;
  readonly key: string;
  readonly isReal: boolean;
}

type Emit = (node: ModelNode, event: ModelEvent) => void;

/** What a write leaves: an event, and what a replica or a taker makes of it. */
interface Write {
  readonly events: readonly string[];
  readonly repeated: readonly string[];
  readonly needs: boolean | null;
  readonly leaves: boolean;
}

const write = (
  events: string[],
  repeated: string[] = events,
  needs: boolean | null = null,
  leaves = true,
): Write => ({ events, repeated, needs, leaves });

const WRITES: readonly Write[] = [
  write(["set"]),
  write(["set"]),
  write(["hset"]),
  write(["incrbyfloat"], ["set"]),
  write(["spop"], ["srem"], true),
  write(["overwritten", "set"], undefined, true),
  write(["restore"], undefined, false),
  write(["del"], undefined, true, false),
  write(["expired"], ["del"], true, false),
  write(["spop", "del"], ["srem", "del"], true, false),
];

/** MSETEX, which is not repeated: what it wrote while a slot moves as a whole is lost. */
const UNREPEATED = write(["set"], []);

export class ModelNode {
  readonly owned: Set<number> = new Set<number>();
  readonly importing: Map<number, string> = new Map<number, string>();
  readonly migrating: Map<number, string> = new Map<number, string>();
  readonly keys: Map<number, Set<string>> = new Map<number, Set<string>>();
  moves: SlotMove[] = [];
  /** A server that waits for another does nothing else. */
  isBlocked = false;
  /** Whether all that it wrote is repeated where slots move as a whole. */
  repeatsAll = true;
  /** How often it was emptied. */
  flushes = 0;

  constructor(readonly id: string) {}

  keysOf(slot: number): Set<string> {
    let keys = this.keys.get(slot);
    if (keys === undefined) this.keys.set(slot, keys = new Set());
    return keys;
  }

  view(): NodeView {
    return {
      role: "primary",
      slots: slotRanges((slot) => this.owned.has(slot)),
      importing: new Map(this.importing),
      migrating: new Map(this.migrating),
      moves: [...this.moves],
      copiesLapsed: true,
      stats: this.stats(),
    };
  }

  stats(): CommandStats {
    return { repeatsAll: this.repeatsAll, emptied: `flushall ${this.flushes}` };
  }

  /** As `CLUSTER SLOT-STATS` and the list of moves tell. */
  glance(first: number, last: number): NodeView {
    const slots = slotRanges((slot) => first <= slot && slot <= last && this.owned.has(slot));
    return { slots, asked: [{ first, last }], moves: [...this.moves] };
  }
}

/** A move as a whole that is under way. */
interface WholeMove {
  readonly id: string;
  readonly slots: readonly number[];
  readonly source: ModelNode;
  readonly target: ModelNode;
  copies: [slot: number, key: string, type: string][] | null;
  readonly backlog: [slot: number, key: string, types: readonly string[]][];
  isPaused: boolean;
}

/** A move key by key that is under way. */
interface KeyMove {
  readonly slot: number;
  readonly source: ModelNode;
  readonly target: ModelNode;
}

/** What the model is made of. */
export interface ModelOptions {
  /** Slots that move between the first two nodes. */
  readonly moving: readonly number[];
  readonly how: "by key" | "as a whole" | "both";
  /** How many different keys a slot has; with 0 every write makes a new one. */
  readonly keys: number;
  /** Whether `new` is emitted. */
  readonly news: boolean;
  /** Whether there are writes that a move as a whole does not repeat. */
  readonly loses: boolean;
}

/** Slots: those of the options go to and fro between a and b; 3 is a's, 4 is b's, 5 is c's. */
export class ModelCluster {
  readonly nodes: readonly ModelNode[] = ["a", "b", "c"].map((id) => new ModelNode(id));
  /** What a node other than those concerned believes; lags behind. */
  readonly gossip: Map<number, string> = new Map<number, string>();
  /** Whether slots may begin to move now. */
  mayBegin: () => boolean = () => true;
  readonly #random: Random;
  readonly #options: ModelOptions;
  readonly #emit: Emit;
  #serial = 0;
  #made = 0;
  #moves = 0;
  #whole: WholeMove | null = null;
  #byKey: KeyMove | null = null;
  /** The rest of a command that two servers work on. */
  #pending: (() => void) | null = null;
  /** What servers are yet to learn. */
  readonly #toLearn: (() => void)[] = [];

  constructor(random: Random, options: ModelOptions, emit: Emit) {
    this.#random = random;
    this.#options = options;
    this.#emit = emit;
    const [a, b, c] = this.nodes as [ModelNode, ModelNode, ModelNode];
    for (const slot of options.moving) a.owned.add(slot);
    a.owned.add(3);
    b.owned.add(4);
    c.owned.add(5);
    for (const node of this.nodes) for (const slot of node.owned) this.gossip.set(slot, node.id);
    if (random.chance(0.5)) {
      // b was a replica when this came to its primary, of which Valkey does not tell from where.
      b.moves.push({
        id: "before",
        slots: options.moving.map((slot) => ({ first: slot, last: slot })),
        direction: "in",
        source: null,
        state: "succeeded",
        isRetried: false,
        created: 0,
      });
    }
    for (const slot of options.moving) {
      for (let i = 0; i < random.below(8); i++) a.keysOf(slot).add(this.#keyFor(slot));
    }
  }

  get isQuiet(): boolean {
    return this.#whole === null && this.#byKey === null && this.#pending === null &&
      this.#toLearn.length === 0;
  }

  /** Something happens somewhere. */
  step(): void {
    const random = this.#random;
    if (this.#pending !== null && random.chance(0.5)) {
      const rest = this.#pending;
      this.#pending = null;
      return rest();
    }
    if (this.#toLearn.length > 0 && random.chance(0.2)) return this.#toLearn.shift()!();
    if (random.chance(0.5)) return this.#write();
    if (this.#whole !== null) return this.#goOnAsWhole(this.#whole);
    if (this.#byKey !== null) return this.#goOnByKey();
    if (this.#toLearn.length > 0 || !this.mayBegin()) return;
    if (random.chance(0.1)) this.#flush();
    this.#begin();
  }

  /** Nobody is told of it, but it is counted; and a move that is under way would fail by it. */
  #flush(): void {
    for (const node of this.nodes) {
      for (const ofSlot of node.keys.values()) ofSlot.clear();
      node.flushes++;
    }
  }

  /** Brings what is under way to its end, without further writes. */
  finish(): void {
    while (!this.isQuiet) {
      if (this.#pending !== null) {
        const rest = this.#pending;
        this.#pending = null;
        rest();
      } else if (this.#whole !== null) this.#goOnAsWhole(this.#whole);
      else if (this.#byKey !== null) this.#goOnByKey();
      else this.#toLearn.shift()?.();
    }
  }

  #keyFor(slot: number): string {
    const { keys } = this.#options;
    return `${slot}:${keys === 0 ? this.#made++ : this.#random.below(keys)}`;
  }

  #send(node: ModelNode, slot: number, key: string, type: string, isReal: boolean): void {
    const serial = this.#serial++;
    this.#emit(node, { serial, node: node.id, slot, type, key, isReal });
  }

  #create(node: ModelNode, slot: number, key: string, isReal: boolean): void {
    const keys = node.keysOf(slot);
    if (keys.has(key)) return;
    keys.add(key);
    if (this.#options.news) this.#send(node, slot, key, "new", isReal);
  }

  /** A client writes where the cluster sends it. */
  #write(): void {
    const random = this.#random;
    const slot = random.pick([...this.#options.moving, ...this.#options.moving, 3, 4, 5]);
    const known = this.nodes.flatMap((node) => [...node.keysOf(slot)]);
    const fresh = known.length === 0 || random.chance(0.5);
    const key = fresh ? this.#keyFor(slot) : random.pick(known);
    let node = this.nodes.find(({ owned, id }) => {
      return owned.has(slot) && !this.#lost.has(`${id} ${slot}`);
    })!;
    const taker = this.nodes.find(({ importing }) => importing.has(slot));
    const isSentOn = taker !== undefined && node.migrating.has(slot) && !node.keysOf(slot).has(key);
    if (isSentOn) node = taker;
    if (node.isBlocked || this.#isPaused(node, slot)) return;
    const exists = node.keysOf(slot).has(key);
    const loses = this.#options.loses && random.chance(0.2);
    if (loses) node.repeatsAll = false;
    const chosen = loses ? UNREPEATED : random.pick(
      WRITES.filter(({ needs, events }) =>
        (needs === null || needs === exists) &&
        // Nobody can tell these two from a key that moves.
        !(events.includes("restore") && this.#deleted.has(key))
      ),
    );
    if (node === this.#byKey?.source && chosen.events.includes("del")) this.#deleted.add(key);
    if (chosen.leaves) this.#create(node, slot, key, true);
    else node.keysOf(slot).delete(key);
    for (const type of chosen.events) this.#send(node, slot, key, type, true);
    const move = this.#whole;
    if (move?.copies && move.source === node && move.slots.includes(slot)) {
      move.backlog.push([slot, key, chosen.repeated]);
    }
  }

  #isPaused(node: ModelNode, slot: number): boolean {
    const move = this.#whole;
    return move !== null && move.isPaused && move.source === node && move.slots.includes(slot);
  }

  /** Keys that went from the source of the last move key by key. */
  readonly #deleted = new Set<string>();
  /** Slots that a node has lost and does not know of. */
  readonly #lost = new Set<string>();

  #begin(): void {
    this.#deleted.clear();
    const random = this.#random;
    const { moving, how } = this.#options;
    const [a, b] = this.nodes as [ModelNode, ModelNode];
    const asWhole = how === "as a whole" || how === "both" && random.chance(0.5);
    const source = a.owned.has(random.pick(moving)) ? a : b;
    const target = source === a ? b : a;
    const slots = moving.filter((slot) => source.owned.has(slot));
    if (asWhole) {
      const id = `move ${this.#moves++}`;
      const chosen = random.chance(0.5) ? slots : [random.pick(slots)];
      this.#whole = {
        id,
        slots: chosen,
        source,
        target,
        copies: null,
        backlog: [],
        isPaused: false,
      };
      const ranges = chosen.map((slot) => ({ first: slot, last: slot }));
      for (const [node, direction] of [[target, "in"], [source, "out"]] as const) {
        node.moves.unshift({
          id,
          slots: ranges,
          direction,
          source: source.id,
          state: "running",
          isRetried: false,
          // Two may begin in the same second.
          created: Math.floor(this.#moves / 2),
        });
      }
    } else {
      this.#byKey = { slot: random.pick(slots), source, target };
      target.importing.set(this.#byKey.slot, source.id);
    }
  }

  #setState(id: string, node: ModelNode, state: SlotMove["state"]): void {
    node.moves = node.moves.map((one) => one.id === id ? { ...one, state } : one);
  }

  #goOnAsWhole(move: WholeMove): void {
    const random = this.#random;
    const { source, target, slots } = move;
    if (move.copies === null) {
      move.copies = slots.flatMap((slot) =>
        [...source.keysOf(slot)].map((key): [number, string, string] => [
          slot,
          key,
          random.pick(["set", "restore", "hset"]),
        ])
      );
      return;
    }
    if (!move.isPaused && random.chance(0.05)) {
      for (const node of [source, target]) this.#setState(move.id, node, "failed");
      for (const slot of slots) target.keysOf(slot).clear();
      this.#whole = null;
      return;
    }
    if (!move.isPaused && random.chance(0.2)) move.isPaused = true;
    // One turn of the target's loop may do a little, or all the rest and the change of owners.
    for (let turn = random.chance(0.3) ? 1_000 : random.below(4); turn >= 0; turn--) {
      const copy = move.copies.shift();
      const write = copy === undefined ? move.backlog.shift() : undefined;
      if (copy !== undefined) {
        const [slot, key, type] = copy;
        this.#create(target, slot, key, false);
        this.#send(target, slot, key, type, false);
        if (type === "hset" && random.chance(0.3)) this.#send(target, slot, key, type, false);
      } else if (write !== undefined) {
        const [slot, key, types] = write;
        if (types.length === 0 || this.#isRefused(target, slot, key, types)) continue;
        if (types.at(-1) === "del") target.keysOf(slot).delete(key);
        else this.#create(target, slot, key, false);
        for (const type of types) this.#send(target, slot, key, type, false);
      } else if (move.isPaused) return this.#takeOver(move);
      else return;
    }
  }

  /** What is taken from a key does nothing where the key is not. */
  #isRefused(node: ModelNode, slot: number, key: string, [type]: readonly string[]): boolean {
    return (type === "del" || type === "srem") && !node.keysOf(slot).has(key);
  }

  #takeOver(move: WholeMove): void {
    const { source, target, slots } = move;
    for (const slot of slots) {
      target.owned.add(slot);
      this.#lost.add(`${source.id} ${slot}`);
    }
    this.#setState(move.id, target, "succeeded");
    this.#whole = null;
    this.#learn(source, target, slots, move.id);
  }

  #learn(source: ModelNode, target: ModelNode, slots: readonly number[], id = ""): void {
    const forget = () => {
      this.#setState(id, source, "succeeded");
      for (const slot of slots) {
        source.owned.delete(slot);
        source.migrating.delete(slot);
        source.keysOf(slot).clear();
        this.#lost.delete(`${source.id} ${slot}`);
      }
    };
    const tell = () => slots.forEach((slot) => this.gossip.set(slot, target.id));
    this.#toLearn.push(...(this.#random.chance(0.5) ? [forget, tell] : [tell, forget]));
  }

  #goOnByKey(): void {
    const { slot, source, target } = this.#byKey!;
    if (!source.migrating.has(slot)) {
      source.migrating.set(slot, target.id);
      return;
    }
    const left = [...source.keysOf(slot)];
    if (left.length === 0) {
      target.importing.delete(slot);
      target.owned.add(slot);
      this.#byKey = null;
      this.#lost.add(`${source.id} ${slot}`);
      return this.#learn(source, target, [slot]);
    }
    if (source.isBlocked) return;
    const keys = left.slice(0, 1 + this.#random.below(4));
    source.isBlocked = true;
    for (const key of keys) {
      this.#create(target, slot, key, false);
      this.#send(target, slot, key, "restore", false);
      if (this.#random.chance(0.2)) this.#send(target, slot, key, "overwritten", false);
    }
    this.#pending = () => {
      for (const key of keys) {
        source.keysOf(slot).delete(key);
        this.#deleted.add(key);
        this.#send(source, slot, key, "del", false);
      }
      source.isBlocked = false;
    };
  }
}
