import { assert, assertEquals } from "@std/assert";
import { ClusterKeyspaceNotifications, connect } from "../../mod.ts";
import { FlushRecord } from "../pubsub/flushes.ts";
import { nodeOf, TALKATIVE } from "../pubsub/pair.ts";
import { startCluster, type TestCluster, type TestServer, until } from "../servers/mod.ts";
import type { Scene } from "./scene.ts";

/** A key that a node owns. */
async function keyOf(cluster: TestCluster, node: TestServer): Promise<string> {
  for (let n = 0;; n++) {
    const key = `k${n}`;
    if (await cluster.ownerOf(key, node) === node) return key;
  }
}

/**
 * Flushes a node between a deletion, which waits until the other nodes have proven that the key has not
 * migrated, and a write, and sees that all of it comes in order.
 */
async function assertInOrder(
  cluster: TestCluster,
  node: TestServer,
  record: FlushRecord,
): Promise<void> {
  const key = await keyOf(cluster, node);
  const commands = [["SET", key, "x"], ["DEL", key], ["FLUSHALL"], ["APPEND", key, "x"]];
  await Promise.all(commands.map((command) => node.command(...command)));
  const what = `node ${node.port} is flushed`;
  const flush = `flush ${nodeOf(node)}`;
  await record.assertCame(what, `set ${key}`, `del ${key}`, flush, `append ${key}`);
}

/** Each is to hold on every server. */
export const CLUSTER_FLUSHES: readonly Scene[] = [
  {
    name: "each node of a cluster reports its flushes behind its events that wait",
    async run(base, step) {
      await using cluster = await startCluster({
        ...base,
        ...TALKATIVE,
        primaries: 3,
        replicas: 1,
      });
      const primaries = cluster.servers.slice(0, 3);
      for (const protocol of [2, 3] as const) {
        const record = new FlushRecord();
        await using notifications = await connect(cluster.urls, { ...record.options, protocol });
        assert(notifications instanceof ClusterKeyspaceNotifications);
        await record.subscribe(notifications);
        await step(`RESP${protocol}`, async () => {
          for (const node of primaries) {
            for (let round = 0; round < 10; round++) await assertInOrder(cluster, node, record);
          }
        });
        await step(`RESP${protocol}, after a lost connection`, async () => {
          const [node] = primaries as [TestServer];
          await node.command("CLIENT", "KILL", "TYPE", "pubsub");
          await until("the gap is reported", () => record.gaps.length === 1);
          await assertInOrder(cluster, node, record);
        });
        if (protocol === 2) continue;
        await step("after a failover", async () => {
          const promoted = cluster.servers[3]!;
          await cluster.failOver(promoted);
          await cluster.whenHealthy();
          await until(
            "the new primary is watched",
            () =>
              notifications.status().nodes.some(({ node, state }) =>
                node === nodeOf(promoted) && state === "ready"
              ) && notifications.status().state === "ready",
          );
          record.looped.length = record.handled.length = 0;
          await assertInOrder(cluster, promoted, record);
        });
        assertEquals(record.warnings, []);
      }
    },
  },
  {
    name: "without the permission there is one warning for all nodes of a cluster",
    async run(base) {
      await using cluster = await startCluster({
        ...base,
        ...TALKATIVE,
        primaries: 2,
        acl: ["bob on >secret ~* &* +@all -client|tracking"],
      });
      const record = new FlushRecord();
      await using notifications = await connect(cluster.urls, {
        ...record.options,
        username: "bob",
        password: "secret",
      });
      await record.subscribe(notifications);
      for (const node of cluster.servers) {
        const key = await keyOf(cluster, node);
        await Promise.all([node.command("FLUSHALL"), node.command("SET", key, "x")]);
        await record.assertCame(`node ${node.port}`, `set ${key}`);
      }
      assertEquals(record.warnings.length, 1);
    },
  },
];
