import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { formatSlots } from "../../cluster/discovery/mod.ts";
import { ClosedError, type ClusterOptions, connect, ConnectError, type Gap } from "../../mod.ts";
import { ClusterKeyspaceNotifications } from "../../cluster/mod.ts";
import { refreshDelay } from "../../cluster/topology_source.ts";
import { Proxy } from "../ledger/proxy.ts";
import { sleep, until, within } from "../servers/mod.ts";
import { SimulatedCluster, type SimulatedNode, type ToldShard } from "./simulated.ts";

/** Longer than any test: every refresh has a reason. */
const SELDOM = 1_000_000;

async function watch(cluster: SimulatedCluster, options: ClusterOptions = {}) {
  const gaps: Gap[] = [];
  const warnings: string[] = [];
  const notifications = await connect(cluster.urls, {
    refreshInterval: SELDOM,
    // Many nodes on a busy machine take a while.
    timeout: 30_000,
    onGap: (gap) => gaps.push(gap),
    onWarning: (warning) => warnings.push(warning),
    ...options,
  });
  assert(notifications instanceof ClusterKeyspaceNotifications);
  try {
    await notifications.subscribeKeyspace("*");
  } catch (error) {
    await notifications.close();
    throw error;
  }
  return { notifications, gaps, warnings };
}

function asked(cluster: SimulatedCluster): number {
  return cluster.nodes.reduce((sum, node) => sum + node.asked, 0);
}

/** What the others say, with other words on the shard of one node. */
function withShard({ shards }: SimulatedCluster, at: number, shard: ToldShard): ToldShard[] {
  return shards.map((one, n) => n === at ? shard : one);
}

Deno.test("many primaries are covered with few commands", async () => {
  await using cluster = new SimulatedCluster(200);
  const { notifications, gaps } = await watch(cluster);
  await using _ = notifications;
  const { state, nodes, slots } = notifications.status();
  assertEquals([state, nodes.length, formatSlots(slots!.covered)], ["ready", 200, "0-16383"]);
  // More than once only where a busy machine is slow.
  assert(asked(cluster) <= 5, `${asked(cluster)} topologies were asked for`);
  for (const node of cluster.nodes) assertEquals(node.connections, 1);
  assertEquals(gaps, []);
});

Deno.test("sends CLUSTER SLOTS if a server does not know CLUSTER SHARDS, whatever its error says", async () => {
  for (
    const words of [
      "ERR unknown subcommand 'SHARDS'. Try CLUSTER HELP.",
      "ERR Unknown subcommand or wrong number of arguments for 'SHARDS'. Try CLUSTER HELP.",
      "ERR Wrong CLUSTER subcommand or number of arguments",
      "ERR CLUSTER command, CLUSTER INFO|NODES|SLOTS|KEYSLOT",
    ]
  ) {
    await using cluster = new SimulatedCluster(3);
    for (const node of cluster.nodes) node.older = words;
    const { notifications, gaps } = await watch(cluster);
    await using _ = notifications;
    const { state, nodes, slots } = notifications.status();
    assertEquals([state, nodes.length, formatSlots(slots!.covered)], ["ready", 3, "0-16383"]);
    const [first, second, third] = cluster.shards as [ToldShard, ToldShard, ToldShard];
    cluster.shards = [{ ...first, slots: [0, 99] }, { ...second, slots: [100, 10_922] }, third];
    await notifications.refreshSubscriptions();
    assertEquals(formatSlots(notifications.topology.slotsOf(second.nodes[0]!.id)), "100-10922");
    await until("it is ready", () => notifications.status().state === "ready");
    assertEquals(gaps, []);
  }
});

for (const primaries of [2, 3, 6]) {
  Deno.test(`one of ${primaries} nodes that does not answer holds nobody up`, async () => {
    for (let silent = 0; silent < primaries; silent++) {
      await using cluster = new SimulatedCluster(primaries);
      const { notifications } = await watch(cluster, {
        timeout: 600_000,
        heartbeat: { interval: 600_000, timeout: 600_000 },
      });
      await using _ = notifications;
      const node = cluster.nodes[silent]!;
      node.mute = ["CLUSTER SHARDS"];
      const before = node.asked;
      for (let n = 0; n < 2; n++) {
        await within(notifications.refreshSubscriptions(), 20_000, "the refresh");
      }
      assert(node.asked > before, "it was asked, too");
    }
  });
}

