import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "npm:fast-check@4.10.2";
import {
  type ClusterNode,
  countSlots,
  dialAddress,
  formatSlots,
  type Topology,
  TopologyError,
} from "../../../cluster/mod.ts";
import { parseShards, parseSlots } from "../../../cluster/discovery/discover_topology.ts";
import { type Reply, RespMap } from "../../../resp/mod.ts";
import { recorded, type RecordedReply } from "../recordings.ts";

const ASKED = { address: { hostname: "asked.example.com", port: 7000 } };

function parse({ command, reply, port }: RecordedReply): Topology {
  const asked = { address: { hostname: "127.0.0.1", port } };
  return command === "CLUSTER SHARDS" ? parseShards(reply, asked) : parseSlots(reply, asked);
}

const VIEWS = [...recorded("CLUSTER SHARDS"), ...recorded("CLUSTER SLOTS")];

function views(state: string): RecordedReply[] {
  const found = VIEWS.filter((one) => one.state === state);
  assert(found.length >= 16, `four servers, two commands, two protocols: ${state}`);
  return found;
}

function label({ server, command, protocol, state }: RecordedReply): string {
  return `${server}, ${command}, RESP${protocol}: ${state}`;
}

/** What both answers tell alike. */
function outline(topology: Topology): string[] {
  return topology.shards.filter(({ slots }) => slots.length > 0).map(({ primary, slots }) => {
    const address = primary && dialAddress(primary);
    return `${formatSlots(slots)} ${primary?.id} ${address?.hostname}:${address?.port}`;
  });
}

Deno.test("both protocols and both commands of every server tell the same topology", () => {
  for (const state of ["healthy", "after a failover", "a host name is announced"]) {
    const byServer = Map.groupBy(views(state), ({ server }) => server);
    for (const recordings of byServer.values()) {
      const outlines = recordings.map((one) => outline(parse(one)));
      for (const one of outlines) assertEquals(one, outlines[0], label(recordings[0]!));
    }
  }
});

Deno.test("a healthy cluster is three shards of a primary and a replica", () => {
  for (const one of views("healthy")) {
    const topology = parse(one);
    assertEquals(topology.primaries.length, 3, label(one));
    // CLUSTER SLOTS leaves out replicas that are still loading.
    const isWhole = one.command === "CLUSTER SHARDS";
    assertEquals(isWhole ? topology.nodes.size : 6, 6);
    assertEquals(formatSlots(topology.covered), "0-16383");
    assertEquals(topology.uncovered, []);
    assertEquals(topology.shards.map(({ slots }) => formatSlots(slots)), [
      "0-5460",
      "5461-10922",
      "10923-16383",
    ]);
    for (const shard of topology.shards) {
      const { primary, slots: [range] } = shard;
      assertEquals(topology.ownerOf(range!.first), primary);
      assertEquals(topology.ownerOf(range!.last), primary);
      assertEquals(topology.slotsOf(primary!.id), [range]);
      const [replica, ...more] = topology.replicasOf(primary!.id);
      assertEquals(more, []);
      if (!isWhole && replica === undefined) continue;
      assertEquals(topology.shardOf(replica!.id), shard);
      assertEquals(topology.slotsOf(replica!.id), []);
      assertEquals(topology.replicasOf(replica!.id), []);
      assertEquals(topology.nodes.get(replica!.id), replica);
    }
  }
});

Deno.test("a node that has joined is a primary without slots", () => {
  for (const one of views("a node has joined")) {
    const topology = parse(one);
    const idle = topology.primaries.filter(({ id }) => topology.slotsOf(id).length === 0);
    // CLUSTER SLOTS names no node that serves no slot.
    assertEquals(idle.length, one.command === "CLUSTER SHARDS" ? 1 : 0, label(one));
    assertEquals(formatSlots(topology.covered), "0-16383");
  }
});

Deno.test("a slot that moves by SETSLOT is its source's in the view of the target", () => {
  for (const one of views("a slot comes by SETSLOT")) {
    const topology = parse(one);
    assertEquals(topology.ownerOf(8_000), topology.ownerOf(8_001), label(one));
    assertEquals(topology.ownerOf(8_000), topology.ownerOf(7_999), label(one));
  }
});

