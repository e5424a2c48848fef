import { assert, assertEquals } from "@std/assert";
import { connect, KeyspaceChannel } from "../../mod.ts";
import { inSteps } from "../steps.ts";
import { FEW_KEYS } from "./few_keys.ts";
import { SimulatedCluster } from "./simulated.ts";

for (const { name, run } of FEW_KEYS) Deno.test(name, inSteps((step) => run({}, step)));

Deno.test("ten keys in a cluster of 100 nodes take at most ten connections", async () => {
  await using cluster = new SimulatedCluster(100);
  const asked = new Map<string, number>();
  for (const [index, node] of cluster.nodes.entries()) {
    const [first, last] = cluster.shards[index]!.slots;
    node.line = node.lineAs("master", `${first}-${last}`);
    node.onAsked = (name) => {
      if (name === "SUBSCRIBE") asked.set(node.id, (asked.get(node.id) ?? 0) + 1);
    };
  }
  await using notifications = await connect(cluster.urls.slice(0, 1));
  const keys = Array.from({ length: 10 }, (_, n) => new KeyspaceChannel(`key:${n}`, { db: 0 }));
  await notifications.subscribe(...keys, { handler() {} });
  const { state, nodes, slots } = notifications.status();
  assertEquals(state, "ready");
  assertEquals(nodes.length, asked.size);
  assert(nodes.length <= 10);
  assertEquals([slots!.covered.length, slots!.uncovered], [10, []]);
  assertEquals(cluster.nodes.reduce((sum, { connections }) => sum + connections, 0), nodes.length);
});

Deno.test("a watcher whose user may not list nodes connects to every primary", async () => {
  await using cluster = new SimulatedCluster(3);
  await using notifications = await connect(cluster.urls);
  await notifications.subscribe(new KeyspaceChannel("key", { db: 0 }), { handler() {} });
  assertEquals(notifications.status().nodes.length, 3);
});