Deno.test("tries other nodes while five do not reply", async () => {
  await using cluster = new SimulatedCluster(8);
  const { notifications } = await watch(cluster, {
    timeout: 600_000,
    heartbeat: { interval: 600_000, timeout: 600_000 },
  });
  await using _ = notifications;
  for (const node of cluster.nodes.slice(0, 5)) node.mute = ["CLUSTER SHARDS"];
  await within(notifications.refreshSubscriptions(), 20_000, "the refresh");
  assertEquals(cluster.nodes.slice(5).map(({ asked }) => asked > 0), [true, true, true]);
});

Deno.test("sends the command to five nodes at a time, each time to others", async () => {
  await using cluster = new SimulatedCluster(12);
  const { notifications } = await watch(cluster);
  await using _ = notifications;
  const before = cluster.nodes.map(({ asked }) => asked);
  const times = () => cluster.nodes.map(({ asked }, n) => asked - before[n]!);
  const total = () => times().reduce((sum, count) => sum + count);
  for (let round = 1; round <= 3; round++) {
    await notifications.refreshSubscriptions();
    await until("five more were asked", () => total() === 5 * round);
  }
  assertEquals(times().toSorted(), [...Array(9).fill(1), ...Array(3).fill(2)]);
});

Deno.test("uses the view that most nodes agree on, whichever replies first", async () => {
  await using cluster = new SimulatedCluster(6);
  const [old, , , , , heir] = cluster.nodes as [
    SimulatedNode,
    SimulatedNode,
    SimulatedNode,
    SimulatedNode,
    SimulatedNode,
    SimulatedNode,
  ];
  const before = cluster.nodes.slice(0, 5).map(({ primary }, n) => ({
    slots: [n * 3_000, n === 4 ? 16_383 : n * 3_000 + 2_999],
    nodes: [primary],
  }));
  cluster.shards = before;
  const after = withShard(cluster, 0, { slots: before[0]!.slots, nodes: [heir.primary] });
  const { notifications } = await watch(cluster);
  await using _ = notifications;
  const owner = () => notifications.topology.ownerOf(0)?.id;
  for (const count of [1, 2]) {
    for (let first = 0; first < 5; first++) {
      cluster.nodes.forEach((node, n) => node.told = (n + first) % 5 < count ? after : null);
      await notifications.refreshSubscriptions();
      assertEquals(owner(), old.id, `${count} of 5 say otherwise`);
    }
  }
  for (const node of cluster.nodes.slice(1, 4)) node.told = after;
  old.told = cluster.nodes[4]!.told = null;
  await notifications.refreshSubscriptions();
  assertEquals(owner(), heir.id);
});

Deno.test("refreshes a large cluster more rarely, by how many entries five replies have", () => {
  assertEquals([1, 200, 400, 1_000].map((nodes) => refreshDelay(10_000, nodes)), [
    10_000,
    10_000,
    20_000,
    50_000,
  ]);
});

for (const when of ["while it is watched", "before it is watched"]) {
  Deno.test(`of a node that is lost ${when} it is asked until another has taken over`, async () => {
    await using cluster = new SimulatedCluster(3);
    const [old, other, heir] = cluster.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
    const rest = { slots: [8192, 16_383], nodes: [other.primary] };
    const replica = { ...heir.primary, role: "replica" } as const;
    cluster.shards = [{ slots: [0, 8191], nodes: [old.primary, replica] }, rest];
    const lose = () => {
      old.mute = ["HELLO"];
      old.disconnect();
    };
    if (when.startsWith("before")) lose();
    const options = { refreshInterval: SELDOM, timeout: 1_000, onWarning() {} };
    await using notifications = await connect([other.url, heir.url], options);
    const subscribing = notifications.subscribeKeyspace("*").catch(() => {});
    if (when.startsWith("while")) {
      await subscribing;
      lose();
      await until("it is missed", () => !notifications.health().ok);
    }
    const before = asked(cluster);
    await until("it is asked again and again", () => asked(cluster) > before + 3);
    cluster.shards = [{
      slots: [0, 8191],
      nodes: [heir.primary, { ...old.primary, health: "failed" }],
    }, rest];
    await until("the heir is watched", () => notifications.status().state === "ready");
    assertEquals(
      notifications.status().nodes.map(({ id }) => id).toSorted(),
      [other.id, heir.id].toSorted(),
    );
    await until("nobody is asked any more", async () => {
      const before = asked(cluster);
      await sleep(300);
      return asked(cluster) === before;
    });
  });
}

