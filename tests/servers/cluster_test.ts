import { assert, assertEquals, assertRejects } from "@std/assert";
import { TestCluster, type TestServer, until } from "./mod.ts";

async function role(server: TestServer): Promise<string> {
  return (await server.command("ROLE") as string[])[0]!;
}

Deno.test("a cluster serves every slot, each at its owner", async () => {
  await using cluster = await TestCluster.start({ config: { "notify-keyspace-events": "KEA" } });
  assertEquals(cluster.servers.length, 3);
  const owners = new Set<TestServer>();
  for (const key of ["a", "b", "c", "d", "e", "f"]) {
    const owner = await cluster.ownerOf(key);
    owners.add(owner);
    assertEquals(await owner.command("SET", key, 1), "OK");
    const other = cluster.servers.find((server) => server !== owner)!;
    await assertRejects(() => other.command("SET", key, 1), Error, `${owner.port}`);
  }
  assertEquals(owners.size, 3);
  for (const server of cluster.servers) {
    const reply = await server.command("CONFIG", "GET", "notify-keyspace-events");
    assertEquals(reply, ["notify-keyspace-events", "AKE"]);
  }
});

Deno.test("a replica takes over from a primary that was killed", async () => {
  await using cluster = await TestCluster.start({ replicas: 1 });
  assertEquals(cluster.servers.length, 6);
  const [first, second] = cluster.servers;
  assertEquals(await Promise.all(cluster.servers.map(role)), [
    ...["master", "master", "master"],
    ...["slave", "slave", "slave"],
  ]);
  const slot = "b";
  const owner = await cluster.ownerOf(slot);
  const witness = owner === first ? second! : first!;
  await owner.kill();
  await until("a replica owns the slot", async () => {
    return await role(await cluster.ownerOf(slot, witness)) === "master";
  });
  const living = cluster.servers.filter((server) => server !== owner);
  await cluster.whenHealthy(living);
  const heir = await cluster.ownerOf(slot, witness);
  assertEquals(await heir.command("SET", slot, 1), "OK");

  await owner.restart();
  await until("the old primary follows", async () => await role(owner) === "slave");
  await cluster.whenHealthy();
});

Deno.test("a node can be added, and owns nothing yet", async () => {
  await using cluster = await TestCluster.start({ primaries: 2 });
  const added = await cluster.add();
  assertEquals(cluster.servers.length, 3);
  await cluster.whenHealthy();
  const nodes = await added.command("CLUSTER", "NODES") as string;
  assertEquals(nodes.trimEnd().split("\n").length, 3);
  for (const key of ["a", "b", "c", "d"]) assert(await cluster.ownerOf(key) !== added);
});
