import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { formatSlots, hashSlot, includesSlot } from "../../cluster/discovery/mod.ts";
import { ClusterKeyspaceNotifications, connect, type Gap } from "../../mod.ts";
import { until } from "../servers/mod.ts";
import { FakeServer } from "../pubsub/fake_server.ts";
import { SimulatedCluster, type SimulatedNode } from "./simulated.ts";

/** A key of a slot of the second of three nodes. */
const KEY = "b";

Deno.test("a node that is named as a primary, and says that it is a replica, covers nothing", async () => {
  await using cluster = new SimulatedCluster(2);
  const [node] = cluster.nodes;
  node!.role = "slave";
  await using notifications = await connect(cluster.urls, { refreshInterval: 100, timeout: 5_000 });
  assert(notifications instanceof ClusterKeyspaceNotifications);
  const subscribing = Promise.allSettled([notifications.subscribeKeyspace("*")]);
  await until("it is refused", () => {
    return String(notifications.status().nodes[0]?.error).includes("it is a replica now");
  });
  await until("the other one is heard", () => {
    return formatSlots(notifications.status().slots!.uncovered) === "0-8191";
  });
  assertStringIncludes(notifications.health().reason, `127.0.0.1:${node!.port}`);
  node!.role = "master";
  await until("it is heard once it is a primary", () => notifications.health().ok);
  await subscribing;
});

Deno.test("a node that said that it is a replica makes no gap while others still name it as a primary", async () => {
  await using cluster = new SimulatedCluster(3);
  const [old, source, target] = cluster.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
  cluster.shards = [
    { slots: [0, 99], nodes: [old.primary] },
    { slots: [100, 8191], nodes: [source.primary] },
    { slots: [8192, 16_383], nodes: [target.primary] },
  ];
  const gaps: Gap[] = [];
  const events: string[] = [];
  await using notifications = await connect(cluster.urls, {
    refreshInterval: 20,
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyspace("*", { handler: ({ key }) => void events.push(key) });
  // The slot of the key leaves, and nobody has said yet that it has come.
  const slot = hashSlot(KEY);
  source.owned = [100, slot - 1, slot + 1, 8191];
  await until("it is not covered", () => formatSlots(uncovered()) === String(slot));
  old.line = old.lineAs("slave").replace("a".repeat(40), source.id);
  old.role = "slave";
  old.owned = [];
  const isRefused = () =>
    notifications.status().nodes.some(({ id, error }) =>
      id === old.id && String(error).includes("it is a replica now")
    );
  await until("it is left, named again and refused", isRefused);
  target.owned = [slot, slot, 8192, 16_383];
  await target.publish("__keyspace@0__:*", `__keyspace@0__:${KEY}`, "set");
  await until("the event comes", () => events.length > 0);
  const ofSlot = gaps.filter(({ slots }) => includesSlot(slots!, slot));
  assertEquals(ofSlot, []);

  function uncovered() {
    return notifications.status().slots!.uncovered;
  }
});

Deno.test("a seed node that says that it is a single server is left", async () => {
  await using server = new FakeServer(() => undefined);
  await using cluster = new SimulatedCluster(1);
  await using notifications = await connect([server.url, ...cluster.urls]);
  await until("it is left", () => server.connections === 0, 10_000);
  await notifications.subscribeKeyspace("*");
  assertEquals(notifications.status().nodes.length, 1);
});
