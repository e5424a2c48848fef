import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  ClusterKeyspaceNotifications,
  type ClusterOptions,
  connect,
  formatSlots,
  type Gap,
  type KeyNotification,
  type Status,
} from "../../mod.ts";
import { startCluster, type TestCluster, type TestServer, until } from "../servers/mod.ts";
import type { Scene } from "./scene.ts";

const TALKATIVE = { "notify-keyspace-events": "KEA" };

/** Watches the replicas of a cluster, and keeps what comes. */
async function watch(cluster: TestCluster, options: ClusterOptions = {}) {
  const gaps: Gap[] = [];
  const warnings: string[] = [];
  const came: KeyNotification[] = [];
  const states: Status["state"][] = [];
  const notifications = await connect(cluster.urls[0]!, {
    replicas: true,
    refreshInterval: 200,
    onGap: (gap) => gaps.push(gap),
    onWarning: (warning) => warnings.push(warning),
    onStatus: ({ state }) => states.push(state),
    ...options,
  });
  assert(notifications instanceof ClusterKeyspaceNotifications);
  await notifications.subscribeKeyspace("*", { handler: (one) => came.push(one) });
  const ready = () => until("it is ready", () => notifications.status().state === "ready", 60_000);
  /** The server that is watched in place of the only primary. */
  const watched = () => {
    const { node } = notifications.status().nodes[0]!;
    return cluster.servers.find(({ host, port }) => `${host}:${port}` === node)!;
  };
  const set = async (key: string, primary: TestServer) => {
    await until(`${key} is set`, async () => await primary.command("SET", key, "x") === "OK");
    await until(`${key} has come`, () => came.some((one) => one.key === key));
  };
  return { notifications, gaps, warnings, came, states, ready, watched, set };
}

