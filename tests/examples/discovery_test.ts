import { assertEquals, assertRejects } from "@std/assert";
import { formatSlots, type Topology, TopologyError } from "@keywatch/keywatch/discovery";
import { askNode, discover } from "../../examples/discover_node_redis.ts";
import { discover as discoverBySocket } from "../../examples/discover_sockets.ts";
import { startCluster, startServer, type TestServer } from "../servers/mod.ts";

/** Each owner's port and slots. */
function owners(topology: Topology): string[] {
  return topology.primaries.map(({ id, host, port }) =>
    `${host}:${port} ${formatSlots(topology.slotsOf(id))}`
  );
}

function expected([first, second, third]: readonly TestServer[]): string[] {
  return [
    `127.0.0.1:${first!.port} 0-5460`,
    `127.0.0.1:${second!.port} 5461-10922`,
    `127.0.0.1:${third!.port} 10923-16383`,
  ];
}

Deno.test("discover_node_redis learns who owns which slots, in both protocols", async () => {
  await using cluster = await startCluster();
  const [url] = cluster.urls as [string];
  for (const protocol of [3, 2] as const) {
    assertEquals(owners(await askNode(url, protocol)), expected(cluster.servers));
  }
  // A node that is down is left out.
  const down = "redis://127.0.0.1:1";
  assertEquals(owners(await discover([down, ...cluster.urls])), expected(cluster.servers));
  await assertRejects(() => discover([down]), AggregateError, "No node answers");
});

Deno.test("discover_sockets learns who owns which slots", async () => {
  await using cluster = await startCluster();
  const [server] = cluster.servers as [TestServer];
  const topology = await discoverBySocket("127.0.0.1", server.port);
  assertEquals(owners(topology), expected(cluster.servers));
});

Deno.test("a server without cluster mode is said to be none of a cluster", async () => {
  await using server = await startServer();
  for (const ask of [() => askNode(server.url), () => discoverBySocket("127.0.0.1", server.port)]) {
    const error = await assertRejects(ask, TopologyError, "cluster support disabled");
    assertEquals([error.code, error.server], [
      "TOPOLOGY_UNAVAILABLE",
      `127.0.0.1:${server.port}`,
    ]);
  }
});
