import type { ModelCluster } from "./cluster.ts";
import type { Change, ModelNode } from "./node.ts";
import { preludeOf, restoreEvents, writeEvent } from "./operations.ts";
import type { ListedMove, MovePhase } from "./profiles.ts";

/** How a migration is carried out. */
export interface MigrationOptions {
  /** How long the administrator takes from one step to the next, in ms. */
  readonly pace?: number;
  /** How many keys a `MIGRATE` takes. */
  readonly batch?: number;
  /** After how many `MIGRATE`s, or steps of an atomic migration, it is given up. */
  readonly abortAfter?: number;
  /** Whether keys that have moved are brought back when it is given up, in place of being left. */
  readonly bringsBack?: boolean;
  /** Called when it is over; null if the slot stayed, or it is unknown where it is. */
  readonly onEnd?: (owner: ModelNode | null) => void;
}

/** How long the source of an atomic migration says that it runs while it owns the slots, in ms. */
const MOST_UNAWARE = 2_000;

/** After what time a `MIGRATE` gives up, in ms: two nodes may be waiting for each other. */
const MIGRATE_TIMEOUT = 1_000;

/** A node that is to take part has died, or is not a primary any more. */
class Lost extends Error {}

/** Waits until a node is free, so many ms at most, then has it do something. */
function* at(
  node: ModelNode,
  work: () => void,
  patience = Infinity,
): Generator<number, void> {
  for (let waited = 0; node.isAlive && node.isStopped && waited < patience; waited++) yield 1;
  if (!node.isAlive || node.isStopped || !node.isPrimary) throw new Lost();
  work();
}

/** `CLUSTER SETSLOT … NODE` at one node. */
export function setNode(node: ModelNode, slot: number, owner: ModelNode): void {
  const isImported = node === owner && node.importing.delete(slot);
  node.assign(slot, owner);
  node.setSlot(slot, null);
  if (!isImported) return;
  node.cluster.noteTakeover(node, slot);
  node.bump();
}

/** `CLUSTER SETSLOT … STABLE` at both, as far as they are there. */
export function stabilize(slot: number, ...nodes: readonly ModelNode[]): void {
  for (const node of nodes) node.run(() => node.setSlot(slot, null));
}

/**
 * Migrates a slot key by key. A `MIGRATE` emits `restore` for each key at the target, which does not
 * own the slot yet; then the source, which does nothing in between, emits `del`.
 */
export function* migrateByKey(
  cluster: ModelCluster,
  slot: number,
  target: ModelNode,
  options: MigrationOptions = {},
): Generator<number, void> {
  const { pace = 1, batch = 10, abortAfter = Infinity, bringsBack = false, onEnd } = options;
  const source = cluster.ownerOf(slot);
  let isGiven = false;
  const isConcerned = ({ importing, migrating }: ModelNode) =>
    importing.has(slot) || migrating.has(slot);
  cluster.beginMove(slot);
  cluster.note(`slot ${slot} begins to move by key from ${source.port} to ${target.port}`);
  try {
    yield* at(target, () => {
      // As servers do: "I'm already the owner of hash slot".
      if (target.owns(slot)) throw new Lost();
      target.setSlot(slot, "importing", source);
    });
    yield pace;
    yield* at(source, () => {
      if (!source.owns(slot)) throw new Lost();
      source.setSlot(slot, "migrating", target);
    });
    for (let round = 0;; round++) {
      yield pace;
      if (round === abortAfter) throw new Lost();
      let keys: string[] = [];
      yield* at(source, () => keys = source.keysOf(slot).slice(0, batch));
      if (!source.owns(slot) || !target.importing.has(slot)) throw new Lost();
      if (keys.length === 0) break;
      yield* sendKeys(source, target, keys);
    }
    yield* at(target, () => {
      setNode(target, slot, target);
      isGiven = true;
    });
    for (const node of cluster.nodes) {
      yield pace / 4;
      if (node !== target && node.isAlive && node.isPrimary) {
        yield* at(node, () => setNode(node, slot, target));
      }
    }
  } catch (error) {
    if (!(error instanceof Lost)) throw error;
    if (!isGiven && bringsBack) yield* bringBack(slot, source, target, batch);
    // A node that was promoted meanwhile may go on with the migration.
    if (!isGiven) stabilize(slot, ...cluster.random.shuffle(cluster.nodes.filter(isConcerned)));
  }
  const outcome = isGiven ? "has moved" : "has not moved";
  cluster.note(`slot ${slot} ${outcome} from ${source.port} to ${target.port}`);
  cluster.endMove(slot);
  onEnd?.(isGiven ? target : null);
}

