import { assertEquals } from "@std/assert";
import { parseShards, parseSlots } from "../../../cluster/discovery/discover_topology.ts";
import { formatSlots, type Topology } from "../../../cluster/mod.ts";
import { matrix, startCluster, type TestServer, until } from "../../servers/mod.ts";

async function view(server: TestServer) {
  const asked = { address: { hostname: server.host, port: server.port } };
  return {
    shards: parseShards(await server.command("CLUSTER", "SHARDS"), asked),
    slots: parseSlots(await server.command("CLUSTER", "SLOTS"), asked),
  };
}

/** The port and the slots of each primary that owns any, by its id. */
function owners(topology: Topology): Record<string, string> {
  return Object.fromEntries(
    topology.primaries.map(({ id, port }) => [id, `${port}: ${formatSlots(topology.slotsOf(id))}`]),
  );
}

for (const binary of await matrix()) {
  Deno.test(`${binary.product} ${binary.version} is understood as it changes`, async () => {
    await using cluster = await startCluster({ binary, primaries: 2, replicas: 1 });
    const [first, second] = cluster.servers as [TestServer, TestServer];
    const before = await view(second);
    assertEquals(formatSlots(before.shards.slotsOf(await cluster.idOf(first))), "0-8191");
    assertEquals(formatSlots(before.slots.slotsOf(await cluster.idOf(first))), "0-8191");
    assertEquals(owners(before.slots), owners(before.shards));

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
    assertEquals(owners(after.shards), {
      ...owners(before.shards),
      [await cluster.idOf(first)]: `${first.port}: 0-4,6-8191`,
      [id]: `${added.port}: 5`,
    });
    assertEquals(owners(after.slots), owners(after.shards));
  });
}
