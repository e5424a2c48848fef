import { assertEquals } from "@std/assert";
import { ClusterKeyspaceNotifications, connect, type Gap, hashSlot } from "../../mod.ts";
import { until } from "../servers/mod.ts";
import { SimulatedCluster, type SimulatedNode, type Told } from "./simulated.ts";

const PATTERN = "__keyspace@0__:*";
const KEY = "b";

/** As many answers as would make it leave a node that none of them knows as a primary. */
const MANY = 6;

Deno.test("an answer that names both as primaries after a failover changes nothing", async () => {
  await using cluster = new SimulatedCluster(3);
  const [old, other, heir] = cluster.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
  const asReplica = ({ primary }: SimulatedNode): Told => ({ ...primary, role: "replica" });
  const [first, second] = [[0, 8191], [8192, 16_383]] as const;
  const rest = { slots: second, nodes: [other.primary] };
  cluster.shards = [{ slots: first, nodes: [old.primary, asReplica(heir)] }, rest];
  const gaps: Gap[] = [];
  const keys: string[] = [];
  await using notifications = await connect(cluster.urls, {
    refreshInterval: 20,
    onGap: (gap) => gaps.push(gap),
  });
  if (!(notifications instanceof ClusterKeyspaceNotifications)) throw new Error("It is a cluster");
  await notifications.subscribeKeyspace("*", { handler: ({ key }) => void keys.push(key) });
  const watched = () => notifications.status().nodes.map(({ id }) => id!).sort();
  const asked = () => cluster.nodes.reduce((sum, { asked }) => sum + asked, 0);
  const ready = () => notifications.status().state === "ready";
  const answers = async () => {
    const before = asked();
    await until("many answers came", () => asked() > before + MANY);
  };
  const bothNamed = [{ slots: [], nodes: [old.primary, heir.primary] }, rest];

  // Before the failover is known to anybody: the one that owned the slots goes on.
  cluster.shards = bothNamed;
  await answers();
  assertEquals([watched(), ready()], [[old.id, other.id].sort(), true]);

  cluster.shards = [{ slots: first, nodes: [asReplica(old), heir.primary] }, rest];
  await until("the heir is watched", () => watched().includes(heir.id) && ready());
  await until("the old one is left", () => !watched().includes(old.id));
  const told = gaps.length;

  cluster.shards = bothNamed;
  await answers();
  assertEquals([watched(), ready()], [[other.id, heir.id].sort(), true]);
  assertEquals(notifications.topology.ownerOf(hashSlot(KEY)), null);
  await heir.publish(PATTERN, `__keyspace@0__:${KEY}`, "set");
  await until("its events come", () => keys.includes(KEY));
  assertEquals([gaps.length, keys], [told, [KEY]]);
  assertEquals(notifications.status().slots!.uncovered, []);
});
