import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ClusterKeyspaceNotifications, connect, formatSlots } from "../../mod.ts";
import { until } from "../servers/mod.ts";
import { FakeServer } from "../pubsub/fake_server.ts";
import { SimulatedCluster } from "./simulated.ts";

Deno.test("a node that is named as a primary, and says that it is a replica, covers nothing", async () => {
  await using cluster = new SimulatedCluster(2);
  const [node] = cluster.nodes;
  node!.role = "slave";
  await using notifications = await connect(cluster.urls, { refreshInterval: 100, timeout: 5_000 });
  assert(notifications instanceof ClusterKeyspaceNotifications);
  await until("it is refused", () => {
    return String(notifications.status().nodes[0]!.error).includes("it is a replica now");
  });
  assertEquals(formatSlots(notifications.status().slots!.uncovered), "0-8191");
  assertStringIncludes(notifications.health().reason, `127.0.0.1:${node!.port}`);
  node!.role = "master";
  await until("it is heard once it is a primary", () => notifications.health().ok);
});

Deno.test("a seed node that says that it is a single server is left", async () => {
  await using server = new FakeServer(() => undefined);
  await using cluster = new SimulatedCluster(1);
  await using notifications = await connect([server.url, ...cluster.urls]);
  await until("it is left", () => server.connections === 0, 10_000);
  assertEquals(notifications.status().nodes.length, 1);
});
