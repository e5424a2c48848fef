import { type ServerBinary, sleep, type TestServer, until } from "../servers/mod.ts";
import {
  BUSY,
  BUSY_KEY,
  type ClusterStage,
  MOST_SERVERS,
  type NodeLine,
  REFRESH,
} from "./cluster_stage.ts";
import type { Fault } from "./faults.ts";
import type { SlotRange } from "./ledger.ts";

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

/** How a slot comes to another node. */
type Move = (stage: ClusterStage, source: NodeLine, target: NodeLine) => Promise<void>;

/** Key by key, as `redis-cli --cluster reshard` does it. */
const keyByKey: Move = async (stage, source, target) => {
  // Just after a failover Valkey may find that it has too few replicas.
  const setSlot = (node: NodeLine, ...words: string[]) =>
    until(`${node.server.port} takes SETSLOT ${words.join(" ")}`, async () => {
      await node.server.command("CLUSTER", "SETSLOT", BUSY, ...words).catch((error) => {
        // Who has given the last slot away becomes a replica of the one who has it now.
        if (!/only with masters/.test(error.message)) throw error;
      });
      return true;
    });
  await setSlot(target, "IMPORTING", source.id);
  await setSlot(source, "MIGRATING", target.id);
  const { host, port } = target.server;
  for (;;) {
    const keys = await source.server.command("CLUSTER", "GETKEYSINSLOT", BUSY, 200) as string[];
    if (keys.length === 0) break;
    await source.server.command("MIGRATE", host, port, "", 0, 5000, "KEYS", ...keys);
    await sleep(stage.random.between(0, 5));
  }
  const primaries = await stage.primaries();
  const others = primaries.filter(({ id }) => id !== source.id && id !== target.id);
  for (const node of [target, source, ...others]) await setSlot(node, "NODE", target.id);
};

/** In one piece, by what newer servers have for it. */
const asAWhole: Move = async (_, source, target) => {
  const isRedis = source.server.binary.product === "redis";
  const slots = ["SLOTSRANGE", BUSY, BUSY, "NODE", target.id];
  // Just after a failover it may find that it has too few replicas.
  await until("the move has begun", async () => {
    await (isRedis
      ? target.server.command("CLUSTER", "MIGRATION", "IMPORT", BUSY, BUSY)
      : source.server.command("CLUSTER", "MIGRATESLOTS", ...slots));
    return true;
  });
};

/** Whether a server can move slots in one piece. */
export function movesWhole({ product, version }: ServerBinary): boolean {
  const [major, minor] = version.split(".").map(Number) as [number, number];
  return product === "redis" ? major * 100 + minor >= 804 : major >= 9;
}

/** Moves the busy slot, and resolves once everybody knows. */
async function move(stage: ClusterStage, how: Move, to?: TestServer): Promise<void> {
  const primaries = await stage.primaries();
  const source = primaries.find(({ slots }) =>
    slots.some(({ first, last }) => first <= BUSY && BUSY <= last)
  )!;
  const target = to === undefined
    ? stage.random.pick(primaries.filter((node) => node !== source))
    : primaries.find(({ server }) => server === to)!;
  stage.struck = [{ first: BUSY, last: BUSY }];
  await how(stage, source, target);
  await until(`slot ${BUSY} is ${target.server.port}'s`, async () => {
    const { cluster } = stage;
    const views = cluster.servers.map((server) => cluster.ownerOf(BUSY_KEY, server));
    return (await Promise.all(views)).every((owner) => owner === target.server);
  });
  // Nodes are asked every 100 ms whether they have a slot that came key by key; if it moves on before,
  // that move's phantoms are not known for what they are.
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
  const isBusy = ({ slots }: NodeLine) =>
    slots.some(({ first, last }) => first <= BUSY && BUSY <= last);
  return owners.find(({ node }) => isBusy(node)) ?? stage.random.pick(owners);
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
    const ranges = await witness.server.command("CLUSTER", "SLOTS") as [
      number,
      number,
      unknown[],
    ][];
    const [, , owner] = ranges.find(([from, to]) => from <= first && first <= to)!;
    return owner[1] !== lost.server.port;
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
  begin: (stage) => move(stage, keyByKey),
};

export const movedWhole: ClusterFault = {
  ...COMMON,
  name: "it moves as a whole",
  begin: (stage) => move(stage, asAWhole),
};

export const movedToNewcomer: ClusterFault = {
  ...COMMON,
  name: "it moves to a node that has just joined",
  begin: async (stage) => {
    const { cluster, random } = stage;
    const isFull = cluster.servers.length === MOST_SERVERS;
    const newcomer = isFull ? undefined : await cluster.add();
    await cluster.whenHealthy();
    const canMoveWhole = movesWhole(cluster.servers[0]!.binary);
    await move(stage, canMoveWhole && random.next() < 0.5 ? asAWhole : keyByKey, newcomer);
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
  leaves: "topology",
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
  movedWhole,
  movedToNewcomer,
  primaryKilled,
  failover,
  failedBack,
];
