import { assert, assertEquals } from "@std/assert";
import { formatSlots, hashSlot } from "../../cluster/discovery/mod.ts";
import { ClusterKeyspaceNotifications, type ClusterOptions, connect, type Gap } from "../../mod.ts";
import { Proxy } from "../ledger/proxy.ts";
import { startCluster, type TestCluster, type TestServer, until } from "../servers/mod.ts";
import type { Scene } from "./scene.ts";

// A cluster goes on while one node is being added or taken away.
const CONFIG = {
  "notify-keyspace-events": "KEA",
  "cluster-require-full-coverage": "no",
  "cluster-allow-replica-migration": "no",
};

async function watch(cluster: TestCluster, options: ClusterOptions = {}) {
  const gaps: Gap[] = [];
  const keys = new Map<string, string[]>();
  const notifications = await connect(cluster.urls, {
    refreshInterval: 200,
    onGap: (gap) => gaps.push(gap),
    onWarning() {},
    ...options,
  });
  assert(notifications instanceof ClusterKeyspaceNotifications);
  await notifications.subscribeKeyspace("*", {
    handler: ({ key, node }) => keys.set(key, [...keys.get(key) ?? [], node!]),
  });
  const ready = () => until("it is ready", () => notifications.status().state === "ready", 60_000);
  /** Writes a key at its owner, and waits until it has come; again where a gap is reported meanwhile. */
  const set = async (key: string, asked: TestServer = cluster.servers[0]!) => {
    while (!keys.has(key)) {
      const told = gaps.length;
      await until(`${key} is set`, async () => {
        return await (await cluster.ownerOf(key, asked)).command("SET", key, "x") === "OK";
      });
      await until(`${key} has come`, () => keys.has(key) || gaps.length > told);
    }
  };
  return { notifications, gaps, keys, ready, set };
}

/** Keys of all three primaries. */
const KEYS = ["a", "b", "c", "d", "e", "f"];

/** Each is to hold on every server. */
export const CHANGES: readonly Scene[] = [
  {
    name: "nodes of a cluster are lost, restarted, added and taken away",
    async run(base, step) {
      await using cluster = await startCluster({ ...base, config: CONFIG });

      await step(
        "a node that is unreachable from here only is a gap of its slots, and no failover",
        async () => {
          const cut = cluster.servers[1]!;
          await using proxy = await Proxy.start(() => cut);
          const { notifications, gaps, keys, ready, set } = await watch(cluster, {
            addressMap: (address) =>
              address.port === cut.port ? { ...address, port: proxy.port } : address,
            heartbeat: { interval: 300, timeout: 3_000 },
          });
          await using _ = notifications;
          const key = KEYS.find((key) => hashSlot(key) >= 5461 && hashSlot(key) <= 10922)!;
          const node = `127.0.0.1:${proxy.port}`;
          for (
            const [close, reason] of [["refuse", "disconnected"], [
              "blackHole",
              "unresponsive",
            ]] as const
          ) {
            const from = Date.now();
            await proxy[close]();
            await until("it is missed", () => notifications.status().state === "incomplete");
            assertEquals(formatSlots(notifications.status().slots!.uncovered), "5461-10922");
            await cut.command("SET", `{${key}}${reason}`, "x");
            const wrote = Date.now();
            // The others are asked meanwhile, and name the same owner.
            await notifications.refreshSubscriptions();
            await set(KEYS.find((key) => hashSlot(key) > 10922)!);
            await proxy.restore();
            proxy.cut();
            await ready();
            const gap = gaps.pop()!;
            assertEquals([gap.reason, gap.node, formatSlots(gap.slots!)], [
              reason,
              node,
              "5461-10922",
            ]);
            assert(gap.from <= from && gap.to >= wrote);
            assertEquals([keys.has(`{${key}}${reason}`), gaps], [false, []]);
          }
          await set(key);
          assertEquals(keys.get(key), [node]);
        },
      );

      await step("a slow node holds up neither the others nor the topology", async () => {
        const slow = cluster.servers[1]!;
        await using proxy = await Proxy.start(() => slow);
        const { notifications, gaps, set } = await watch(cluster, {
          addressMap: (address) =>
            address.port === slow.port ? { ...address, port: proxy.port } : address,
        });
        await using _ = notifications;
        proxy.stall();
        for (let i = 0; i < 4; i++) await notifications.refreshSubscriptions();
        await set(KEYS.find((key) => hashSlot(key) > 10922)!);
        const key = KEYS.find((key) => hashSlot(key) >= 5461 && hashSlot(key) <= 10922)!;
        await slow.command("SET", key, "x");
        await proxy.restore();
        await set(key);
        assertEquals(gaps, []);
      });

      await step(
        "a whole cluster that is restarted is watched again, and each node's slots are a gap",
        async () => {
          const { notifications, gaps, keys, ready, set } = await watch(cluster);
          await using _ = notifications;
          for (const server of cluster.servers) await server.kill();
          await until("all is uncovered", () => {
            return formatSlots(notifications.status().slots!.uncovered) === "0-16383";
          });
          for (const server of cluster.servers) await server.restart();
          await cluster.whenHealthy();
          await ready();
          assertEquals(formatSlots(notifications.status().slots!.covered), "0-16383");
          assertEquals(notifications.status().nodes.length, 3);
          assertEquals(gaps.map(({ slots }) => formatSlots(slots!)).toSorted(), [
            "0-5460",
            "10923-16383",
            "5461-10922",
          ]);
          for (const key of KEYS) await set(key);
          for (const key of KEYS) assertEquals(keys.get(key)?.length, 1);
        },
      );

      await step(
        "a node that is emptied and forgotten is left, and its slots go on without a gap",
        async () => {
          const { notifications, gaps, keys, set } = await watch(cluster);
          await using _ = notifications;
          const others = [...cluster.servers];
          const added = await cluster.add();
          const id = await cluster.idOf(added);
          await until("it is watched", () => notifications.status().nodes.length === 4);
          await until("it is covered", () => notifications.status().state === "ready");
          const since = Date.now();
          const slot = hashSlot("moved");
          const owner = await cluster.ownerOf("moved");
          const move = async (from: TestServer, to: TestServer) => {
            await to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", await cluster.idOf(from));
            for (const server of [to, from]) {
              await server.command("CLUSTER", "SETSLOT", slot, "NODE", await cluster.idOf(to));
            }
            await until("the move is known", () => {
              return notifications.topology.ownerOf(slot)?.port === to.port;
            });
          };
          await move(owner, added);
          await until("it serves", async () => await added.command("SET", "moved", 1) === "OK");
          await added.command("DEL", "moved");
          await move(added, owner);
          for (const server of others) await server.command("CLUSTER", "FORGET", id);
          await added.command("CLUSTER", "RESET", "HARD");
          await until(
            "it is left",
            () => !notifications.status().nodes.some((node) => node.id === id),
          );
          assertEquals(notifications.status().state, "ready");
          await until("it serves", async () => await owner.command("SET", "moved", 2) === "OK");
          await until("all has come", () => keys.get("moved")?.length === 3);
          assertEquals(
            keys.get("moved"),
            [added, added, owner].map(({ port }) => `127.0.0.1:${port}`),
          );
          await set("a");
          // Of the time before it was covered nobody can say that nothing came to it yet.
          assertEquals(gaps.filter(({ to }) => to > since), []);
        },
      );
    },
  },
];