Deno.test("after a failover the new primary counts and the dead one does not", () => {
  for (const one of views("after a failover")) {
    const topology = parse(one);
    const heir = topology.ownerOf(8_000)!;
    const dead = [...topology.nodes.values()].filter(({ health }) => health === "failed");
    assertEquals(heir.role, "primary", label(one));
    assert(heir.health !== "failed");
    assert(!topology.primaries.some(({ health }) => health === "failed"), label(one));
    if (one.command === "CLUSTER SHARDS") {
      assertEquals(dead.map(({ role }) => role), ["primary"], label(one));
      // In Redis 7.0 the dead one has a shard of its own, later both stand in one.
      const isTogether = topology.shardOf(dead[0]!.id) === topology.shardOf(heir.id);
      assertEquals(isTogether, one.server !== "redis-7.0", label(one));
    }
  }
});

Deno.test("slots of a primary that is down and has no replica are lost or are nobody's", () => {
  for (const one of views("a primary is down")) {
    const topology = parse(one);
    const owner = topology.ownerOf(8_000);
    if (one.server.startsWith("redis-8") && one.command === "CLUSTER SHARDS") {
      // Redis 8 takes the slots of a node that counts as failed out of the answer.
      assertEquals(owner, null);
      assertEquals(formatSlots(topology.uncovered), "5461-10922");
      assertEquals(topology.primaries.length, 2);
    } else {
      assertEquals(topology.primaries.length, 3, label(one));
      assertEquals(owner!.health, one.command === "CLUSTER SHARDS" ? "failed" : "unknown");
    }
  }
});

Deno.test("an endpoint that is unknown is the host that was asked", () => {
  for (const one of views("the endpoint is unknown")) {
    const parser = one.command === "CLUSTER SHARDS" ? parseShards : parseSlots;
    for (const node of parser(one.reply, ASKED).nodes.values()) {
      assertEquals(node.host, ASKED.address.hostname, label(one));
      assertEquals(node.ip, "127.0.0.1");
      assertEquals(dialAddress(node)?.port, node.port);
    }
    // Through a unix socket there is no host that was asked.
    for (const node of parser(one.reply, { address: { path: "/run/redis.sock" } }).nodes.values()) {
      assertEquals(node.host, "127.0.0.1");
    }
  }
});

Deno.test("a host name that is not announced is the IP address, and one that is is connected to", () => {
  for (const one of views("no host name is announced")) {
    for (const node of parse(one).nodes.values()) assertEquals(node.host, "127.0.0.1");
  }
  for (const one of views("a host name is announced")) {
    const hosts = Array.from(parse(one).nodes.values(), ({ host }) => host).sort();
    assertEquals(hosts, ["127.0.0.1", "two.example.com"], label(one));
  }
  for (const one of views("a host name beside the IP address")) {
    const nodes = [...parse(one).nodes.values()];
    assertEquals(nodes.map(({ host }) => host), ["127.0.0.1", "127.0.0.1"]);
    assertEquals(nodes.map(({ ip }) => ip), ["127.0.0.1", "127.0.0.1"]);
    assertEquals(nodes.map(({ hostname }) => hostname ?? "").sort(), ["", "two.example.com"]);
  }
});

Deno.test("the port for TLS is chosen for TLS", () => {
  for (const one of views("TLS beside TCP").filter(({ command }) => command.endsWith("SHARDS"))) {
    for (const node of parse(one).nodes.values()) {
      assertEquals(dialAddress(node), { hostname: "127.0.0.1", port: node.port! });
      // Redis 7.0 names the one port that the cluster itself speaks through.
      assertEquals(node.tlsPort !== null, one.server !== "redis-7.0", label(one));
      const port = node.tlsPort ?? node.port!;
      assertEquals(dialAddress(node, { tls: true }), { hostname: "127.0.0.1", port });
    }
  }
  const [tlsOnly] = parseShards([shard([0, 5], node({ port: undefined, "tls-port": 7 }))], ASKED)
    .primaries;
  assertEquals(dialAddress(tlsOnly!), null);
  assertEquals(dialAddress(tlsOnly!, { tls: true })?.port, 7);
  const reply = [[0, 5, ["h", 7, "a"]]];
  const [overTls] = parseSlots(reply, { ...ASKED, tls: true }).primaries;
  assertEquals([overTls!.port, overTls!.tlsPort], [null, 7]);
});

