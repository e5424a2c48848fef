/** What slots that migrate make, as it comes out: in a cluster that says what the test wants. */
import { assert, assertEquals } from "@std/assert";
import {
  ClusterKeyspaceNotifications,
  connect,
  type FilterOptions,
  type MigrationPolicy,
} from "../../mod.ts";
import { until } from "../servers/mod.ts";
import { SimulatedCluster, type SimulatedNode } from "./simulated.ts";

/** In slot 5061, which the first node owns. */
const KEY = "bar";
const SLOT = 5061;

/** Two nodes, of which the second takes in the slot of the key, and what is delivered of it. */
async function open(
  way: "whole" | "key by key",
  migrations: MigrationPolicy,
  filter: FilterOptions = {},
) {
  const cluster = new SimulatedCluster(2);
  const [source, target] = cluster.nodes as [typeof cluster.nodes[0], typeof cluster.nodes[0]];
  source!.line = source!.lineAs(
    "master",
    "0-8191",
    ...(way === "whole" ? [] : [`[${SLOT}->-${target!.id}]`]),
  );
  if (way === "whole") {
    const fields = { id: "move", slots: `${SLOT}`, source: source!.id, operation: "import" };
    target!.moves = [{ ...fields, state: "wait-stream-eof" }];
  }
  target!.line = target!.lineAs(
    "master",
    "8192-16383",
    ...(way === "whole" ? [] : [`[${SLOT}-<-${source!.id}]`]),
  );
  const notifications = await connect(cluster.urls, { migrations, refreshInterval: 60_000 });
  assert(notifications instanceof ClusterKeyspaceNotifications);
  const delivered: string[] = [];
  await notifications.subscribeKeyspace("*", {
    ...filter,
    handler: ({ eventType, migration }) =>
      void delivered.push(migration ? `${eventType}, of the move` : eventType),
  });
  let sent = 0;
  /** Has a node emit an event, and waits until it is decided what that is. */
  const emit = async (node: typeof source, event: string) => {
    await node!.publish("__keyspace@0__:*", `__keyspace@0__:${KEY}`, event);
    sent++;
    await until("it has come", () => {
      return notifications.status().nodes.reduce((sum, { messages }) => sum + messages, 0) === sent;
    });
  };
  const settled = async () => {
    await until("all is decided", () => notifications.status().migrations!.held === 0);
    return delivered;
  };
  return {
    notifications,
    source,
    target,
    emit,
    settled,
    [Symbol.asyncDispose]: async () => {
      await notifications.close();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

for (const migrations of ["hide", "mark"] as const) {
  const how = migrations === "hide" ? "left out" : "marked";
  Deno.test(`what a node copies in an atomic migration is ${how}`, async () => {
    await using scene = await open("whole", migrations);
    const { source, target, emit, settled } = scene;
    await emit(source, "append");
    await emit(target, "set");
    const copied = migrations === "hide" ? [] : ["set, of the move"];
    assertEquals(await settled(), ["append", ...copied]);
    await emit(source, "persist");
    assertEquals(await settled(), ["append", ...copied, "persist"]);
    assertEquals(scene.notifications.status().migrations!.artefacts, 1);
  });

  Deno.test(`the restore and the deletion of a key that is moved are ${how}`, async () => {
    await using scene = await open("key by key", migrations);
    const { source, target, emit, settled } = scene;
    await emit(source, "append");
    // First something that nobody but a client does, so that the move is known.
    await emit(target, "lpush");
    assertEquals(await settled(), ["append", "lpush"]);
    // The server deletes the key once the other one has it, so both come at nearly the same time.
    await Promise.all([emit(target, "restore"), emit(source, "del")]);
    const moved = migrations === "hide" ? [] : ["del, of the move", "restore, of the move"];
    assertEquals((await settled()).slice(2).sort(), moved);
    assertEquals(scene.notifications.status().migrations!.artefacts, 2);
  });
}

for (const areRefused of [false, true]) {
  const how = areRefused ? "uncertain where restores may not be subscribed" : "left out";
  Deno.test(`where only deletions are desired, that of a key that is moved is ${how}`, async () => {
    await using cluster = new SimulatedCluster(2);
    const [source, target] = cluster.nodes as [typeof cluster.nodes[0], typeof cluster.nodes[0]];
    if (areRefused) {
      for (const node of cluster.nodes) node.refusedChannels = ["__keyevent@0__:restore"];
    }
    await using notifications = await connect(cluster.urls, { refreshInterval: 60_000 });
    assert(notifications instanceof ClusterKeyspaceNotifications);
    const delivered: string[] = [];
    const subscription = await notifications.subscribeKeyevent("del", {
      handler: ({ key, migration }) => void delivered.push(migration ? `${key}, perhaps` : key),
    });
    const emit = async (node: typeof source, event: string, key: string) => {
      const channel = `__keyevent@0__:${event}`;
      await node!.publish(channel, channel, key);
    };
    if (!areRefused) {
      const count = () =>
        notifications.status().nodes.reduce((sum, { messages }) => sum + messages, 0);
      await Promise.all([emit(target, "restore", KEY), emit(source, "del", KEY)]);
      await until("both have come", () => count() === 2);
      await until("they are decided", () => notifications.status().migrations!.held === 0);
      assertEquals(notifications.status().migrations!.artefacts, 2);
    }
    // In the slot of the key.
    await emit(source, "del", `other{${KEY}}`);
    await until("it is delivered", () => delivered.length > 0);
    assertEquals(delivered, [areRefused ? `other{${KEY}}, perhaps` : `other{${KEY}}`]);
    await subscription.unsubscribe();
    await until(
      "no channel is left",
      () => cluster.nodes.every((node) => node.channels.length === 0),
    );
  });
}

Deno.test("a deletion just after the subscription is certain", async () => {
  await using cluster = new SimulatedCluster(3);
  const [first, second, last] = cluster.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
  const shards = cluster.shards;
  cluster.shards = [
    { slots: [0, 5460, 10_923, 16_383], nodes: [first.primary] },
    { slots: [5461, 10_922], nodes: [second.primary] },
  ];
  await using notifications = await connect([first.url], {
    refreshInterval: 60_000,
    // Asking for the flags would wait for the last node before the first one is subscribed.
    flags: "ignore",
    onGap() {},
  }) as ClusterKeyspaceNotifications;
  await notifications.subscribeKeyspace("user:*");
  // The last node is heard only while the subscription is made, and the first one answers late then.
  const [hold, slow] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  last.hold = hold.promise;
  cluster.shards = shards;
  await notifications.refreshSubscriptions();
  const delivered: unknown[] = [];
  const subscribed = notifications.subscribeKeyspace("*", {
    handler: ({ migration }) => void delivered.push(migration ?? "certain"),
  });
  await until("the first node is subscribed", () => first.channels.length === 2);
  hold.resolve();
  await until("the last node is subscribed", () => last.channels.length === 2);
  first.hold = slow.promise;
  const timer = setTimeout(slow.resolve, 100);
  await subscribed;
  // Keys of the three nodes.
  for (const [n, key] of ["bar", "k", "foo"].entries()) {
    await cluster.nodes[n]!.publish("__keyspace@0__:*", `__keyspace@0__:${key}`, "del");
  }
  await until("all are delivered", () => delivered.length === 3);
  clearTimeout(timer);
  assertEquals(delivered, ["certain", "certain", "certain"]);
});

Deno.test("the first subscription waits until each node has answered after all have confirmed it", async () => {
  await using cluster = new SimulatedCluster(3);
  await using notifications = await connect(cluster.urls, { refreshInterval: 60_000 });
  const commands: string[] = [];
  for (const [n, node] of cluster.nodes.entries()) {
    node.onAsked = (name) => void commands.push(`${name} ${n}`);
  }
  await notifications.subscribeKeyspace("*", { handler() {} });
  const subscribed = commands.findLastIndex((text) => text.startsWith("PSUBSCRIBE"));
  for (const n of cluster.nodes.keys()) {
    assert(commands.lastIndexOf(`PING ${n}`) > subscribed, commands.slice(-20).join(", "));
  }
});

Deno.test("a node that does not answer while events wait for it is noticed long before it is due", async () => {
  await using cluster = new SimulatedCluster(2);
  const [first, second] = cluster.nodes as [typeof cluster.nodes[0], typeof cluster.nodes[0]];
  await using notifications = await connect(cluster.urls, {
    refreshInterval: 60_000,
    heartbeat: { interval: 600_000, timeout: 1_000 },
  });
  await notifications.subscribeKeyspace("*", { handler() {} });
  // A probe follows the last message within `busyInterval`; by itself it would find out that the node is mute.
  let askedAt = performance.now();
  second.onAsked = () => void (askedAt = performance.now());
  await until("no probe is due any more", () => {
    const isAnswered = notifications.status().nodes.every(({ silentFor }) => silentFor === 0);
    return isAnswered && performance.now() - askedAt > 500;
  });
  second.mute = ["PING", "ROLE"];
  await first!.publish("__keyspace@0__:*", `__keyspace@0__:${KEY}`, "del");
  await until("its connection is given up", () => {
    return notifications.status().nodes.some(({ node, state }) =>
      node === `127.0.0.1:${second!.port}` && state !== "ready"
    );
  });
});

Deno.test("a filter hides no event from what knows artefacts", async () => {
  await using scene = await open("key by key", "mark", { events: ["append", "del"] });
  const { source, target, emit, settled } = scene;
  await emit(source, "append");
  await emit(target, "lpush");
  await Promise.all([emit(target, "restore"), emit(source, "del")]);
  assertEquals(await settled(), ["append", "del, of the move"]);
  assertEquals(scene.notifications.status().migrations!.artefacts, 2);
  // One that is deleted on the target is not restored anywhere.
  await emit(target, "del");
  assertEquals((await settled()).slice(2), ["del"]);
});
