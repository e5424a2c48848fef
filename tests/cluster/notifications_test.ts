import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { formatSlots, hashSlot } from "../../cluster/discovery/mod.ts";
import {
  AuthError,
  ClosedError,
  ClusterKeyspaceNotifications,
  connect,
  ConnectError,
  type Gap,
  KeyspaceNotifications,
  MissingFlagsError,
} from "../../mod.ts";
import { inSteps } from "../steps.ts";
import {
  freePort,
  startCluster,
  startServer,
  type TestCluster,
  type TestServer,
  until,
} from "../servers/mod.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

/** Writes a key at the node that owns it. */
async function set(cluster: TestCluster, key: string): Promise<void> {
  const owner = await cluster.ownerOf(key);
  await owner.command("SET", key, "x");
}

const KEYS = Array.from({ length: 30 }, (_, n) => `key:${n}`);

Deno.test(
  "a cluster is watched",
  inSteps(async (step) => {
    await using cluster = await startCluster({ ...TALKATIVE, replicas: 1 });

    for (const protocol of [2, 3] as const) {
      await step(
        `RESP${protocol}: a cluster's notifications come from every primary, each once`,
        async () => {
          // One seed node is enough, and it may be a replica.
          const notifications = await connect(cluster.urls.at(-1)!, { protocol });
          assert(notifications instanceof ClusterKeyspaceNotifications);
          try {
            await notifications.subscribeKeyspace("key:*");
            const status = notifications.status();
            assertEquals([status.state, status.nodes.length], ["ready", 3]);
            assertEquals(formatSlots(status.slots!.covered), "0-16383");
            for (const key of KEYS) await set(cluster, key);
            const nodes = new Map<string, string>();
            for (const _ of KEYS) {
              const { key, node, slot } = (await notifications.getMessage({ timeout: 10_000 }))!;
              assertEquals(slot, hashSlot(key));
              nodes.set(key, node!);
            }
            assertEquals([...nodes.keys()].toSorted(), KEYS.toSorted());
            for (const [key, node] of nodes) {
              assertEquals(node, `127.0.0.1:${(await cluster.ownerOf(key)).port}`);
            }
            assertEquals(await notifications.getMessage({ timeout: 50 }), null);
            await notifications.unsubscribe();
            for (const server of cluster.servers) {
              assertEquals(await server.command("PUBSUB", "NUMPAT"), 0);
            }
          } finally {
            await notifications.close();
          }
          await assertRejects(() => notifications.subscribeKeyspace("a"), ClosedError);
          assertEquals(notifications.status().state, "closed");
        },
      );
    }

    await step("seed nodes may be dead; when all are, the error says what each said", async () => {
      const dead = `redis://127.0.0.1:${freePort()}`;
      await using notifications = await connect([dead, cluster.urls[1]!]);
      assert(notifications instanceof ClusterKeyspaceNotifications);
      const other = `redis://127.0.0.1:${freePort()}`;
      const error = await assertRejects(() => connect([dead, other]), ConnectError);
      for (const url of [dead, other]) assert(error.message.includes(new URL(url).host));
    });

    await step("one node of a cluster can be watched alone", async () => {
      await assertRejects(
        () => KeyspaceNotifications.connect(cluster.urls[0]!),
        ConnectError,
        "use connect",
      );
      await using alone = await connect(cluster.urls[0]!, { singleNode: true });
      assert(alone instanceof KeyspaceNotifications);
    });

    await step(
      "a user who may not ask for the topology is reported which right is missing",
      async () => {
        const rules = ["on", ">pw", "~*", "&*", "+@all", "-cluster"];
        for (const server of cluster.servers) {
          await server.command("ACL", "SETUSER", "bo", ...rules);
        }
        await assertRejects(
          () => connect(cluster.urls[0]!, { username: "bo", password: "pw" }),
          AuthError,
          "+cluster|shards",
        );
      },
    );

    await step("nodes behind other addresses are connected to where the map says", async () => {
      const dialled: string[] = [];
      await using notifications = await connect(cluster.urls[0]!, {
        addressMap: ({ hostname, port }) => {
          dialled.push(`${hostname}:${port}`);
          return { hostname: "localhost", port };
        },
      });
      await notifications.subscribeKeyspace("*");
      assertEquals(
        notifications.status().nodes.map(({ node }) => node).toSorted(),
        cluster.servers.slice(0, 3).map(({ port }) => `localhost:${port}`).toSorted(),
      );
      assertEquals(new Set(dialled).size, 3);
    });

    await step(
      "a node that the map fails for is missing, says why, and keeps no other away",
      async () => {
        const [first, second, third] = cluster.servers.map(({ port }) => port);
        await using notifications = await connect(cluster.urls[0]!, {
          timeout: 500,
          addressMap: (address) => {
            if (address.port === second) throw new Error("not in my table");
            return address.port === third ? undefined as unknown as typeof address : address;
          },
        });
        await assertRejects(() => notifications.subscribeKeyspace("*"));
        const { nodes, slots } = notifications.status();
        assertEquals(nodes.filter(({ state }) => state === "ready").length, 1);
        assertEquals(nodes.filter(({ node }) => node === `127.0.0.1:${first}`).length, 1);
        const errors = nodes.flatMap(({ error }) => error ?? []).toSorted();
        assertEquals(errors.length, 2);
        for (const error of errors) {
          assertStringIncludes(error, "what the option addressMap makes of");
        }
        assert(errors.some((error) => error.includes("it is not { hostname, port }")));
        assert(errors.some((error) => error.includes("not in my table")));
        assertEquals(slots!.covered.length, 1);
      },
    );

    await step(
      "a primary that is killed is a gap of its slots alone, until its replica has taken over",
      async () => {
        const gaps: Gap[] = [];
        await using notifications = await connect(cluster.urls[0]!, {
          refreshInterval: 200,
          onGap: (gap) => gaps.push(gap),
          onWarning() {},
        });
        await notifications.subscribeKeyspace("key:*");
        const killed = cluster.servers[1]!;
        await killed.kill();
        const lost = Date.now();
        await until("it is uncovered", () => notifications.status().state === "incomplete");
        assertEquals(formatSlots(notifications.status().slots!.uncovered), "5461-10922");
        const [part, ...others] = notifications.status().slots!.parts.filter(({ covered }) =>
          !covered
        );
        assertEquals([part!.node, part!.first, others], [`127.0.0.1:${killed.port}`, 5461, []]);
        assert(part!.since! <= Date.now());
        assertEquals(notifications.health().ok, false);
        await until(
          "its replica has taken over",
          () => notifications.status().state === "ready",
          60_000,
        );
        assertEquals(gaps.map(({ reason, slots }) => [reason, formatSlots(slots!)]), [
          ["failover", "5461-10922"],
        ]);
        assert(gaps[0]!.from <= lost && gaps[0]!.to <= Date.now());
        assertEquals(notifications.status().nodes.length, 3);
        const replica = cluster.servers[4]!;
        const key = KEYS.find((key) => hashSlot(key) >= 5461 && hashSlot(key) <= 10922)!;
        await replica.command("SET", key, "x");
        assertEquals((await notifications.getMessage({ timeout: 10_000 }))?.key, key);
      },
    );
  }),
);