function node(fields: Record<string, Reply | undefined> = {}): Reply {
  const all = { id: "a", port: 1, ip: "1.1.1.1", endpoint: "one", role: "master", ...fields };
  return Object.entries(all).flatMap(([name, value]) => value === undefined ? [] : [name, value]);
}

function shard(slots: Reply, ...nodes: Reply[]): Reply {
  return ["slots", slots, "nodes", nodes];
}

function only(fields: Record<string, Reply | undefined>): ClusterNode {
  const topology = parseShards([shard([], node(fields))], ASKED);
  return [...topology.nodes.values()][0]!;
}

Deno.test("unknown fields are ignored and missing ones survived", () => {
  assertEquals(only({ "availability-zone": "x", later: new RespMap(["a", [1]]) }), {
    id: "a",
    host: "one",
    port: 1,
    tlsPort: null,
    ip: "1.1.1.1",
    hostname: null,
    role: "primary",
    health: "unknown",
    replicationOffset: null,
  });
  assertEquals(only({ endpoint: undefined }).host, "1.1.1.1");
  assertEquals(only({ endpoint: undefined, ip: undefined, hostname: "h" }).host, "h");
  assertEquals(only({ endpoint: undefined, ip: undefined }).host, null);
  assertEquals(dialAddress(only({ endpoint: undefined, ip: "" })), null);
  assertEquals(dialAddress(only({ port: undefined })), null);
  assertEquals(only({ port: 0 }).port, null);
  for (const endpoint of [null, ""]) assertEquals(only({ endpoint }).host, ASKED.address.hostname);
  assertEquals(only({ endpoint: "?", ip: undefined }).host, ASKED.address.hostname);
  assertEquals(only({ endpoint: "?" }).host, "1.1.1.1");
  for (const role of ["replica", "slave"]) assertEquals(only({ role }).role, "replica");
  for (const health of ["fail", "failed", "fail?"]) assertEquals(only({ health }).health, "failed");
  assertEquals(only({ health: "loading" }).health, "loading");
  assertEquals(only({ "replication-offset": 2n ** 60n }).replicationOffset, 2 ** 60);
  const bytes = new TextEncoder().encode("bytes");
  assertEquals(only({ id: bytes, endpoint: bytes }).host, "bytes");
  assertEquals(parseShards([["nodes", [node()]]], ASKED).uncovered, [{ first: 0, last: 16383 }]);
});

Deno.test("of two primaries in a shard the healthy one counts, then the one further on", () => {
  const chosen = (...nodes: Record<string, Reply>[]) => {
    const listed = nodes.map((fields, i) => node({ id: `n${i}`, ...fields }));
    const { shards } = parseShards([shard([0, 9], ...listed)], ASKED);
    return shards[0]!.primary?.id;
  };
  assertEquals(chosen({ health: "fail", "replication-offset": 9 }, { health: "online" }), "n1");
  assertEquals(chosen({ health: "online" }, { health: "fail", "replication-offset": 9 }), "n0");
  assertEquals(chosen({ health: "loading" }, { health: "online" }), "n1");
  const online = { health: "online" };
  assertEquals(
    chosen({ ...online, "replication-offset": 5 }, { ...online, "replication-offset": 6 }),
    "n1",
  );
  assertEquals(chosen(online, online), "n0");
  assertEquals(chosen({ role: "replica" }, online), "n1");
  assertEquals(chosen({ role: "replica" }), undefined);
  assertEquals(chosen({ health: "fail" }), "n0");
});

Deno.test("primaries of one shard that are equally healthy contend, whichever is further on", () => {
  const contenders = (...nodes: Record<string, Reply>[]) => {
    const listed = nodes.map((fields, i) => node({ id: `n${i}`, ...fields }));
    return [...parseShards([shard([], ...listed)], ASKED).contenders];
  };
  const online = { health: "online" };
  assertEquals(contenders(online, { ...online, "replication-offset": 9 }), ["n0", "n1"]);
  assertEquals(contenders(online, { health: "fail" }), []);
  assertEquals(contenders(online, { ...online, role: "replica" }), []);
  assertEquals(contenders(online, { health: "fail" }, online), ["n0", "n2"]);
  assertEquals(contenders(online), []);
});