Deno.test("a cluster that moved to other addresses is found by its seed nodes", async () => {
  // The nodes of both have the same ids.
  await using before = new SimulatedCluster(3);
  await using after = new SimulatedCluster(3);
  let seed = before.nodes[0]!;
  await using proxy = await Proxy.start(() => ({ host: "127.0.0.1", port: seed.port }));
  const gaps: Gap[] = [];
  const warnings: string[] = [];
  await using notifications = await connect([`redis://127.0.0.1:${proxy.port}`], {
    refreshInterval: SELDOM,
    timeout: 600_000,
    onGap: (gap) => gaps.push(gap),
    onWarning: (warning) => warnings.push(warning),
  });
  await notifications.subscribeKeyspace("*");
  await proxy.refuse();
  // Where they were nobody answers any more.
  for (const node of before.nodes) {
    node.mute = ["HELLO"];
    node.disconnect();
  }
  await until("nobody answers", () => warnings.length > 0);
  assertStringIncludes(warnings[0]!, "could not be refreshed");
  seed = after.nodes[2]!;
  await proxy.restore();
  await until("all is covered", () => notifications.health().ok);
  assertEquals(
    notifications.status().nodes.map(({ node }) => node),
    after.nodes.map(({ port }) => `127.0.0.1:${port}`),
  );
  assertEquals(gaps.map(({ slots }) => formatSlots(slots!)).toSorted(), [
    "0-5460",
    "10923-16383",
    "5461-10922",
  ]);
});

Deno.test("a reply that is an error, is empty or names no owner changes nothing; other nodes are tried", async () => {
  await using cluster = new SimulatedCluster(3);
  const { notifications, gaps, warnings } = await watch(cluster);
  await using _ = notifications;
  const known = JSON.stringify(notifications.topology.shards);
  const alone = (node: SimulatedNode) => [{ slots: [], nodes: [node.primary] }];
  for (const node of cluster.nodes) {
    for (const told of ["ERR no", [], alone(node)]) {
      node.told = told;
      for (const _ of cluster.nodes) await notifications.refreshSubscriptions();
      assertEquals(JSON.stringify(notifications.topology.shards), known);
    }
    node.told = null;
  }
  assertEquals(warnings, []);

  for (const told of ["ERR no", []]) {
    for (const node of cluster.nodes) node.told = told;
    await assertRejects(() => notifications.refreshSubscriptions(), ConnectError);
  }
  for (const node of cluster.nodes) node.told = alone(node);
  const error = await assertRejects(() => notifications.refreshSubscriptions(), ConnectError);
  assertStringIncludes(error.message, "in which no slot has an owner");
  // It goes on trying by itself.
  const before = asked(cluster);
  await until("it is tried again", () => asked(cluster) > before + 6);
  assertEquals(JSON.stringify(notifications.topology.shards), known);
  for (const node of cluster.nodes) node.told = null;
  await notifications.refreshSubscriptions();
  assertEquals(notifications.status().state, "ready");
  assert(warnings.every((warning) => warning.includes("could not be refreshed")));
  assertEquals(gaps, []);
});

