import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SimulatedCluster, type SimulatedNode } from "../cluster/simulated.ts";
import { Peer } from "../pubsub/peer.ts";
import { inSteps } from "../steps.ts";
import { sleep, startCluster, type TestCluster } from "../servers/mod.ts";
import { InProcess } from "./in_process.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

async function doctor(cluster: TestCluster | SimulatedCluster, ...args: string[]) {
  await using tool = InProcess.run(["doctor", "--url", cluster.urls[1]!, ...args]);
  const text = await tool.rest();
  const sections = text.split("\n\n").filter((section) => section.includes("  "));
  const { code, stderr } = await tool.ended();
  assertEquals(stderr, "");
  return { code, text, sections };
}

Deno.test(
  "doctor examines a cluster",
  inSteps(async (step) => {
    await using cluster = await startCluster({ ...TALKATIVE, replicas: 1 });

    await step(
      "doctor looks at the whole cluster, and probes each primary with a key of its own",
      async () => {
        const { code, text, sections } = await doctor(cluster, "--probe");
        assertEquals(code, 0, text);
        assertStringIncludes(sections[0]!, "the cluster\n");
        assertStringIncludes(sections[0]!, "✓ coverage    3 primaries own all 16384 slots");
        assertStringIncludes(sections[0]!, "✓ state       ok");
        assertStringIncludes(sections[0]!, "✓ nodes       all 6 are up");
        for (const [i, { port }] of cluster.servers.entries()) {
          const role = i < 3 ? "primary" : "replica";
          const section = sections.find((one) => one.startsWith(`127.0.0.1:${port}, ${role}\n`))!;
          assertStringIncludes(section, `✓ role        ${role}`);
          assertStringIncludes(section, "✓ flags");
          assertEquals(section.includes("✓ probe       set of keywatch:probe:"), i < 3, section);
        }
        for (const server of cluster.servers) assertEquals(await server.command("DBSIZE"), 0);
      },
    );

    await step("doctor names the rights without which artefacts are delivered", async () => {
      const rules = ["on", ">pw", "~*", "&*", "+@all", "-ssubscribe", "-cluster|nodes"];
      for (const server of cluster.servers) {
        await server.command("ACL", "SETUSER", "bo", ...rules);
      }
      const user = ["--user", "bo", "--password", "pw"];
      const before = await doctor(cluster, ...user);
      assertEquals(before.code, 0, before.text);
      const lacking = before.sections.filter((section) =>
        section.includes("! fences      the user lacks +ssubscribe +cluster|nodes")
      );
      assertEquals(lacking.length, 3, before.text);
      for (const server of cluster.servers) {
        await server.command("ACL", "SETUSER", "bo", "+ssubscribe", "+cluster|nodes");
      }
      const { text } = await doctor(cluster, ...user);
      assertEquals(
        text.split("✓ fences      migration artefacts can be distinguished").length - 1,
        3,
        text,
      );
    });

    await step("doctor finds the node, and the replica, whose flags are wrong", async () => {
      const wrong = [cluster.servers[0]!, cluster.servers[4]!];
      for (const server of wrong) {
        await server.command("CONFIG", "SET", "notify-keyspace-events", "");
      }
      const { code, sections } = await doctor(cluster);
      assertEquals(code, 1);
      const faulty = sections.filter((section) => section.includes("✗"));
      assertEquals(faulty.map((section) => section.split(",")[0]).toSorted(), [
        ...wrong.map(({ port }) => `127.0.0.1:${port}`).toSorted(),
      ]);
      for (const { port } of wrong) {
        const command =
          `$ redis-cli -h 127.0.0.1 -p ${port} CONFIG SET notify-keyspace-events 'AK'`;
        assert(faulty.some((section) => section.includes(command)), faulty.join("\n"));
      }
    });
  }),
);

Deno.test("doctor finds slots without an owner, and nodes that are down", async () => {
  await using cluster = await startCluster(TALKATIVE);
  const owner = cluster.servers[2]!;
  await owner.command("CLUSTER", "DELSLOTSRANGE", 16_000, 16_383);
  await cluster.servers[1]!.command("CLUSTER", "DELSLOTSRANGE", 16_000, 16_383);
  const { code, text } = await doctor(cluster);
  assertEquals(code, 1);
  assertStringIncludes(text, "✗ coverage    384 of 16384 slots have no owner: 16000-16383");
  assertStringIncludes(text, `--cluster fix 127.0.0.1:${cluster.servers[1]!.port}`);
  await owner.kill();
  const { code: second, sections } = await doctor(cluster);
  assertEquals(second, 1);
  const lost = sections.find((section) => section.startsWith(`127.0.0.1:${owner.port}`))!;
  assertStringIncludes(lost, `✗ reached     Cannot connect to 127.0.0.1:${owner.port}`);
  assertStringIncludes(lost, "cluster-announce-ip");
});

Deno.test("doctor gives long advice once, however many nodes want it", async () => {
  await using cluster = new SimulatedCluster(3);
  for (const node of cluster.nodes) node.unknown = ["CONFIG"];
  const { code, text } = await doctor(cluster);
  assertEquals(code, 0, text);
  assertEquals(text.split("aws elasticache").length - 1, 1);
  assertEquals(text.split("fixed as above").length - 1, 2);
});

Deno.test("doctor connects to one address once at a time, however many nodes are said to be there", async () => {
  // Attempts under way: an attempt that the client gives up ends as soon as that is read.
  const underWay = new Set<Deno.Conn>();
  let most = 0;
  await using peer = new Peer(async (connection) => {
    underWay.add(connection);
    const buffer = new Uint8Array(1024);
    try {
      if (await connection.read(buffer) === null) return;
      // An end that came before this attempt has been read after a turn of the event loop.
      await sleep(0);
      most = Math.max(most, underWay.size);
      await Promise.race([connection.read(buffer), sleep(5)]);
    } finally {
      underWay.delete(connection);
    }
  });
  await using cluster = new SimulatedCluster(1);
  const [real] = cluster.nodes as [SimulatedNode];
  const { port } = peer.address;
  cluster.shards = [
    ...Array.from({ length: 8 }, (_, index) => ({
      slots: [index, index],
      nodes: [
        { id: `${index}`.padStart(40, "f"), port, role: "master", health: "online" } as const,
      ],
    })),
    { slots: [8, 16_383], nodes: [real.primary] },
  ];
  await using tool = InProcess.run(["doctor", "--url", real.url, "--password", "secret"]);
  const text = await tool.rest();
  await tool.ended();
  assertEquals(text.split(`127.0.0.1:${port}, primary`).length - 1, 8, text);
  assertEquals(most, 1);
});