Deno.test("a slot that two shards claim is the healthier one's, a node is in one shard", () => {
  const topology = parseShards([
    shard([0, 9], node({ id: "a", health: "fail" })),
    shard([5, 9, 20, 29], node({ id: "b", health: "online" })),
    shard([8, 20], node({ id: "c", health: "online" }), node({ id: "a" })),
  ], ASKED);
  const owners = [0, 4, 5, 8, 9, 10, 20, 29, 30].map((slot) => topology.ownerOf(slot)?.id);
  assertEquals(owners, ["a", "a", "b", "b", "b", "c", "b", "b", undefined]);
  assertEquals(topology.shards.map(({ nodes }) => nodes.map(({ id }) => id)), [["a"], ["b"], [
    "c",
  ]]);
  assertEquals(formatSlots(topology.uncovered), "30-16383");
  assertEquals(countSlots(topology.covered), 30);
  assertEquals(topology.ownerOf(-1), null);
  assertEquals(topology.ownerOf(16_384), null);
});

Deno.test("a primary that several shards name has the slots of all of them", () => {
  const online = { health: "online" };
  const a = node({ id: "a", ...online });
  const [b, c] = ["b", "c"].map((id) => node({ id, role: "replica", ...online }));
  const d = node({ id: "d", ...online });
  const told = (...shards: Reply[]) => {
    const asMaps = shards.map((items) => new RespMap(items as Reply[]));
    const topologies = [parseShards(shards, ASKED), parseShards(asMaps, ASKED)];
    const [one, other] = topologies.map(({ shards, primaries, uncovered }) => [
      shards.map(({ slots, nodes }) => [formatSlots(slots), nodes.map(({ id }) => id).join()]),
      primaries.map(({ id }) => id).join(),
      formatSlots(uncovered),
    ]);
    assertEquals(one, other);
    return one;
  };
  assertEquals(
    told(shard([0, 99], a!, b!), shard([100, 16_383], a!, c!)),
    [[["0-16383", "a,b,c"]], "a", ""],
  );
  // Not one after the other, with another shard in between, and in part the same.
  assertEquals(
    told(shard([0, 99, 200, 299], a!), shard([100, 199], d!), shard([250, 16_383], b!, a!)),
    [[["0-99,200-16383", "a,b"], ["100-199", "d"]], "a,d", ""],
  );
  assertEquals(
    told(shard([], a!), shard([0, 16_383], a!), shard([0, 16_383], a!)),
    [[["0-16383", "a"]], "a", ""],
  );
  // One that another shard names as a replica is the primary of its own.
  const was = node({ id: "a", role: "replica", ...online });
  assertEquals(
    told(shard([0, 99], d!, was!), shard([100, 16_383], a!)),
    [[["0-99", "d"], ["100-16383", "a"]], "d,a", ""],
  );
  const dead = node({ id: "a", health: "fail" });
  assertEquals(
    told(shard([0, 99], dead!, d!), shard([100, 16_383], a!)),
    [[["0-99", "d"], ["100-16383", "a"]], "d,a", ""],
  );
  assertEquals(
    told(shard([0, 99], dead!, d!), shard([100, 16_383], dead!, d!)),
    [[["0-16383", "a,d"]], "d", ""],
  );
});

