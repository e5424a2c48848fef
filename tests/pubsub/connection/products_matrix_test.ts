import { assertEquals } from "@std/assert";
import { open } from "../../../pubsub/connection/mod.ts";
import { matrix, startCluster, startServer } from "../../servers/mod.ts";

for (const binary of await matrix()) {
  const { product, version } = binary;
  for (const protocol of [2, 3] as const) {
    Deno.test(`${product} ${version}, RESP${protocol}: reports its software, version, mode and role`, async () => {
      const options = { protocol };
      await using server = await startServer({ binary });
      await using cluster = await startCluster({ binary });
      await using alone = await open(server.url, options);
      await using node = await open(cluster.urls[0]!, options);
      const role = "primary";
      const facts = ({ info }: typeof alone) => [info.software, info.version, info.mode, info.role];
      assertEquals(facts(alone), [product, version, "standalone", role]);
      assertEquals(facts(node), [product, version, "cluster", role]);
    });
  }
}