Deno.test("refreshes with backoff while nodes disagree, and leaves none that may be right", async () => {
  await using cluster = new SimulatedCluster(5);
  const [one, , three, , heir] = cluster.nodes as [
    SimulatedNode,
    SimulatedNode,
    SimulatedNode,
    SimulatedNode,
    SimulatedNode,
  ];
  // Four shards; of the first, half of the nodes say that the fifth has taken over, which proves nothing.
  const slots = [[0, 5460], [5461, 10922], [10923, 13000], [13001, 16383]];
  heir.told = "ERR no";
  cluster.shards = cluster.nodes.slice(0, 4).map((node, n) => ({
    slots: slots[n]!,
    nodes: [node.primary],
  }));
  const { notifications, gaps } = await watch(cluster);
  await using _ = notifications;
  one.told = cluster.shards;
  three.told = cluster.shards;
  cluster.shards = withShard(cluster, 0, {
    slots: slots[0]!,
    nodes: [heir.primary, { ...one.primary, role: "replica" }],
  });
  for (const _ of cluster.nodes) await notifications.refreshSubscriptions();
  await until("the heir is watched", () => {
    const { nodes } = notifications.status();
    return nodes.length === 5 && nodes.every(({ state }) => state === "ready");
  });
  const bothAt = Date.now();
  const before = asked(cluster);
  // An answer gives no reason to ask again soon.
  for (let round = 0; round < 10; round++) {
    await notifications.refreshSubscriptions();
    await sleep(20);
  }
  assert(asked(cluster) - before < 15 * 5, `${asked(cluster) - before} questions for 10 refreshes`);
  const watched = () => notifications.status().nodes.map(({ id }) => id!);
  assert(watched().includes(one.id) && watched().includes(heir.id));

  one.told = three.told = heir.told = null;
  await until("the old one is left", async () => {
    await notifications.refreshSubscriptions();
    return !watched().includes(one.id);
  });
  assertEquals(watched().toSorted(), cluster.nodes.slice(1).map(({ id }) => id).toSorted());
  assertEquals(notifications.status().state, "ready");
  // From the moment at which both were watched nothing could be missing, whichever node is right. Of what was
  // before it may be reported later, when the heir is next named; on a busy machine it ends later, too.
  assertEquals(gaps.filter(({ from }) => from > bothAt), []);
  for (const gap of gaps) assertEquals(formatSlots(gap.slots!), "0-5460");
});

Deno.test("a subscription resolves when those have confirmed, too, that joined meanwhile", async () => {
  await using cluster = new SimulatedCluster(3);
  const [one, , joining] = cluster.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
  const all = cluster.shards;
  cluster.shards = all.slice(0, 2);
  const { notifications } = await watch(cluster, { flags: "ignore" });
  await using _ = notifications;
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  one.hold = first.promise;
  joining.hold = second.promise;
  let subscribed = false;
  const subscribing = notifications.subscribeKeyspace("a").then(() => subscribed = true);
  cluster.shards = all;
  await notifications.refreshSubscriptions();
  assertEquals(notifications.status().nodes.length, 3);
  first.resolve();
  await until("the first has confirmed", () => {
    return notifications.status().nodes[0]!.subscriptions.includes("__keyspace@0__:a");
  });
  await sleep(20);
  assertEquals(subscribed, false);
  second.resolve();
  await subscribing;
  for (const { subscriptions } of notifications.status().nodes) {
    assert(subscriptions.includes("__keyspace@0__:a"));
  }
});

/** Why nothing can come of a node, what is said of that, and how it passes. */
const SILENCED = [{
  why: "refuses what is subscribed",
  silence: (node: SimulatedNode) => node.refused = ["PSUBSCRIBE"],
  told: '"__keyspace@0__:*" on 127.0.0.1:',
  restore: (node: SimulatedNode) => node.refused = [],
}, {
  why: "has no flags",
  silence: (node: SimulatedNode) => node.flags = "",
  told: '"__keyspace@0__:*" from 127.0.0.1:',
  restore: (node: SimulatedNode) => node.flags = "AKE",
}];

