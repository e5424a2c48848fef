import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startCluster } from "../servers/mod.ts";
import { InProcess } from "./in_process.ts";

Deno.test("watch prints what happens on every node of a cluster, and which was lost", async () => {
  await using cluster = await startCluster({ config: { "notify-keyspace-events": "KEA" } });
  await using tool = InProcess.run(["watch", "--url", cluster.urls[1]!]);
  await tool.noted("watching * on 3 nodes (127.0.0.1:");
  for (const key of ["a", "b", "c", "d"]) {
    await (await cluster.ownerOf(key)).command("SET", key, "x");
    assertMatch((await tool.line())!, new RegExp(`db0 {2}set {11}${key}$`));
  }
  const first = cluster.servers[0]!;
  const { port } = first;
  await first.restart();
  await tool.noted(`gap: notifications may be missing from 127.0.0.1:${port}, 5461 slots (0-5460)`);
  assertStringIncludes(tool.notes, `lost 127.0.0.1:${port}: `);
  tool.interrupt();
  assertEquals((await tool.ended()).code, 0);

  await using other = InProcess.run(["watch", "--url", `${cluster.urls[1]}/1`]);
  const { code, stderr } = await other.ended();
  assertEquals(code, 1);
  assertStringIncludes(stderr, "it has no database 1 (ERR SELECT is not allowed in cluster mode)");
});