/** The source keeps the slot, and the target sends it what it has of it. */
function* bringBack(
  slot: number,
  source: ModelNode,
  target: ModelNode,
  batch: number,
): Generator<number, void> {
  stabilize(slot, source);
  try {
    for (;;) {
      let keys: string[] = [];
      yield* at(target, () => keys = target.keysOf(slot).slice(0, batch));
      if (keys.length === 0 || !target.importing.has(slot)) break;
      yield* sendKeys(target, source, keys);
      yield 0.5;
    }
  } catch (error) {
    if (!(error instanceof Lost)) throw error;
  }
  stabilize(slot, target);
}

/** `MIGRATE … REPLACE`. */
export function* sendKeys(
  source: ModelNode,
  target: ModelNode,
  keys: readonly string[],
): Generator<number, void> {
  const { random } = source.cluster;
  for (const key of keys) source.expireIfDue(key);
  const left = keys.filter((key) => source.keys.has(key));
  source.stop();
  try {
    yield 0.05 + random.next() / 2;
    yield* at(target, () => {
      for (const key of left) {
        const value = source.keys.get(key)!;
        const events = restoreEvents(target, key);
        target.change(
          { key, value: { ...value }, events, repeated: events },
          "MIGRATE",
          "artefact",
        );
      }
    }, MIGRATE_TIMEOUT);
    yield 0.05 + random.next() / 2;
    if (!source.isAlive) throw new Lost();
    for (const key of left) {
      source.change(
        { key, value: null, events: ["del"], repeated: ["del"] },
        "MIGRATE",
        "artefact",
      );
    }
  } finally {
    source.release();
  }
}

/**
 * Migrates slots atomically. The target emits an event for each key that is copied, then all that
 * happens at the source meanwhile again, then it owns the slots. The source takes no write from some
 * moment before that on, and emits nothing when it drops the keys.
 */
