import type { Model } from "../model.ts";
import { failOver, type FailoverKind, replicaOf } from "./failovers.ts";
import { migrateAtomically, migrateByKey, type MigrationOptions } from "./migrations.ts";
import type { ModelNode } from "./node.ts";

/** What happens during a run. */
export interface Weather {
  /** How long, in ms. */
  readonly duration?: number;
  /** How many commands clients send per ms. */
  readonly rate?: number;
  /** How slots are migrated. */
  readonly migrations?: readonly ("by key" | "atomic")[];
  /** How long nothing migrates after a migration, in ms; any time if left out. */
  readonly rest?: number;
  /** How many migrations run at once. */
  readonly atOnce?: number;
  /** Whether migrations are given up half-way. */
  readonly aborts?: boolean;
  /** How replicas take over. */
  readonly failovers?: readonly FailoverKind[];
  /** Whether connections break, and stall. */
  readonly breaks?: boolean;
  /** Whether the client's process is stopped now and then. */
  readonly pauses?: boolean;
}

/** How long a question may take with the slowest node and the longest pause, in ms. */
const LONGEST_ANSWER = 3_000;

const TYPES = ["string", "hash", "list", "set"] as const;

/** Sends commands, migrates slots and breaks things, at any time and at once, as the seed says. */
export async function weather(model: Model, options: Weather): Promise<void> {
  const { duration = 1_500 } = options;
  const { clock } = model;
  const end = clock.now + duration;
  for (const slot of model.cluster.slots) {
    for (let n = model.random.below(6); n > 0; n--) {
      model.operations.write(model.cluster.newKey(slot), model.random.pick(TYPES));
    }
  }
  write(model, options, end);
  const givenUp = new Map<string, number>();
  for (let n = 0; n < (options.atOnce ?? 1); n++) migrate(model, options, end, givenUp);
  failOverSometimes(model, options, end);
  disturb(model, options, end);
  await model.run(duration);
}

function repeat(model: Model, end: number, pause: () => number, work: () => void): void {
  model.clock.after(pause(), () => {
    if (model.clock.now >= end) return;
    work();
    repeat(model, end, pause, work);
  });
}

function write(model: Model, { rate = 0.4 }: Weather, end: number): void {
  const { random, cluster, operations } = model;
  repeat(model, end, () => random.next() * 2 / rate, () => {
    const moving = cluster.slots.filter((slot) => cluster.isMigrating(slot));
    const slot = random.pick(moving.length > 0 && random.chance(0.7) ? moving : cluster.slots);
    const known = cluster.ownerOf(slot).keysOf(slot);
    const isNew = known.length === 0 || random.chance(0.4);
    const key = isNew ? cluster.newKey(slot) : random.pick(known);
    const ttl = 1 + random.below(200);
    const chosen = random.below(isNew ? 5 : 10);
    if (chosen === 0) operations.restore(key);
    else if (chosen === 1) operations.set(key, ttl);
    else if (chosen <= 4) operations.write(key, random.pick(TYPES));
    else if (chosen === 5) operations.rename(key, cluster.newKey(slot));
    else if (chosen === 6) operations.copy(key, cluster.newKey(slot));
    else if (chosen === 7) operations.expire(key, ttl);
    else if (random.chance(0.3)) operations.popLast(key);
    else operations.del(key);
    if (random.chance(0.01)) operations.evict(cluster.ownerOf(slot));
    if (random.chance(0.001)) operations.flush(cluster.ownerOf(slot));
  });
}

/**
 * One migration after another, now at once, now after a while.
 *
 * @param givenUp when a migration by key to a node was given up last, by slot and port
 */
function migrate(model: Model, options: Weather, end: number, givenUp: Map<string, number>): void {
  const { migrations = [], aborts = false, rest } = options;
  const { random, cluster, clock } = model;
  if (migrations.length === 0) return;
  let last: number | null = null;
  const next = () => {
    if (clock.now >= end) return;
    const again = () => clock.after(rest ?? (random.chance(0.3) ? 0.1 : random.below(200)), next);
    // A node that has given its last slot away becomes a replica: that is a failover.
    const isLast = (slot: number) =>
      cluster.slots.every((one) =>
        one === slot || cluster.isBusy(one) || cluster.ownerOf(one) !== cluster.ownerOf(slot)
      );
    const free = cluster.slots.filter((slot) => !cluster.isBusy(slot) && !isLast(slot));
    if (free.length === 0) return again();
    // The same slot moves on at once, or back.
    const slot = last !== null && free.includes(last) && random.chance(0.4)
      ? last
      : random.pick(free);
    last = slot;
    const source = cluster.ownerOf(slot);
    const targets = cluster.nodes.filter((node) =>
      node !== source && node.isAlive && !node.isStopped && node.isPrimary
    );
    if (targets.length === 0 || !source.isAlive) return again();
    const target = random.pick(targets);
    const migration: MigrationOptions = {
      pace: rest === undefined ? random.pick([0.1, 1, 10]) : 1,
      batch: random.pick([1, 3, 100]),
      abortAfter: aborts && random.chance(0.4) ? random.below(4) : Infinity,
      bringsBack: random.chance(0.5),
      onEnd: again,
    };
    // What clients wrote to the target of a migration that was given up cannot be distinguished from what an atomic
    // migration copies there before the client's next question is answered.
    const isClear = (slot: number) =>
      clock.now - (givenUp.get(`${slot} ${target.port}`) ?? -Infinity) > LONGEST_ANSWER;
    if (random.pick(migrations) === "by key" || !isClear(slot)) {
      const onEnd = (owner: ModelNode | null) => {
        if (owner === null) givenUp.set(`${slot} ${target.port}`, clock.now);
        again();
      };
      cluster.spawn(migrateByKey(cluster, slot, target, { ...migration, onEnd }));
    } else {
      const others = free.filter((one) =>
        one !== slot && cluster.ownerOf(one) === source && isClear(one)
      ).slice(1);
      const slots = [slot, ...random.shuffle(others).slice(0, random.below(3))];
      cluster.spawn(migrateAtomically(cluster, slots, target, migration));
    }
  };
  clock.after(random.below(50), next);
}

function failOverSometimes(model: Model, { failovers = [] }: Weather, end: number): void {
  if (failovers.length === 0) return;
  const { random, cluster } = model;
  repeat(model, end, () => 200 + random.below(3_000), () => {
    const ready = cluster.nodes.filter((node) =>
      node.isAlive && !node.isStopped && node.isPrimary && node.writesWait === null &&
      replicaOf(cluster, node) !== null
    );
    // The others have to agree.
    if (ready.length < 3) return;
    cluster.spawn(failOver(cluster, random.pick(ready), random.pick(failovers)));
  });
}

function disturb(model: Model, { breaks = false, pauses = false }: Weather, end: number): void {
  const { random, cluster } = model;
  const anyNode = (): ModelNode => random.pick(cluster.nodes);
  if (breaks) {
    repeat(model, end, () => 20 + random.below(600), () => {
      for (const session of anyNode().sessions) session.end(random.pick(["end", "reset"]));
    });
    repeat(model, end, () => 50 + random.below(1_500), () => {
      cluster.stall(anyNode(), random.pick([5, 50, 500, 8_000]));
    });
  }
  if (pauses) {
    repeat(model, end, () => 50 + random.below(1_000), () => {
      model.pause(random.pick([2, 20, 200, 2_000]));
    });
  }
}
