import { assert, assertEquals } from "@std/assert";
import { formatSlots, hashSlot } from "../../cluster/discovery/mod.ts";
import { ClusterKeyspaceNotifications, connect, type Gap } from "../../mod.ts";
import { until } from "../servers/mod.ts";
import { WallClock } from "../wall_clock.ts";
import { SimulatedCluster, type SimulatedNode, type Told, type ToldShard } from "./simulated.ts";

const PATTERN = "__keyspace@0__:*";
const KEY = "b";

/** As many answers as would make it leave a node that none of them knows as a primary. */
const MANY = 6;

Deno.test("an answer that names both as primaries after a failover changes nothing", async () => {
  await using cluster = new SimulatedCluster(3);
  const [old, other, heir] = cluster.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
  const asReplica = ({ primary }: SimulatedNode): Told => ({ ...primary, role: "replica" });
  const [first, second] = [[0, 8191], [8192, 16_383]] as const;
  const rest = { slots: second, nodes: [other.primary] };
  old.owned = first;
  heir.role = "slave";
  cluster.shards = [{ slots: first, nodes: [old.primary, asReplica(heir)] }, rest];
  const gaps: Gap[] = [];
  const keys: string[] = [];
  await using notifications = await connect(cluster.urls, {
    refreshInterval: 20,
    onGap: (gap) => gaps.push(gap),
  });
  if (!(notifications instanceof ClusterKeyspaceNotifications)) throw new Error("It is a cluster");
  await notifications.subscribeKeyspace("*", { handler: ({ key }) => void keys.push(key) });
  const watched = () => notifications.status().nodes.map(({ id }) => id!).sort();
  const asked = () => cluster.nodes.reduce((sum, { asked }) => sum + asked, 0);
  const ready = () => notifications.status().state === "ready";
  const answers = async () => {
    const before = asked();
    await until("many answers came", () => asked() > before + MANY);
  };
  const bothNamed = [{ slots: [], nodes: [old.primary, heir.primary] }, rest];

  // Before the failover is known to anybody: the one that owned the slots goes on.
  cluster.shards = bothNamed;
  await answers();
  assertEquals([watched(), ready()], [[old.id, other.id].sort(), true]);

  [old.role, heir.role] = ["slave", "master"];
  [old.owned, heir.owned] = [[], first];
  cluster.shards = [{ slots: first, nodes: [asReplica(old), heir.primary] }, rest];
  await until("the heir is watched", () => watched().includes(heir.id) && ready());
  await until("the old one is left", () => !watched().includes(old.id));
  const told = gaps.length;

  cluster.shards = bothNamed;
  await answers();
  assertEquals([watched(), ready()], [[other.id, heir.id].sort(), true]);
  assertEquals(notifications.topology.ownerOf(hashSlot(KEY)), null);
  await heir.publish(PATTERN, `__keyspace@0__:${KEY}`, "set");
  await until("its events come", () => keys.includes(KEY));
  assertEquals([gaps.length, keys], [told, [KEY]]);
  assertEquals(notifications.status().slots!.uncovered, []);
});

Deno.test("of a primary that two shards name every slot is watched", async () => {
  await using cluster = new SimulatedCluster(2);
  const [first, second] = cluster.nodes as [SimulatedNode, SimulatedNode];
  cluster.shards = [
    { slots: [0, 99], nodes: [first.primary] },
    { slots: [100, 8191], nodes: [second.primary] },
    { slots: [8192, 16_383], nodes: [first.primary] },
  ];
  await using notifications = await connect(cluster.urls);
  const slots: number[] = [];
  await notifications.subscribeKeyspace("*", { handler: ({ slot }) => void slots.push(slot!) });
  const status = notifications.status();
  assertEquals(status.nodes.map(({ slots }) => formatSlots(slots!)), [
    "0-99,8192-16383",
    "100-8191",
  ]);
  assertEquals(status.slots!.uncovered, []);
  for (const slot of [9, 9000]) {
    await first.publish(PATTERN, `__keyspace@0__:${keyOfSlot(slot)}`, "set");
  }
  await until("events of both come", () => slots.length === 2);
  assertEquals(slots, [9, 9000]);
});

/** Three nodes; the first owns what it is going to lose to the third, which nobody knows yet. */
async function beforeMove() {
  const cluster = new SimulatedCluster(3);
  const [old, other, heir] = cluster.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
  const rest = { slots: [8192, 16_383], nodes: [other.primary] };
  cluster.shards = [{ slots: [0, 8191], nodes: [old.primary] }, rest];
  const gaps: Gap[] = [];
  const notifications = await connect([old.url], {
    refreshInterval: 60_000,
    onGap: (gap) => gaps.push(gap),
  });
  if (!(notifications instanceof ClusterKeyspaceNotifications)) throw new Error("It is a cluster");
  await notifications.subscribeKeyspace("*");
  const moveUnheard = () => {
    cluster.shards = [
      { slots: [0, 4095], nodes: [old.primary] },
      { slots: [4096, 8191], nodes: [heir.primary] },
      rest,
    ];
  };
  const move = async () => {
    moveUnheard();
    await notifications.refreshSubscriptions();
    await until("the gap is reported", () => gaps.length > 0);
    return gaps[0]!;
  };
  return { cluster, notifications, old, other, gaps, moveUnheard, move };
}

Deno.test("a slot that moves to a node which was not known is a gap since its old owner had it", async () => {
  const { cluster, notifications, move } = await beforeMove();
  await using _ = cluster;
  await using __ = notifications;
  await notifications.refreshSubscriptions();
  const before = Date.now();
  const { from, slots } = await move();
  assertEquals(slots, [{ first: 4096, last: 8191 }]);
  assert(from <= before, `${from}, moved after ${before}`);
});

