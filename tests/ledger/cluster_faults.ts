import { sleep, type TestServer, until } from "../servers/mod.ts";
import {
  type ClusterStage,
  MOST_SERVERS,
  type NodeLine,
  ownerOf,
  owns,
  REFRESH,
} from "./cluster_stage.ts";
import type { Fault } from "./faults.ts";
import type { SlotRange } from "./ledger.ts";
import { canMigrateAtomically, migrateAtomically, migrateKeys, type Move } from "./slot_moves.ts";

/** Something that happens to a cluster. */
export type ClusterFault = Fault<ClusterStage>;

const COMMON = {
  part: "server",
  lasts: [0, 0],
  silent: false,
  leaves: null,
  // Who owns what was last known when it was last asked.
  early: REFRESH + 1000,
  slots: ({ struck }) => struck,
  end: () => {},
} satisfies Partial<ClusterFault>;

/** Moves the busy slots, and resolves once everybody knows. */
async function move(stage: ClusterStage, how: Move, to?: TestServer): Promise<void> {
  const [source, ...others] = await stage.busyOwnerFirst();
  const target = to === undefined
    ? stage.random.pick(others)
    : others.find(({ server }) => server === to)!;
  stage.struck = [stage.busy];
  await how(stage, stage.busy, source!, target);
  await stage.agreesOn(target);
  // Nodes are asked every 100 ms whether they have a slot that came key by key; if it moves on before,
  // the artefacts of that migration are not known for what they are.
  await sleep(500);
}

/** A primary with a replica that can take over: the busy slot's, if that has one. */
async function replaceable(stage: ClusterStage): Promise<{ node: NodeLine; replica: NodeLine }> {
  const nodes = await stage.nodes();
  const found = nodes.flatMap((node) => {
    const replica = nodes.find(({ primary, isHealthy }) => isHealthy && primary === node.id);
    return replica === undefined ? [] : [{ node, replica }];
  });
  // Nobody takes over from one without slots.
  const owners = found.filter(({ node }) => node.slots.length > 0);
  return owners.find(({ node }) => owns(node, stage.busy)) ?? stage.random.pick(owners);
}

/** Resolves once all agree, and each replica follows its primary. */
async function settles({ cluster }: ClusterStage): Promise<void> {
  await cluster.whenHealthy();
  for (const server of cluster.servers) {
    await until(`${server.port} is a primary, or follows one`, async () => {
      return !/master_link_status:down/.test(await server.command("INFO", "replication") as string);
    });
  }
}

/** Resolves once one of its replicas, any, has taken over, as another one of them says. */
async function losesSlots(lost: NodeLine, witness: NodeLine): Promise<void> {
  const [{ first }] = lost.slots as [SlotRange];
  await until(`somebody has taken over from ${lost.server.port}`, async () => {
    return await ownerOf(first, witness.server) !== lost.server.port;
  }, 60_000);
}

/**
 * Has a replica take over from its primary, which becomes its replica. A server gives up after 5 s
 * what it was asked for, as when its primary was too busy to hear of it; and one that has taken over
 * may be a replica again a moment later, because its primary did not hear of that (seen on 8.6).
 */
async function takesOver({ server: heir }: NodeLine, { server: old }: NodeLine): Promise<void> {
  const isReplica = async (server: TestServer) =>
    (await server.command("ROLE") as string[])[0] === "slave";
  let askedAt = -Infinity;
  await until(`${heir.port} has taken over from ${old.port}`, async () => {
    const [isAsked, isReplaced] = [await isReplica(heir), await isReplica(old)];
    if (isAsked && !isReplaced && performance.now() > askedAt + 6_000) {
      askedAt = performance.now();
      await heir.command("CLUSTER", "FAILOVER");
    }
    return !isAsked && isReplaced;
  }, 60_000);
}

export const nothing: ClusterFault = {
  ...COMMON,
  name: "nothing happens",
  lasts: [2000, 2000],
  slots: () => [],
  begin: () => {},
};

export const movedByKey: ClusterFault = {
  ...COMMON,
  name: "the busy slot moves by MIGRATE",
  begin: (stage) => move(stage, migrateKeys),
};

export const movedAtomically: ClusterFault = {
  ...COMMON,
  name: "it moves atomically",
  begin: (stage) => move(stage, migrateAtomically),
};

export const movedToNewcomer: ClusterFault = {
  ...COMMON,
  name: "it moves to a node that has just joined",
  begin: async (stage) => {
    const { cluster, random } = stage;
    const isFull = cluster.servers.length === MOST_SERVERS;
    const newcomer = isFull ? undefined : await cluster.add();
    await cluster.whenHealthy();
    const isAtomic = canMigrateAtomically(cluster.servers[0]!.binary);
    await move(stage, isAtomic && random.next() < 0.5 ? migrateAtomically : migrateKeys, newcomer);
  },
};

export const primaryKilled: ClusterFault = {
  ...COMMON,
  name: "its primary is killed, a replica takes over",
  leaves: "failover",
  begin: async (stage) => {
    // A replica that does not follow cannot take over.
    await settles(stage);
    const { node, replica } = await replaceable(stage);
    stage.struck = node.slots;
    await node.server.kill();
    await losesSlots(node, replica);
    await stage.cluster.whenHealthy(
      stage.cluster.servers.filter((server) => server !== node.server),
    );
    await node.server.restart();
    await settles(stage);
  },
};

export const failover: ClusterFault = {
  ...COMMON,
  name: "CLUSTER FAILOVER",
  // Until the topology has been asked for again.
  lasts: [3 * REFRESH, 3 * REFRESH],
  leaves: "failover",
  begin: async (stage) => {
    const { node, replica } = await replaceable(stage);
    stage.struck = node.slots;
    await takesOver(replica, node);
    await settles(stage);
  },
};

export const failedBack: ClusterFault = {
  ...failover,
  name: "CLUSTER FAILOVER, and back at once",
  begin: async (stage) => {
    const { node, replica } = await replaceable(stage);
    stage.struck = node.slots;
    await takesOver(replica, node);
    await takesOver(node, replica);
    await settles(stage);
  },
};

/** All that happens to clusters, whose busy slot is the one that half of all writes go to. */
export const CLUSTER_FAULTS: readonly ClusterFault[] = [
  nothing,
  movedByKey,
  movedAtomically,
  movedToNewcomer,
  primaryKilled,
  failover,
  failedBack,
];
