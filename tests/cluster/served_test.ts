import { assert, assertEquals } from "@std/assert";
import {
  ClusterKeyspaceNotifications,
  connect,
  formatSlots,
  type Gap,
  KeyeventChannel,
} from "../../mod.ts";
import { until } from "../servers/mod.ts";
import { SimulatedCluster, type SimulatedNode } from "./simulated.ts";

/** What a node says of itself in `CLUSTER NODES` while slots come to it from another one. */
function takingIn(
  node: SimulatedNode,
  slots: readonly number[],
  from: SimulatedNode,
  ...own: string[]
): string {
  const coming = slots.map((slot) => `[${slot}-<-${from.id}]`);
  return node.lineAs("master", ...own, ...coming);
}

/** Watches a cluster, and collects the gaps. */
async function watch(cluster: SimulatedCluster) {
  const gaps: Gap[] = [];
  const notifications = await connect(cluster.nodes[0]!.url, {
    refreshInterval: 20,
    onGap: (gap) => gaps.push(gap),
    onWarning() {},
  });
  assert(notifications instanceof ClusterKeyspaceNotifications);
  await notifications.subscribeKeyspace("*");
  const told = () => gaps.map(({ reason, slots }) => `${reason} ${formatSlots(slots!)}`);
  return { notifications, gaps, told };
}

type Three = [SimulatedNode, SimulatedNode, SimulatedNode];

/** Three nodes, of which two share the slots and the third is yet to join them. */
function withoutThird(): SimulatedCluster {
  const cluster = new SimulatedCluster(3);
  const [one, two] = cluster.nodes as Three;
  cluster.shards = [
    { slots: [0, 8191], nodes: [one.primary] },
    { slots: [8192, 16_383], nodes: [two.primary] },
  ];
  return cluster;
}

/** Has a node join, without slots. */
function join(cluster: SimulatedCluster, node: SimulatedNode): void {
  cluster.shards = [...cluster.shards, { slots: [], nodes: [node.primary] }];
}

Deno.test("a node that joins while a slot comes to it is a gap of that slot", async () => {
  await using cluster = withoutThird();
  const [one, , three] = cluster.nodes as Three;
  const { notifications, gaps, told } = await watch(cluster);
  await using _ = notifications;
  three.line = takingIn(three, [5, 7], one);
  const before = Date.now();
  join(cluster, three);
  await until("the gap is told", () => gaps.length > 0);
  assertEquals(told(), ["topology 5,7"]);
  const [{ from, to, node }] = gaps as [Gap];
  assert(from <= before && before <= to, `${from} to ${to}, at ${before}`);
  assertEquals(node, `127.0.0.1:${three.port}`);
});

Deno.test("a node that is lost while a slot comes to it is a gap of that slot too", async () => {
  await using cluster = new SimulatedCluster(2);
  const [one, two] = cluster.nodes as [SimulatedNode, SimulatedNode];
  const { notifications, gaps, told } = await watch(cluster);
  await using _ = notifications;
  two.line = takingIn(two, [5], one);
  two.disconnect();
  await until("both are told", () => gaps.length > 1);
  assertEquals(told(), ["disconnected 8192-16383", "disconnected 5"]);
  const [own, coming] = gaps as [Gap, Gap];
  assertEquals([own.from, own.to, own.node], [coming.from, coming.to, coming.node]);
});

Deno.test("a slot that has come while its node was lost is a gap until the node was back", async () => {
  await using cluster = new SimulatedCluster(2);
  const [one, two] = cluster.nodes as [SimulatedNode, SimulatedNode];
  const { notifications, told } = await watch(cluster);
  await using _ = notifications;
  // Nobody answers until the node is back, and then the slot is its own.
  const hold = Promise.withResolvers<void>();
  one.told = "ERR not now";
  two.told = "ERR not now";
  two.hold = hold.promise;
  two.disconnect();
  await until(
    "it is lost",
    () => notifications.status().nodes.some(({ state }) => state !== "ready"),
  );
  cluster.shards = [
    { slots: [0, 8190], nodes: [one.primary] },
    { slots: [8191, 16_383], nodes: [two.primary] },
  ];
  hold.resolve();
  await until(
    "it is back",
    () => notifications.status().nodes.every(({ state }) => state === "ready"),
  );
  one.told = null;
  two.told = null;
  await until("the slot is its own", () => told().some((one) => one.endsWith(" 8191")));
  assertEquals(new Set(told()), new Set(["disconnected 8192-16383", "disconnected 8191"]));
});

Deno.test("a node that joins or comes back and takes nothing in is no gap but of its own slots", async () => {
  await using cluster = withoutThird();
  const [one, two, three] = cluster.nodes as Three;
  two.line = takingIn(two, [], one, "8192-16383");
  three.line = takingIn(three, [], one);
  const { notifications, told } = await watch(cluster);
  await using _ = notifications;
  join(cluster, three);
  await until("it is watched", () => notifications.status().nodes.length === 3);
  two.disconnect();
  await until("the gap is told", () => told().length > 0);
  const { asked } = three;
  await until("many answers came", () => three.asked > asked + 3);
  assertEquals(told(), ["disconnected 8192-16383"]);
});

Deno.test("what is not wanted any more is let go by a node that is just asked what comes to it", async () => {
  await using cluster = new SimulatedCluster(2);
  const [, two] = cluster.nodes as [SimulatedNode, SimulatedNode];
  const { notifications } = await watch(cluster);
  await using _ = notifications;
  await notifications.subscribeKeyevent("del");
  const hold = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  two.onAsked = (name) => {
    if (name !== "CLUSTER NODES") return;
    two.hold = hold.promise;
    asked.resolve();
  };
  two.disconnect();
  await asked.promise;
  await notifications.unsubscribe(new KeyeventChannel("del"));
  hold.resolve();
  await until("it has let go", () => notifications.status().state === "ready");
});