export function* migrateAtomically(
  cluster: ModelCluster,
  slots: readonly number[],
  target: ModelNode,
  options: MigrationOptions = {},
): Generator<number, void> {
  const { pace = 1, batch = 10, abortAfter = Infinity, onEnd } = options;
  const { random } = cluster;
  const source = cluster.ownerOf(slots[0]!);
  const id = cluster.newId();
  const listed = (direction: "in" | "out"): ListedMove => {
    const { epoch: created } = cluster.clock;
    return { id, slots, source, target, direction, phase: "copying", created, ended: null };
  };
  const rows = { in: listed("in"), out: listed("out") };
  const enter = (phase: MovePhase, ...sides: readonly ("in" | "out")[]) => {
    for (const side of sides) {
      rows[side].phase = phase;
      if (phase !== "copying" && phase !== "handing over") rows[side].ended = cluster.clock.epoch;
    }
  };
  let isTaken = false;
  for (const slot of slots) cluster.beginMove(slot);
  cluster.note(`slots ${slots} begin to move atomically from ${source.port} to ${target.port}`);
  const copying = cluster.copying.get(target) ?? new Set();
  cluster.copying.set(target, copying);
  const queue: Change[] = [];
  const isIntact = () =>
    slots.every((slot) => source.owns(slot)) && target.isPrimary && source.isPrimary;
  const flushes = source.flushes + target.flushes;
  const { begins } = cluster.profile.atomic!;
  let isCanceled = false;
  const isStable = [source, target].every(({ importing, migrating }) =>
    importing.size + migrating.size === 0
  );
  try {
    // Servers refuse it while slots migrate by key.
    if (!isStable) throw new Lost();
    if (begins === "out") {
      yield* at(source, () => source.moves.unshift(rows.out));
      yield pace;
    }
    yield* at(target, () => {
      if (slots.some((slot) => target.owns(slot))) throw new Lost();
      target.moves.unshift(rows.in);
      for (const slot of slots) {
        target.drop(slot);
        copying.add(slot);
      }
    });
    yield pace;
    yield* at(source, () => {
      if (begins === "in") source.moves.unshift(rows.out);
      const keys = slots.flatMap((slot) => source.keysOf(slot));
      for (const key of random.shuffle(keys)) queue.push(copyOf(key, source));
      for (const slot of slots) source.exports.set(slot, (change) => queue.push(change));
    });
    for (let round = 0, isPaused = false; !isTaken; round++) {
      yield pace;
      isCanceled = round === abortAfter;
      if (isCanceled || !isIntact() || !source.isAlive || !target.isAlive) throw new Lost();
      if (source.flushes + target.flushes > flushes) throw new Lost();
      if (queue.length <= batch && !isPaused) {
        yield* at(source, () => {
          isPaused = true;
          enter("handing over", "in", "out");
          for (const slot of slots) source.slotsWait.set(slot, []);
        });
      }
      yield* at(target, () => {
        for (const change of queue.splice(0, batch)) repeat(target, change);
        if (!isPaused || queue.length > 0) return;
        isTaken = true;
        for (const slot of slots) {
          copying.delete(slot);
          source.handedOver.add(slot);
          target.owners.set(slot, target);
          cluster.noteTakeover(target, slot);
        }
        enter("done", "in");
        target.bump();
      });
    }
    // The source learns it as all other nodes do.
    cluster.spawn((function* () {
      const isUnaware = () => source.isAlive && slots.some((slot) => source.owns(slot));
      for (let waited = 0; isUnaware() && waited < MOST_UNAWARE; waited++) yield 1;
      enter("done", "out");
    })());
  } catch (error) {
    if (!(error instanceof Lost)) throw error;
    enter(isCanceled ? "canceled" : "failed", "in", "out");
    if (!isTaken) {
      for (const slot of slots) {
        copying.delete(slot);
        target.run(() => target.owns(slot) || target.drop(slot));
      }
    }
  }
  for (const slot of slots) {
    source.exports.delete(slot);
    if (isTaken) continue;
    const waiting = source.slotsWait.get(slot);
    source.slotsWait.delete(slot);
    waiting?.forEach((wake) => wake());
  }
  cluster.note(`slots ${slots} ${isTaken ? "have" : "have not"} moved to ${target.port}`);
  for (const slot of slots) cluster.endMove(slot);
  onEnd?.(isTaken ? target : null);
}

/** How a key that is there is sent. */
function copyOf(key: string, source: ModelNode): Change {
  const value = source.keys.get(key)!;
  const isRestored = value.type !== "string" && source.cluster.profile.restoresCopies;
  const events = isRestored
    ? ["restore"]
    : [writeEvent(value), ...(value.expiresAt === null ? [] : ["expire"])];
  return { key, value, events, repeated: events };
}

/** The target does, and emits, what came from the source. */
function repeat(target: ModelNode, { key, value, repeated }: Change): void {
  const isThere = target.keys.has(key);
  // What takes something away does nothing if the key is not there.
  if (value === null && !isThere) return;
  const names = repeated.filter((type) => type !== "new" && type !== "overwritten");
  const events = [...(value !== null && !isThere ? preludeOf(target, key) : []), ...names];
  const copy = value === null ? null : { ...value };
  target.change({ key, value: copy, events, repeated: events }, "an atomic migration", "artefact");
}
