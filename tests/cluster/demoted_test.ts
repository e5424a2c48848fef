import { assertEquals } from "@std/assert";
import { ClusterKeyspaceNotifications, connect } from "../../mod.ts";
import { sleep, until } from "../servers/mod.ts";
import { SimulatedCluster, type SimulatedNode } from "./simulated.ts";

Deno.test("who took over is listened to once the old primary has said that it is a replica", async () => {
  await using cluster = new SimulatedCluster(3);
  const [old, other, heir] = cluster.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
  const asReplica = ({ primary }: SimulatedNode) => ({ ...primary, role: "replica" as const });
  const rest = { slots: [8192, 16_383], nodes: [other.primary] };
  cluster.shards = [{ slots: [0, 8191], nodes: [old.primary, asReplica(heir)] }, rest];
  old.line = `${old.id} 127.0.0.1:${old.port}@1 myself,slave ${heir.id} 0 0 1 connected\n`;
  await using notifications = await connect(cluster.urls, { refreshInterval: 20 });
  if (!(notifications instanceof ClusterKeyspaceNotifications)) throw new Error("It is a cluster");
  await notifications.subscribeKeyspace("*");
  const owner = () => notifications.topology.ownerOf(0)?.id;

  const said = Promise.withResolvers<void>();
  old.hold = said.promise;
  cluster.shards = [{ slots: [0, 8191], nodes: [heir.primary, asReplica(old)] }, rest];
  await until("the failover is known", () => owner() === heir.id);
  await sleep(50);
  const before = heir.connections;
  said.resolve();
  await until("the heir is listened to", () => heir.connections > 0);
  await until("all is covered", () => notifications.status().state === "ready");
  assertEquals(before, 0);
});
