import { assert, assertEquals, assertRejects } from "@std/assert";
import { TopologyError } from "../../cluster/discovery/mod.ts";
import {
  ClusterKeyspaceNotifications,
  type ClusterOptions,
  connect,
  type Dial,
  dial,
  type Status,
} from "../../mod.ts";
import { Peer } from "../pubsub/peer.ts";
import { sleep, until, within } from "../servers/mod.ts";
import { SimulatedCluster, type SimulatedNode, type Told } from "./simulated.ts";

/** How long to wait for nodes that never answer, and enough for one that does, in ms. */
const TIMEOUT = 2_000;

/** Nodes that nobody has ever heard of, each at the port that is given for it. */
function invented(count: number, port: (index: number) => number): Told[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${index}`.padStart(40, "f"),
    port: port(index),
    role: "master",
    health: "online",
  }));
}

/** A cluster whose one real node says that there are others too; each has a slot of its own. */
function boasting(others: readonly Told[]): { cluster: SimulatedCluster; real: SimulatedNode } {
  const cluster = new SimulatedCluster(1);
  const [real] = cluster.nodes as [SimulatedNode];
  const shards = others.map((node, index) => ({ slots: [index, index], nodes: [node] }));
  cluster.shards = [...shards, { slots: [others.length, 16_383], nodes: [real.primary] }];
  return { cluster, real };
}

/**
 * Dials some ports, and from others nothing ever comes; counts what is under way there.
 *
 * @param patience how long connecting to the others may take, in ms, if not as long as it is let
 */
function counting(real: (port: number) => boolean, patience = Infinity) {
  const counts = { now: 0, most: 0, mostAtOne: 0, all: 0 };
  const at = new Map<number, number>();
  const dialCounted: Dial = async (address, options) => {
    const port = "port" in address ? address.port : 0;
    if (real(port)) return await dial(address, options);
    const here = (at.get(port) ?? 0) + 1;
    at.set(port, here);
    counts.all++;
    counts.most = Math.max(counts.most, ++counts.now);
    counts.mostAtOne = Math.max(counts.mostAtOne, here);
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise<never>((_, reject) => {
        const { signal } = options;
        if (patience < Infinity) {
          timer = setTimeout(() => reject(new Error("nobody answers")), patience);
        }
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    } finally {
      clearTimeout(timer);
      counts.now--;
      at.set(port, at.get(port)! - 1);
    }
  };
  return { counts, dial: dialCounted };
}

async function watch(real: SimulatedNode, options: ClusterOptions) {
  const notifications = await connect([real.url], {
    flags: "ignore",
    refreshInterval: 60_000,
    onWarning() {},
    ...options,
  });
  if (!(notifications instanceof ClusterKeyspaceNotifications)) throw new Error("It is a cluster");
  // What is subscribed decides whom to connect to. It is refused where some nodes never answer.
  await Promise.allSettled([notifications.subscribeKeyspace("*")]);
  return notifications;
}

Deno.test("an answer with more nodes than maxNodes is refused, and what was known goes on", async () => {
  const { cluster, real } = boasting(invented(5, (index) => index + 1));
  await using _ = cluster;
  const tooMany = "more than 5 nodes, which the option maxNodes does not allow";
  await assertRejects(() => watch(real, { maxNodes: 5 }), TopologyError, tooMany);
  cluster.shards = [{ slots: [0, 16_383], nodes: [real.primary] }];
  const warnings: string[] = [];
  await using notifications = await watch(real, {
    maxNodes: 5,
    onWarning: (message) => warnings.push(message),
  });
  const others = invented(5, (index) => index + 1);
  cluster.shards = [{ slots: [0, 16_383], nodes: [real.primary, ...others] }];
  await assertRejects(() => notifications.refreshSubscriptions());
  assert(warnings.some((warning) => warning.includes(tooMany)), warnings.join());
  assertEquals(notifications.status().nodes.map(({ id, state }) => [id, state]), [
    [real.id, "ready"],
  ]);
  assertEquals(notifications.status().slots!.uncovered, []);
});

Deno.test("by default a cluster of a thousand nodes is accepted, and of more it is not", async () => {
  const { cluster, real } = boasting(invented(1_000, (index) => index + 1));
  await using _ = cluster;
  await assertRejects(() => watch(real, {}), TopologyError, "more than 1000 nodes");
});

Deno.test("of a thousand nodes at one address one is connected to at a time", async () => {
  // It reads the password, and does not say whether that is right.
  await using peer = new Peer(async (connection) => {
    await connection.read(new Uint8Array(1024));
    await sleep(50);
  });
  const { cluster, real } = boasting(invented(999, () => peer.address.port));
  await using _ = cluster;
  const counts = { now: 0, most: 0, all: 0 };
  const dialCounted: Dial = async (address, options) => {
    if ("port" in address && address.port === real.port) return await dial(address, options);
    counts.all++;
    counts.most = Math.max(counts.most, ++counts.now);
    let isOver = false;
    const end = () => {
      if (!isOver) counts.now--;
      isOver = true;
    };
    // Given up, it is over, although the system may take a while to notice.
    options.signal.addEventListener("abort", end);
    const transport = await dial(address, options).catch((error) => {
      end();
      throw error;
    });
    return {
      read: () => transport.read(),
      write: (bytes) => transport.write(bytes),
      close: () => {
        end();
        transport.close();
      },
    };
  };
  const options = { dial: dialCounted, timeout: TIMEOUT, password: "secret" };
  await using notifications = await watch(real, options);
  await until("it was tried some times", () => counts.all > 3);
  assertEquals(counts.most, 1);
  const ready = notifications.status().nodes.filter(({ state }) => state === "ready");
  assertEquals(ready.map(({ id }) => id), [real.id]);
  await within(notifications.close(), 20_000, "closing");
  await until("nothing is left", () => peer.connections === 0);
  // An attempt that had begun ends in its own time; no other one follows.
  await until("no attempt is under way", () => counts.now === 0);
  const before = counts.all;
  await sleep(0);
  assertEquals([counts.all, counts.now], [before, 0]);
});

Deno.test("at most maxConnecting nodes are connected to at once, and each gets its turn", async () => {
  await using cluster = new SimulatedCluster(2);
  const [first, last] = cluster.nodes as [SimulatedNode, SimulatedNode];
  cluster.shards = [{ slots: [0, 16_383], nodes: [first.primary] }];
  const { counts, dial } = counting((port) => port === first.port || port === last.port, 20);
  await using notifications = await watch(first, { dial, maxConnecting: 3 });
  // Those that never answer come before the other that does.
  const silent = invented(10, (index) => index + 1);
  cluster.shards = [
    ...silent.map((node, index) => ({ slots: [index, index], nodes: [node] })),
    { slots: [10, 99], nodes: [last.primary] },
    { slots: [100, 16_383], nodes: [first.primary] },
  ];
  await notifications.refreshSubscriptions();
  const isReady = () => notifications.status().nodes.filter(({ state }) => state === "ready");
  await until("the one that answers is reached", () => isReady().length === 2);
  await until("those that do not are tried again and again", () => counts.all > 2 * silent.length);
  assertEquals([counts.most, counts.mostAtOne], [3, 1]);
  await notifications.close();
  await until("nothing is under way", () => counts.now === 0);
});

Deno.test("a node behind many that never answer is reached", async () => {
  const { cluster, real } = boasting(invented(7, (index) => index + 1));
  await using _ = cluster;
  const { counts, dial } = counting((port) => port === real.port);
  await using notifications = await watch(real, { dial, timeout: TIMEOUT, maxConnecting: 3 });
  const ready = notifications.status().nodes.filter(({ state }) => state === "ready");
  assertEquals(ready.map(({ id }) => id), [real.id]);
  assertEquals(counts.most, 3);
});

Deno.test("the status is reported once for all nodes that change at the same time", async () => {
  const { cluster, real } = boasting(invented(100, (index) => index + 1));
  await using _ = cluster;
  const { dial } = counting((port) => port === real.port);
  const told: Status["state"][] = [];
  await using notifications = await watch(real, {
    dial,
    timeout: TIMEOUT,
    onStatus: ({ state }) => told.push(state),
  });
  await until("it is reported", () => told.includes("incomplete"));
  const before = told.length;
  await notifications.close();
  assertEquals(told.slice(before), ["closed"]);
});