/** Each is to hold on every server. */
export const REPLICAS: readonly Scene[] = [
  {
    name: "replicas of a cluster are watched, and take over",
    async run(base, step) {
      await using cluster = await startCluster({ ...base, config: TALKATIVE, replicas: 1 });

      for (const protocol of [2, 3] as const) {
        const name = `RESP${protocol}: replicas are watched in place of primaries, one a shard`;
        await step(name, async () => {
          const { notifications, came, warnings, gaps } = await watch(cluster, { protocol });
          await using _ = notifications;
          const replicas = cluster.servers.slice(3);
          const { nodes, slots } = notifications.status();
          assertEquals(
            nodes.map(({ id, role, node }) => [id, role, node]).toSorted(),
            await Promise.all(
              replicas.map(async (
                one,
              ) => [await cluster.idOf(one), "replica", `127.0.0.1:${one.port}`]),
            ).then((all) => all.toSorted()),
          );
          assertEquals(formatSlots(slots!.covered), "0-16383");
          for (const primary of cluster.servers.slice(0, 3)) {
            assertEquals(await primary.command("PUBSUB", "NUMPAT"), 0);
          }
          const keys = ["a", "b", "c", "d", "e", "f"];
          for (const key of keys) {
            await (await cluster.ownerOf(key)).command("SET", key, 1, "PX", 1);
          }
          // What expires on the primary is deleted on a replica.
          for (const key of keys) {
            await until(`${key} is gone`, async () => {
              return await (await cluster.ownerOf(key)).command("EXISTS", key) === 0;
            });
          }
          await until("all have come", () => came.length >= keys.length * 3);
          assertEquals(
            came.map(({ key, eventType }) => `${key} ${eventType}`).toSorted(),
            keys.flatMap((key) => [`${key} del`, `${key} expire`, `${key} set`]).toSorted(),
          );
          for (const { node } of came) {
            assert(replicas.some(({ port }) => node === `127.0.0.1:${port}`), node!);
          }
          assertEquals([gaps, warnings], [[], []]);
          await notifications.subscribeKeyevent("expired");
          assertEquals(warnings.length, 1);
          assertStringIncludes(warnings[0]!, 'from a replica, which sends "del" instead');
        });
      }

      await step(
        "a replica that takes over from a living primary is watched in its place",
        async () => {
          const { notifications, gaps, ready, set } = await watch(cluster, { replicas: false });
          await using _ = notifications;
          const heir = cluster.servers[3]!;
          await cluster.failOver(heir);
          const id = await cluster.idOf(heir);
          await until(
            "it is watched",
            () => notifications.status().nodes.some((node) => node.id === id),
          );
          await until("the old one is left", () => notifications.status().nodes.length === 3);
          await ready();
          for (const { slots } of gaps) assertEquals(formatSlots(slots!), "0-5460");
          for (const key of ["a", "b", "c", "d", "e", "f"]) {
            await set(key, await cluster.ownerOf(key, heir));
          }
        },
      );
    },
  },
  {
    name: "of two replicas one is watched, and the other takes its place",
    async run(base, step) {
      // A cluster of one primary and two replicas of it.
      const replicated = { config: TALKATIVE, primaries: 1, replicas: 2 };
      await using cluster = await startCluster({ ...base, ...replicated });

      await step(
        "a failover is no gap on a replica that goes on, and one that is promoted is left",
        async () => {
          const { notifications, gaps, came, ready, watched, set } = await watch(cluster);
          await using _ = notifications;
          const staying = watched();
          const promoted = cluster.servers.slice(1).find((one) => one !== staying)!;
          await cluster.failOver(promoted);
          const id = await cluster.idOf(promoted);
          await until("the failover is known", () => {
            return notifications.topology.primaries.some((node) => node.id === id);
          });
          await set("after the first", promoted);
          await ready();
          assertEquals([watched(), gaps], [staying, []]);

          await cluster.failOver(staying);
          await until("the promoted one is left", () => watched() !== staying);
          await ready();
          assertEquals(gaps.map(({ reason, slots }) => [reason, formatSlots(slots!)]), [
            ["topology", "0-16383"],
          ]);
          await set("after the second", staying);
          for (const key of ["after the first", "after the second"]) {
            assertEquals(came.filter((one) => one.key === key).length, 1);
          }
        },
      );

      await step(
        "when a replica is lost another one is watched, and when all are, its shard is uncovered",
        async () => {
          await cluster.whenHealthy();
          const { notifications, gaps, states, ready, watched, set } = await watch(cluster);
          await using _ = notifications;
          const primary = await cluster.ownerOf("any");
          await set("before", primary);
          const lost = watched();
          states.splice(0);
          await lost.kill();
          // Not for long: another one follows.
          await until("it is missed", () => states.includes("incomplete"));
          await ready();
          const other = watched();
          assert(other !== lost && other !== primary);
          assertEquals(gaps.map(({ reason, slots }) => [reason, formatSlots(slots!)]), [
            ["disconnected", "0-16383"],
          ]);
          assertEquals(gaps[0]!.node, `127.0.0.1:${other.port}`);
          await set("on the other", primary);

          await other.kill();
          await until("it is missed", () => notifications.status().state === "incomplete");
          assertEquals(formatSlots(notifications.status().slots!.uncovered), "0-16383");
          await other.restart();
          await ready();
          assertEquals(watched(), other);
          assertEquals(gaps.length, 2);
          await set("at last", primary);
        },
      );
    },
  },
  {
    name: "what a replica copies anew is a gap, what it reads on with is none",
    async run(base) {
      await using cluster = await startCluster({
        ...base,
        config: { ...TALKATIVE, "repl-backlog-size": "16kb", "cluster-node-timeout": 15_000 },
        primaries: 1,
        replicas: 1,
      });
      const { notifications, gaps, came, ready, watched, set } = await watch(cluster, {
        heartbeat: { interval: 200 },
      });
      await using _ = notifications;
      const [primary, replica] = cluster.servers as [TestServer, TestServer];
      await primary.command("CLIENT", "KILL", "TYPE", "replica");
      await set("goes on", primary);
      assertEquals(gaps, []);

      await replica.pause();
      await primary.command("CLIENT", "KILL", "TYPE", "replica");
      const keys = Array.from({ length: 20 }, (_, n) => `lost:${n}`);
      const times = new Map<string, number>();
      for (const key of keys) {
        times.set(key, Date.now());
        await primary.command("SET", key, "x".repeat(10_000));
      }
      await replica.resume();
      await until("the replica has copied", async () => {
        const info = await replica.command("INFO", "replication") as string;
        return info.includes("master_link_status:up") && await replica.command("DBSIZE") === 21;
      });
      await until("it is a gap", () => gaps.length > 0);
      await ready();
      await set("afterwards", primary);
      assertEquals(watched(), replica);
      const arrived = new Set(came.map(({ key }) => key));
      assert(keys.some((key) => !arrived.has(key)), "the replica told of everything");
      for (const [key, at] of times) {
        assert(arrived.has(key) || gaps.some(({ from, to }) => from <= at && at <= to), key);
      }
    },
  },
];
