import { assert, assertEquals, assertRejects } from "@std/assert";
import { formatSlots } from "../../cluster/discovery/mod.ts";
import { AuthError, ClusterKeyspaceNotifications, connect, ConnectError } from "../../mod.ts";
import { makeCertificates, startCluster, type TestCluster } from "../servers/mod.ts";
import type { Scene } from "./scene.ts";

const TALKATIVE = { "notify-keyspace-events": "KEA" };
const KEYS = ["a", "b", "c", "d", "e", "f"];

/** What is written on all nodes comes, and comes from where the library says. */
async function receives(
  cluster: TestCluster,
  notifications: ClusterKeyspaceNotifications,
  port: "port" | "tls-port",
): Promise<void> {
  await notifications.subscribeKeyspace("*");
  assertEquals(formatSlots(notifications.status().slots!.covered), "0-16383");
  const nodes: string[] = [];
  for (const key of KEYS) {
    const owner = await cluster.ownerOf(key);
    await owner.command("SET", key, "x");
    nodes.push(`${key} 127.0.0.1:${owner.ports[port]}`);
  }
  const came: string[] = [];
  for (const _ of KEYS) {
    const notification = await notifications.getMessage({ timeout: 10_000 });
    came.push(`${notification?.key} ${notification?.node}`);
  }
  assertEquals(came.toSorted(), nodes.toSorted());
}

/** Each is to hold on every server. */
export const SECURED: readonly Scene[] = [
  {
    name: "a cluster that speaks TLS among its nodes too is watched over TLS",
    async run(base) {
      const tls = await makeCertificates();
      await using cluster = await startCluster({
        ...base,
        tls,
        primaries: 2,
        replicas: 1,
        password: "secret",
        config: {
          ...TALKATIVE,
          masterauth: "secret",
          "tls-cluster": "yes",
          "tls-replication": "yes",
        },
      });
      // A replica as the seed; its answers name the ports for TLS.
      const seed = cluster.servers.at(-1)!.tlsUrl;
      const options = { tls: { ca: tls.ca, ...tls.client } };
      for (const protocol of [2, 3] as const) {
        await using notifications = await connect(seed, {
          ...options,
          protocol,
          password: "secret",
        });
        assert(notifications instanceof ClusterKeyspaceNotifications);
        await receives(cluster, notifications, "tls-port");
      }
      await assertRejects(
        () => connect([seed, cluster.servers[0]!.tlsUrl], options),
        AuthError,
        "it requires a password",
      );
      const strange = await makeCertificates();
      await assertRejects(
        () => connect([seed], { password: "secret", tls: { ca: strange.ca, ...tls.client } }),
        ConnectError,
      );
    },
  },
  {
    name: "a cluster with passwords is watched",
    async run(base, step) {
      const password = "pw";
      await using cluster = await startCluster({ ...base, config: TALKATIVE, password });

      await step(
        "a user needs no more than the right to subscribe and to ask for the shards or slots",
        async () => {
          const may = "+hello +client|setname +subscribe +psubscribe +unsubscribe " +
            "+punsubscribe +ping";
          for (
            const [name, right] of [["ann", "+cluster|shards"], ["bob", "+cluster|slots"], ["cid"]]
          ) {
            const rules = `on >pw resetchannels &__keyspace@0__:* ${may} ${right ?? ""}`.trim();
            for (const server of cluster.servers) {
              await server.command("ACL", "SETUSER", name!, ...rules.split(" "));
            }
          }
          for (const username of ["ann", "bob"]) {
            const notifications = await connect(cluster.urls[0]!, { username, password: "pw" });
            assert(notifications instanceof ClusterKeyspaceNotifications);
            await receives(cluster, notifications, "port");
            for (const { flags } of notifications.status().nodes) assertEquals(flags, "unknown");
            await notifications.close();
          }
          const error = await assertRejects(
            () => connect(cluster.urls, { username: "cid", password: "pw" }),
            AuthError,
            "give the user the right to run it (ACL SETUSER … +cluster|shards or +cluster|slots)",
          );
          for (const { port } of cluster.servers) {
            assert(error.message.includes(`127.0.0.1:${port}`));
          }
          await assertRejects(
            () => connect(cluster.urls, { username: "ann", password: "wrong" }),
            AuthError,
          );
        },
      );

      await step(
        "what one seed node says holds for all nodes; seed nodes that contradict each other are refused",
        async () => {
          const [one, two] = cluster.servers.map(({ port }) => `127.0.0.1:${port}`);
          await using notifications = await connect([`redis://${one}`, `redis://:pw@${two}`]);
          assert(notifications instanceof ClusterKeyspaceNotifications);
          for (
            const [some, other, about] of [
              ["redis://localhost", "rediss://localhost:7001", "are for TLS"],
              ["redis://localhost/2", "redis://localhost:7001/1", "another database"],
              ["redis://:pa@localhost", "redis://:pw@localhost:7001", "another password"],
              ["redis://ann:pw@localhost", "redis://bob:pw@localhost:7001", "another user"],
            ] as const
          ) {
            await assertRejects(() => connect([some, other]), TypeError, about);
          }
        },
      );
    },
  },
];
