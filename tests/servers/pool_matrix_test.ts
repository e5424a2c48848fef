import { assert, assertEquals } from "@std/assert";
import { TestCluster } from "./cluster.ts";
import { Pool } from "./pool.ts";
import { matrix } from "./versions.ts";
import { until } from "./wait.ts";

for (const binary of await matrix()) {
  const { product, version } = binary;

  Deno.test(`${product} ${version}: a cluster with a migration that was cancelled is not leased again`, async () => {
    await using pool = await Pool.start();
    {
      const options = { primaries: 2, replicas: 0, binary };
      await using cluster = await TestCluster.lease(options, pool.address);
      const [from, to] = cluster.servers;
      const command = product === "redis" ? "MIGRATION" : "MIGRATESLOTS";
      const known = await from!.command("COMMAND", "INFO", `cluster|${command}`) as unknown[];
      if (known[0] === null) return;
      if (product === "redis") {
        await to!.command("CLUSTER", "MIGRATION", "IMPORT", 0, 0);
        await to!.command("CLUSTER", "MIGRATION", "CANCEL", "ALL");
      } else {
        const id = await cluster.idOf(to!);
        await from!.command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", 0, 0, "NODE", id);
        await from!.command("CLUSTER", "CANCELSLOTMIGRATIONS");
      }
      const ranges = await to!.command("CLUSTER", "SLOTS") as [number, number, [string, number]][];
      const first = ranges.find(([first]) => first === 0)!;
      assert(first[2][1] === from!.port, "It was over before it could be cancelled");
    }
    await until("nothing is leased", () => pool.leases === 0);
    assertEquals(pool.counts.discarded, 1);
  });
}
