import { type ServerBinary, sleep, type TestServer, until } from "../servers/mod.ts";
import { type ClusterStage, type NodeLine, ownerOf } from "./cluster_stage.ts";
import type { SlotRange } from "./ledger.ts";

/** How slots come to another node. */
export type Move = (
  stage: ClusterStage,
  slots: SlotRange,
  source: NodeLine,
  target: NodeLine,
) => Promise<void>;

/** How many keys one MIGRATE moves at most. */
const BATCH = 200;

/** By `MIGRATE`, as `redis-cli --cluster reshard` does it. */
export const migrateKeys: Move = async (stage, slots, source, target) => {
  const others = (await stage.primaries()).filter(({ id }) => id !== source.id && id !== target.id);
  for (let slot = slots.first; slot <= slots.last; slot++) {
    await announce(slot, source, target);
    while (await moveKeys(slot, source.server, target.server) === BATCH) {
      await sleep(stage.random.between(0, 5));
    }
    // The target first: it is the one that says so to the whole cluster.
    await setSlot(target, slot, "NODE", target.id);
    await Promise.all(
      [source, ...others].map((node) => setSlot(node, slot, "NODE", target.id)),
    );
  }
};

/** Announces that a slot is about to move by `MIGRATE`. */
export async function announce(slot: number, source: NodeLine, target: NodeLine): Promise<void> {
  await Promise.all([
    setSlot(target, slot, "IMPORTING", source.id),
    setSlot(source, slot, "MIGRATING", target.id),
  ]);
}

/** Takes that back. */
export async function takeBack(slot: number, source: NodeLine, target: NodeLine): Promise<void> {
  await setSlot(source, slot, "STABLE");
  await setSlot(target, slot, "STABLE");
}

/** Moves some keys of a slot, and returns how many. */
export async function moveKeys(
  slot: number,
  from: TestServer,
  { host, port }: TestServer,
  most: number = BATCH,
): Promise<number> {
  const keys = await from.command("CLUSTER", "GETKEYSINSLOT", slot, most) as string[];
  if (keys.length > 0) await from.command("MIGRATE", host, port, "", 0, 5000, "KEYS", ...keys);
  return keys.length;
}

/** Just after a failover Valkey may find that it has too few replicas. */
async function setSlot(node: NodeLine, slot: number, ...words: string[]): Promise<void> {
  await until(`${node.server.port} takes SETSLOT ${slot} ${words.join(" ")}`, async () => {
    await node.server.command("CLUSTER", "SETSLOT", slot, ...words).catch((error) => {
      // Who has given the last slot away becomes a replica of the one who has it now.
      if (!/only with masters/.test(error.message)) throw error;
    });
    return true;
  });
}

/** By the atomic slot migration of newer servers. */
export const migrateAtomically: Move = async (_, slots, source, target) => {
  await beginAtomic(slots, source, target);
  await until(`the slots are ${target.server.port}'s`, async () => {
    return await ownerOf(slots.first, target.server) === target.server.port;
  });
};

/** Begins an atomic migration. */
export async function beginAtomic(
  { first, last }: SlotRange,
  source: NodeLine,
  target: NodeLine,
): Promise<void> {
  // Just after a failover it may find that it has too few replicas.
  await until("the migration has begun", async () => {
    await (source.server.binary.product === "redis"
      ? target.server.command("CLUSTER", "MIGRATION", "IMPORT", first, last)
      : source.server.command(
        ...["CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", first, last, "NODE", target.id],
      ));
    return true;
  });
}

/** Cancels an atomic migration; whether it was still under way. */
export async function cancelAtomic(source: NodeLine, target: NodeLine): Promise<boolean> {
  if (source.server.binary.product === "redis") {
    return await target.server.command("CLUSTER", "MIGRATION", "CANCEL", "ALL") === 1;
  }
  try {
    return await source.server.command("CLUSTER", "CANCELSLOTMIGRATIONS") === "OK";
  } catch (error) {
    if (/No migrations ongoing/.test((error as Error).message)) return false;
    throw error;
  }
}

/** Whether a server has atomic slot migration. */
export function canMigrateAtomically({ product, version }: ServerBinary): boolean {
  const [major, minor] = version.split(".").map(Number) as [number, number];
  return product === "redis" ? major * 100 + minor >= 804 : product === "valkey" && major >= 9;
}
