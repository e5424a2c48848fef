import { assertEquals } from "@std/assert";
import { difference, formatSlots, parseShards, parseSlots } from "../../cluster/mod.ts";
import { matrix, startCluster, type TestServer, until } from "../servers/mod.ts";

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
    // By a node that takes the slot in, so that its claim is newer than all others.
    await added.command("CLUSTER", "SETSLOT", 5, "IMPORTING", await cluster.idOf(first));
    for (const server of [added, first]) await server.command("CLUSTER", "SETSLOT", 5, "NODE", id);
    let after = await view(second);
    await until("the second has heard of the move", async () => {
      after = await view(second);
      return [after.shards, after.slots].every((seen) => seen.ownerOf(5)?.id === id);
    });
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
