import { assert, assertEquals, assertRejects } from "@std/assert";
import { hashSlot } from "../../cluster/discovery/mod.ts";
import { ClusterKeyspaceNotifications, connect, MissingDatabaseError } from "../../mod.ts";
import { matrix, startCluster } from "../servers/mod.ts";

const TALKATIVE = { "notify-keyspace-events": "KEA" };

for (const binary of await matrix()) {
  const hasDatabases = binary.product === "valkey" && Number.parseInt(binary.version) >= 9;

  if (hasDatabases) {
    Deno.test(`${binary.product} ${binary.version}: databases other than 0 of a cluster`, async () => {
      const config = { ...TALKATIVE, "cluster-databases": 4 };
      await using cluster = await startCluster({ binary, config, primaries: 2 });
      const set = async (database: number, key: string) => {
        const owner = await cluster.ownerOf(key);
        await using client = await owner.client();
        await client.command("SELECT", database);
        await client.command("SET", key, "x");
      };
      // The one of the URL, and all of them.
      await using one = await connect(`${cluster.urls[0]}/3`);
      await using all = await connect(cluster.urls);
      assert(one instanceof ClusterKeyspaceNotifications);
      await one.subscribeKeyspace("*");
      await all.subscribeKeyspace("*", { db: "*" });
      for (const key of ["a", "b", "c"]) for (const database of [0, 3]) await set(database, key);
      const take = async (from: typeof all, count: number) => {
        const taken: string[] = [];
        while (taken.length < count) {
          const next = (await from.getMessage({ timeout: 10_000 }))!;
          assertEquals(next.slot, hashSlot(next.key));
          taken.push(`${next.database} ${next.key}`);
        }
        return taken.toSorted();
      };
      assertEquals(await take(all, 6), ["0 a", "0 b", "0 c", "3 a", "3 b", "3 c"]);
      assertEquals(await take(one, 3), ["3 a", "3 b", "3 c"]);
      assertEquals(await one.getMessage({ timeout: 50 }), null);
      await assertRejects(() => one.subscribeKeyspace("*", { db: 4 }), MissingDatabaseError);
      // Which keys are in a slot is informed of the database that is selected, and asked of the first.
      for (const server of cluster.servers) {
        const clients = (await server.command("CLIENT", "LIST") as string).split("\n")
          .filter((line) => line.includes(" name=keywatch "));
        assertEquals(clients.length, 2);
        for (const client of clients) assert(client.includes(" db=0 "), client);
      }
    });
  } else {
    Deno.test(`${binary.product} ${binary.version}: a cluster has no database but 0`, async () => {
      await using cluster = await startCluster({ binary, config: TALKATIVE, primaries: 2 });
      await using one = await connect(`${cluster.urls[0]}/3`);
      assert(one instanceof ClusterKeyspaceNotifications);
      await assertRejects(() => one.subscribeKeyspace("*"), MissingDatabaseError);
      await one.subscribeKeyspace("*", { db: 0 });
    });
  }
}