for (const { why, silence, told, restore } of SILENCED) {
  Deno.test(`a node that joins and ${why} covers nothing until that is fixed`, async () => {
    await using cluster = new SimulatedCluster(3);
    const joining = cluster.nodes[2]!;
    const all = cluster.shards;
    const [first, second, third] = all as [ToldShard, ToldShard, ToldShard];
    cluster.shards = [first, { ...second, slots: [second.slots[0]!, third.slots[1]!] }];
    silence(joining);
    const errors: string[] = [];
    const { notifications, gaps } = await watch(cluster, {
      onError: (error) => errors.push((error as Error).message),
    });
    await using _ = notifications;
    cluster.shards = all;
    await notifications.refreshSubscriptions();
    await until("it is reported", () => errors.length > 0);
    assertStringIncludes(errors[0]!, `${told}${joining.port}`);
    const moved = formatSlots([{ first: third.slots[0]!, last: third.slots[1]! }]);
    const { state, slots } = notifications.status();
    assertEquals([state, formatSlots(slots!.uncovered)], ["incomplete", moved]);
    restore(joining);
    await until("it is covered", () => notifications.health().ok);
    assertEquals(new Set(gaps.map(({ slots }) => formatSlots(slots!))), new Set([moved]));
    assertEquals(gaps.length, 2);
  });
}

Deno.test("the gap of a node that joins begins before any node knew it, though topologies did not name it yet", async () => {
  await using cluster = new SimulatedCluster(3);
  const [one, , joining] = cluster.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
  const all = cluster.shards;
  const [first, second, third] = all as [ToldShard, ToldShard, ToldShard];
  cluster.shards = [first, { ...second, slots: [second.slots[0]!, third.slots[1]!] }];
  const { notifications, gaps } = await watch(cluster);
  await using _ = notifications;
  const before = Date.now();
  await sleep(10);
  one.known = 3;
  const refreshes = asked(cluster);
  await one.publish("__keyspace@0__:*", "__keyspace@0__:bar", "set");
  await until("it is looked for", () => asked(cluster) >= refreshes + 6);
  cluster.shards = all;
  await until("it is found", () => joining.connections > 0 && notifications.health().ok);
  assertEquals(gaps.map(({ slots }) => formatSlots(slots!)), [
    formatSlots([{ first: third.slots[0]!, last: third.slots[1]! }]),
  ]);
  assert(gaps[0]!.from <= before, `${gaps[0]!.from}, known after ${before}`);
});

Deno.test("a node whose flags are taken away while it runs is a gap of its slots, until they are back", async () => {
  await using cluster = new SimulatedCluster(3);
  const node = cluster.nodes[1]!;
  const [first, last] = cluster.shards[1]!.slots as [number, number];
  const errors: string[] = [];
  const { notifications, gaps } = await watch(cluster, {
    heartbeat: { interval: 50 },
    onError: (error) => errors.push((error as Error).message),
  });
  await using _ = notifications;
  node.flags = "";
  await until("it is noticed", () => errors.length > 0);
  assertStringIncludes(errors[0]!, `from 127.0.0.1:${node.port}: its notify-keyspace-events is ""`);
  const slots = formatSlots([{ first, last }]);
  assertEquals(formatSlots(notifications.status().slots!.uncovered), slots);
  node.flags = "AKE";
  await until("it is over", () => notifications.health().ok);
  assertEquals(
    gaps.map(({ reason, node, slots }) => [reason, node, formatSlots(slots!)]),
    Array(2).fill(["unresponsive", `127.0.0.1:${node.port}`, slots]),
  );
});

Deno.test("a closed source is no longer refreshed", async () => {
  await using cluster = new SimulatedCluster(2);
  const { notifications } = await watch(cluster);
  cluster.nodes[0]!.mute = cluster.nodes[1]!.mute = ["CLUSTER SHARDS"];
  const underWay = assertRejects(() => notifications.refreshSubscriptions(), ClosedError);
  const next = notifications.refreshSubscriptions();
  await notifications.close();
  await underWay;
  await assertRejects(() => next, ClosedError);
  await assertRejects(() => notifications.refreshSubscriptions(), ClosedError);
});

Deno.test("one node alone is watched where one URL is given, and no more", async () => {
  await using cluster = new SimulatedCluster(2);
  const options = { singleNode: true };
  await assertRejects(() => connect(cluster.urls, options), TypeError, "give connect one URL");
  await assertRejects(
    () => ClusterKeyspaceNotifications.connect(cluster.urls.slice(1), options),
    TypeError,
    "singleNode",
  );
  await using notifications = await connect(cluster.urls.slice(1), options);
  assertEquals(notifications.status().nodes.length, 1);
});