Deno.test("a list with a server that is not a cluster node is refused", async () => {
  await using server = await startServer(TALKATIVE);
  const dead = `redis://127.0.0.1:${freePort()}`;
  await assertRejects(() => connect([dead, server.url]), ConnectError, "it is a standalone server");
  await assertRejects(() => connect([]), TypeError, "no seed node is given");
});

Deno.test(
  "nodes join a cluster",
  inSteps(async (step) => {
    await using cluster = await startCluster(TALKATIVE);

    await step(
      "a node that joins and gets slots is watched, and the move is not a gap where both cover",
      async () => {
        const gaps: Gap[] = [];
        await using notifications = await connect(cluster.urls[0]!, {
          refreshInterval: 100,
          onGap: (gap) => gaps.push(gap),
        });
        await notifications.subscribeKeyspace("*");
        const added = await cluster.add();
        await until("it is watched", () => notifications.status().nodes.length === 4);
        await until("it is covered", () => notifications.status().state === "ready");
        const since = Date.now();
        const id = await cluster.idOf(added);
        // Otherwise the owner before, which still claims the slot meanwhile, would take it back.
        await added.command("CLUSTER", "BUMPEPOCH");
        for (const server of [added, ...cluster.servers.slice(0, 3)]) {
          await server.command("CLUSTER", "SETSLOT", hashSlot("moved"), "NODE", id);
        }
        await until("the move is known", () => {
          const node = notifications.status().nodes.find((node) => node.id === id);
          return formatSlots(node!.slots!) === `${hashSlot("moved")}`;
        });
        await until(
          "it serves its slot",
          async () => await added.command("SET", "moved", "x") === "OK",
        );
        const notification = await notifications.getMessage({ timeout: 10_000 });
        assertEquals([notification?.key, notification?.node], ["moved", `127.0.0.1:${added.port}`]);
        // Of the time before it was covered nobody can say that nothing came to it yet.
        assertEquals(gaps.filter(({ to }) => to > since), []);
        assertEquals(notifications.status().state, "ready");
      },
    );

    await step(
      "flags are looked at, and set where that is asked for, on every node that is watched",
      async () => {
        const [talkative, ...silent] = cluster.servers as [TestServer, ...TestServer[]];
        const flagsOf = async (server: TestServer) =>
          (await server.command("CONFIG", "GET", "notify-keyspace-events") as string[])[1];
        for (const one of silent) await one.command("CONFIG", "SET", "notify-keyspace-events", "");
        await using notifications = await connect(cluster.urls[0]!);
        const error = await assertRejects(
          () => notifications.subscribeKeyspace("*"),
          MissingFlagsError,
        );
        const nodes = silent.map(({ port }) => `127.0.0.1:${port}`);
        for (const node of nodes) assertStringIncludes(error.message, `from ${node}: `);
        assert(error.cause instanceof AggregateError);
        assertEquals(error.cause.errors.map(({ server }) => server).toSorted(), nodes.toSorted());
        assert(nodes.includes(error.server));
        assertEquals(notifications.subscribed, false);

        await using merged = await connect(cluster.urls[0]!, {
          flags: "merge",
          refreshInterval: 1_000_000,
        });
        assert(merged instanceof ClusterKeyspaceNotifications);
        await merged.subscribeKeyspace("*");
        for (const one of silent) assertEquals(await flagsOf(one), "AK");
        assertEquals(await flagsOf(talkative), "AKE");
        const joining = await cluster.add();
        await joining.command("CONFIG", "SET", "notify-keyspace-events", "");
        await merged.refreshSubscriptions();
        await until("it is reported to tell, too", async () => await flagsOf(joining) === "AK");
      },
    );
  }),
);
