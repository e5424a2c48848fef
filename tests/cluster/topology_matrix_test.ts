import { assertEquals } from "@std/assert";
import { difference, formatSlots, parseShards, parseSlots } from "../../cluster/mod.ts";
import { matrix, startCluster, type TestServer } from "../servers/mod.ts";

async function view(server: TestServer) {
  const asked = { hostname: server.host, port: server.port };
  return {
    shards: parseShards(await server.command("CLUSTER", "SHARDS"), asked),
    slots: parseSlots(await server.command("CLUSTER", "SLOTS"), asked),
  };
}

for (const binary of await matrix()) {
  Deno.test(`${binary.product} ${binary.version} is understood as it changes`, async () => {
    await using cluster = await startCluster({ binary, primaries: 2, replicas: 1 });
    const [first, second] = cluster.servers as [TestServer, TestServer];
    const before = await view(second);
    assertEquals(formatSlots(before.shards.slotsOf(await cluster.idOf(first))), "0-8191");
    assertEquals(formatSlots(before.slots.slotsOf(await cluster.idOf(first))), "0-8191");
    assertEquals(difference(before.slots, before.shards).isEmpty, true);

    const added = await cluster.add();
    const id = await cluster.idOf(added);
    for (const server of cluster.servers.filter((one) => one !== added).slice(0, 2).reverse()) {
      await server.command("CLUSTER", "SETSLOT", 5, "NODE", id);
    }
    await added.command("CLUSTER", "SETSLOT", 5, "NODE", id);
    const after = await view(second);
    const change = difference(before.shards, after.shards);
    assertEquals(change.added.map(({ node, gained }) => [node.id, formatSlots(gained)]), [
      [id, "5"],
    ]);
    assertEquals(change.moved.map(({ node, lost }) => [node.port, formatSlots(lost)]), [
      [first.port, "5"],
    ]);
    assertEquals([change.removed, change.roles, change.addresses], [[], [], []]);
    assertEquals(difference(after.slots, after.shards).isEmpty, true);
  });
}
