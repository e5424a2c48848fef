import { until } from "../servers/mod.ts";
import { type ClusterFault, movedByKey } from "./cluster_faults.ts";
import type { ClusterStage, NodeLine } from "./cluster_stage.ts";
import type { SlotRange } from "./ledger.ts";
import {
  announce,
  beginAtomic,
  cancelAtomic,
  migrateAtomically,
  migrateKeys,
  type Move,
  moveKeys,
  takeBack,
} from "./slot_moves.ts";

/** How many writes a node takes of a slot that stays there for a moment. */
const STAY = 20;

/** How many more `SET` a target has run when it surely has taken keys of an atomic migration. */
const ARRIVED = 1_000;

/** The busy slots move, and once they have, move on as often as said. */
function reshard(how: Move, hops: number): ClusterFault["begin"] {
  return async (stage) => {
    const nodes = await route(stage, hops);
    for (let hop = 0; hop < hops; hop++) {
      await how(stage, stage.busy, nodes[hop]!, nodes[hop + 1]!);
      await stage.agreesOn(nodes[hop + 1]!);
    }
  };
}

/** Each of them moves on at once. */
function moveOn(how: Move): ClusterFault["begin"] {
  return async (stage) => {
    const nodes = await route(stage, 2);
    for (const slot of how === migrateKeys ? each(stage) : [stage.busy]) {
      await how(stage, slot, nodes[0]!, nodes[1]!);
      // Otherwise the new owner's claim may be older than the old one's.
      while (await epochOf(nodes[1]!, nodes[2]!) !== await epochOf(nodes[1]!, nodes[1]!));
      await how(stage, slot, nodes[1]!, nodes[2]!);
      // While a server knows only half of this, it may spread wrong owners after later migrations.
      await stage.agreesOn(nodes[2]!, slot);
    }
  };
}

/** They move on once their new owner has taken writes. */
function visit(how: Move): ClusterFault["begin"] {
  return async (stage) => {
    const [source, visited, target] = await route(stage, 2) as [NodeLine, NodeLine, NodeLine];
    await how(stage, stage.busy, source, visited);
    await takesWrites(stage, visited);
    await how(stage, stage.busy, visited, target);
    await stage.agreesOn(target);
  };
}

/** Some of their keys move, new ones are written at the target, and stay there. */
const abort: ClusterFault["begin"] = async (stage) => {
  const [source, target] = await route(stage, 1) as [NodeLine, NodeLine];
  for (const { first: slot } of each(stage)) {
    await announce(slot, source, target);
    await moveKeys(slot, source.server, target.server, 5);
    await takesWrites(stage, target);
    await takeBack(slot, source, target);
  }
};

/**
 * Their atomic migration is cancelled once the target has taken some of their keys. One that is over
 * too soon is followed by another.
 */
const cancel: ClusterFault["begin"] = async (stage) => {
  for (;;) {
    const [source, target] = await route(stage, 1) as [NodeLine, NodeLine];
    const before = await countSets(target);
    await beginAtomic(stage.busy, source, target);
    await until("keys arrive", async () => await countSets(target) > before + ARRIVED);
    if (await cancelAtomic(source, target)) return await stage.agreesOn(source);
    await stage.agreesOn(target);
  }
};

/** How many `SET` a node has run; keys arrive by them in an atomic migration. */
async function countSets({ server }: NodeLine): Promise<number> {
  const text = await server.command("INFO", "commandstats") as string;
  return Number(/^cmdstat_set:calls=(\d+)/m.exec(text)?.[1] ?? 0);
}

/** The owner of the busy slots, and other primaries that they are to go to. */
async function route(stage: ClusterStage, hops: number): Promise<NodeLine[]> {
  stage.struck = [stage.busy];
  const [source, ...others] = await stage.busyOwnerFirst();
  const nodes = [source!, ...stage.random.shuffle(others)];
  return Array.from({ length: hops + 1 }, (_, hop) => nodes[hop % nodes.length]!);
}

function* each({ busy: { first, last } }: ClusterStage): Generator<SlotRange> {
  for (let slot = first; slot <= last; slot++) yield { first: slot, last: slot };
}

/** The configuration epoch of a node, as another one knows it. */
async function epochOf({ id }: NodeLine, { server }: NodeLine): Promise<string | undefined> {
  const text = await server.command("CLUSTER", "NODES") as string;
  return text.split("\n").find((line) => line.startsWith(id))?.split(" ")[6];
}

/** Resolves once a node has taken some writes of the busy slots. */
async function takesWrites({ book, busy }: ClusterStage, { server }: NodeLine): Promise<void> {
  const node = `${server.host}:${server.port}`;
  const from = book.writes.length;
  await until(
    `${node} takes writes`,
    () =>
      book.writes.slice(from).filter((write) =>
        write.node === node && busy.first <= write.slot! && write.slot! <= busy.last &&
        write.answeredAt !== null && !write.refused
      ).length >= STAY,
  );
}

function named(name: string, begin: ClusterFault["begin"]): ClusterFault {
  return { ...movedByKey, name, begin };
}

/** What becomes of slots that move, by how they move. */
type Moves = "once" | "then on" | "on at once" | "on after writes";

function moves(name: string, how: Move): Readonly<Record<Moves, ClusterFault>> {
  return {
    "once": named(`slots move ${name}`, reshard(how, 1)),
    "then on": named(`slots move ${name}, and then on`, reshard(how, 2)),
    "on at once": named(`slots move ${name}, and on at once`, moveOn(how)),
    "on after writes": named(`slots move ${name}, and on after writes`, visit(how)),
  };
}

export const byKey: Readonly<Record<Moves, ClusterFault>> = moves("by MIGRATE", migrateKeys);

export const atomic: Readonly<Record<Moves, ClusterFault>> = moves("atomically", migrateAtomically);

/** Their migration by MIGRATE is aborted. */
export const abortedByKey: ClusterFault = named("moving slots by MIGRATE is aborted", abort);

/** Their atomic migration is cancelled. */
export const abortedAtomic: ClusterFault = named("moving slots atomically is aborted", cancel);

/** The same, with the watching process stopped meanwhile. */
export function stopped(fault: ClusterFault): ClusterFault {
  return named(`${fault.name}, with the watcher stopped`, async (stage, ms) => {
    stage.watcher.pause!();
    try {
      await fault.begin(stage, ms);
    } finally {
      stage.watcher.resume!();
    }
  });
}