Deno.test("a slot that moves between nodes that are heard is not a gap, though no answer names its owner", async () => {
  const { cluster, notifications, old, other, gaps } = await beforeMove();
  await using _ = cluster;
  await using __ = notifications;
  const keys: string[] = [];
  const handler = ({ key }: { key: string }) => void keys.push(key);
  await notifications.subscribeKeyspace("*", { handler });
  const key = keyOfSlot(5);
  await old.publish(PATTERN, `__keyspace@0__:${key}`, "set");
  old.owned = [0, 4, 6, 8191];
  other.owned = [5, 5, 8192, 16_383];
  await other.publish(PATTERN, `__keyspace@0__:${key}`, "set");
  await until("both come", () => keys.length === 2);
  assertEquals([gaps, notifications.status().slots!.uncovered], [[], []]);
  assertEquals(notifications.status().migrations!.uncertain, 0);
});

Deno.test("what moved before its old node was lost is a gap since it may have moved", async () => {
  const { cluster, notifications, old, gaps, moveUnheard } = await beforeMove();
  await using _ = cluster;
  await using __ = notifications;
  const before = Date.now();
  moveUnheard();
  using clock = new WallClock();
  // More than that time, too; the answer to this says up to when the old one was heard.
  clock.advance(600);
  await notifications.subscribeKeyevent("set");
  const hold = Promise.withResolvers<void>();
  old.hold = hold.promise;
  old.disconnect();
  await until("the new one is heard", () => gaps.length > 0);
  hold.resolve();
  await until("the old one is heard again", () => gaps.length > 1);
  const told = gaps.map(({ from, slots, reason }) => [reason, formatSlots(slots!), from <= before]);
  assertEquals(told, [["topology", "4096-8191", true], ["disconnected", "0-4095", false]]);
});

Deno.test("slots of a lost node that pass to a connected one are one gap, not one each", async () => {
  await using cluster = new SimulatedCluster(3);
  const [old, other, heir] = cluster.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
  const rest = { slots: [8192, 16_383], nodes: [other.primary] };
  const alone = { slots: [], nodes: [heir.primary] };
  cluster.shards = [{ slots: [0, 8191], nodes: [old.primary] }, rest, alone];
  const gaps: Gap[] = [];
  const options = { onGap: (gap: Gap) => void gaps.push(gap), onWarning() {} };
  await using notifications = await connect(cluster.urls, options);
  if (!(notifications instanceof ClusterKeyspaceNotifications)) throw new Error("It is a cluster");
  await notifications.subscribeKeyspace("*");
  old.mute = ["HELLO"];
  old.disconnect();
  await until("it is missed", () => notifications.status().slots!.uncovered.length > 0);
  cluster.shards = [{ slots: [0, 8191], nodes: [heir.primary] }, rest];
  await notifications.refreshSubscriptions();
  await until("all is covered", () => notifications.status().slots!.uncovered.length === 0);
  assertEquals(gaps.map(({ slots }) => formatSlots(slots!)), ["0-8191"]);
});

Deno.test("a dead node that all but one node have forgotten is looked for only for a while", async () => {
  await using cluster = new SimulatedCluster(3);
  const [one, other, joining] = cluster.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
  const all = cluster.shards;
  const [first, { slots: [start] }, third] = all as [ToldShard, ToldShard, ToldShard];
  cluster.shards = [first, { slots: [start!, third.slots[1]!], nodes: [other.primary] }];
  const gaps: Gap[] = [];
  await using notifications = await connect(cluster.urls, {
    refreshInterval: 1_000_000,
    onGap: (gap) => gaps.push(gap),
    onWarning() {},
  });
  if (!(notifications instanceof ClusterKeyspaceNotifications)) throw new Error("It is a cluster");
  await notifications.subscribeKeyspace("*");
  const publish = () => one.publish(PATTERN, `__keyspace@0__:${KEY}`, "set");
  /** Some node knows one more, and the topologies do not. */
  const lookFor = async (known: number) => {
    const before = one.asked;
    one.known = known;
    await publish();
    await until("it is looked for", () => one.asked >= before + 4);
  };
  using clock = new WallClock();
  await lookFor(3);
  clock.advance(60_000);
  /** When it was last asked anything about nodes. */
  let asked = 0;
  one.onAsked = (name) => {
    if (name.startsWith("CLUSTER")) asked = performance.now();
  };
  const isQuiet = () => asked > 0 && performance.now() - asked > 1_200;
  await until("it is not looked for any more", isQuiet);
  asked = 0;
  await publish();
  await until("its nodes are counted, and no more", isQuiet);
  // It forgets the dead one, and another joins.
  one.known = 2;
  asked = 0;
  await publish();
  await until("its nodes are counted", isQuiet);
  await lookFor(3);
  clock.advance(60_000);
  await until("that one is not looked for any more", isQuiet);
  const before = Date.now();
  await lookFor(4);
  cluster.shards = all;
  await until("what joins is found", () => joining.connections > 0 && notifications.health().ok);
  assertEquals(gaps.map(({ slots }) => formatSlots(slots!)), [formatSlots([{
    first: third.slots[0]!,
    last: third.slots[1]!,
  }])]);
  const early = before - gaps[0]!.from;
  assert(0 <= early && early < 30_000, `${early} ms before`);
});

function keyOfSlot(slot: number): string {
  for (let i = 0;; i++) if (hashSlot(`${i}`) === slot) return `${i}`;
}
