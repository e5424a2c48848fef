import { assertEquals } from "@std/assert";
import { hashSlot } from "../../cluster/discovery/mod.ts";
import { connect, type Gap, type StreamItem } from "../../mod.ts";
import { until } from "../servers/mod.ts";
import { SimulatedCluster, type SimulatedNode } from "./simulated.ts";

const PATTERN = "__keyspace@0__:*";

Deno.test("an overflow is a gap of each node whose notifications were dropped, with their slots", async () => {
  await using cluster = new SimulatedCluster(2);
  const [one, two] = cluster.nodes as [SimulatedNode, SimulatedNode];
  const told: Gap[] = [];
  await using notifications = await connect(cluster.urls, {
    queue: { items: 4 },
    onGap: (gap) => told.push(gap),
  });
  await notifications.subscribeKeyspace("*");
  const keys = Array.from({ length: 12 }, (_, n) => `key:${n}`);
  const nodeOf = (key: string) => hashSlot(key) < 8192 ? one : two;
  for (const [n, key] of keys.entries()) {
    await nodeOf(key).publish(PATTERN, `__keyspace@0__:${key}`, "set");
    // One at a time, so that the nodes' notifications come in this order.
    await until("it has come", () => {
      return notifications.status().nodes.reduce((sum, { messages }) => sum + messages, 0) > n;
    });
  }
  const gone = keys.slice(0, -4);
  const items: StreamItem[] = [];
  for await (const item of notifications.listen({ gaps: true })) {
    items.push(item);
    if (item.kind !== "gap" && item.key === keys.at(-1)) break;
  }
  const gaps = items.filter((item): item is Gap => item.kind === "gap");
  assertEquals(items.slice(0, gaps.length), gaps);
  assertEquals(told, gaps);
  for (const node of [one, two]) {
    const lost = gone.filter((key) => nodeOf(key) === node);
    const gap = gaps.find((gap) => gap.node === `127.0.0.1:${node.port}`);
    assertEquals([gap?.reason, gap?.dropped], ["overflow", lost.length]);
    assertEquals(
      gap?.slots?.map(({ first }) => first),
      lost.map((key) => hashSlot(key)).sort((a, b) => a - b),
    );
  }
  assertEquals(gaps.length, 2);
});