Deno.test("an answer that is malformed, empty or an error is a TopologyError that says why", () => {
  const shards: [Reply, string][] = [
    [[], "it names no node"],
    [[shard([0, 9])], "it names no node"],
    ["OK", "the reply is not a list"],
    [null, "the reply is not a list"],
    [[[1]], "a shard is not made of fields"],
    [["x"], "a shard is not made of fields"],
    [[["slots", [0, 9]]], "a shard has no list of nodes"],
    [[shard([0, 9], "node")], "a node is not made of fields"],
    [[shard([0, 9], node({ id: undefined }))], "a node has no id"],
    [[shard([0, 9], node({ id: "" }))], "a node has no id"],
    [[shard([0, 9], node({ role: undefined }))], "a node's role is missing"],
    [[shard([0, 9], node({ role: "owner" }))], `a node's role is "owner"`],
    [[shard([0, 9], node({ port: 65536 }))], "a node's port is 65536"],
    [[shard([0, 9], node({ port: -1 }))], "a node's port is -1"],
    [[shard([0, 9], node({ "tls-port": "x" }))], `a node's port is "x"`],
    [[shard([0, 9], node({ port: 2n ** 70n }))], "a node's port is a big number"],
    [
      [shard([0, 9], node({ endpoint: "a\u202eb" }))],
      '"a?b" is neither a host nor the id of a node',
    ],
    [[shard([0, 9], node({ id: "a b" }))], '"a b" is neither a host nor the id of a node'],
    [
      [shard([0, 9], node({ ip: "x".repeat(256) }))],
      `"${"x".repeat(40)}…" is neither a host nor the id of a node`,
    ],
    [[shard([0], node())], "a shard's slots are not pairs"],
    [[shard("0-9", node())], "a shard's slots are not pairs"],
    [[shard([0, 16384], node())], "0 to 16384 is not a range of slots"],
    [[shard([9, 0], node())], "9 to 0 is not a range of slots"],
    [[shard([-1, 0], node())], "-1 to 0 is not a range of slots"],
    [[shard([0, 1.5], node())], "0 to 1.5 is not a range of slots"],
    [[shard([0, null], node())], "0 to null is not a range of slots"],
  ];
  for (const [reply, why] of shards) {
    const error = assertThrows(() => parseShards(reply, ASKED), TopologyError);
    assertEquals(
      error.message,
      `Cannot fetch the topology from asked.example.com:7000 by CLUSTER SHARDS: ${why}; ` +
        "try another node, and check that this one runs Redis or Valkey",
    );
    const { code, server, command } = error;
    assertEquals([code, server, command], [
      "TOPOLOGY_MALFORMED",
      "asked.example.com:7000",
      "CLUSTER SHARDS",
    ]);
  }
  const slots: [Reply, string][] = [
    [[], "it names no node"],
    [[[0, 9]], "it names no node"],
    [[[0, 9, ["127.0.0.1", 1]]], "a node has no id"],
    [[[0, ["127.0.0.1", 1, "a"]]], "0 to an aggregate is not a range of slots"],
    [["x"], "missing to missing is not a range of slots"],
  ];
  for (const [reply, why] of slots) {
    const error = assertThrows(() => parseSlots(reply, ASKED), TopologyError);
    assertEquals(error.message.includes(` by CLUSTER SLOTS: ${why}; `), true, error.message);
  }
});

/** Any reply with one part of it replaced, dropped or doubled. */
function mutate(reply: Reply, path: number[], put: Reply, how: string): Reply {
  const items = reply instanceof RespMap ? reply.items : reply;
  if (!Array.isArray(items) || items.length === 0 || path.length === 0) return put;
  const [step = 0, ...rest] = path;
  const at = step % items.length;
  const inner = rest.length > 0
    ? [mutate(items[at]!, rest, put, how)]
    : how === "drop"
    ? []
    : how === "double"
    ? [items[at]!, items[at]!]
    : [put];
  const changed = [...items.slice(0, at), ...inner, ...items.slice(at + 1)];
  return reply instanceof RespMap ? new RespMap(changed) : changed;
}

Deno.test("any mutation of a recorded answer gives a topology or a TopologyError", () => {
  const junk: Reply[] = [null, "", "?", "x", -1, 2 ** 53, 1.5, NaN, 16_384, true, 2n ** 70n];
  junk.push([], [[]], new RespMap(["id"]), new RespMap([1, 2]), new Uint8Array([255]), 5460);
  let topologies = 0;
  let errors = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...VIEWS),
      fc.array(fc.nat(40), { minLength: 1, maxLength: 7 }),
      fc.constantFrom(...junk),
      fc.constantFrom("put", "drop", "double"),
      (view, path, put, how) => {
        try {
          const topology = parse({ ...view, reply: mutate(view.reply, path, put, how) });
          topologies++;
          for (const { first, last } of topology.covered) {
            for (const slot of [first, last]) assert(topology.ownerOf(slot)?.role === "primary");
          }
          assertEquals(countSlots(topology.covered) + countSlots(topology.uncovered), 16_384);
          assert(topology.nodes.size > 0);
        } catch (error) {
          if (!(error instanceof TopologyError)) throw error;
          errors++;
        }
      },
    ),
    { numRuns: 3_000, seed: 16_384 },
  );
  assert(topologies > 100 && errors > 100, `${topologies} topologies, ${errors} errors`);
});
