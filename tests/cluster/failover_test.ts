import { assert, assertEquals } from "@std/assert";
import {
  ClusterKeyspaceNotifications,
  type ClusterOptions,
  connect,
  formatSlots,
  type Gap,
} from "../../mod.ts";
import { sleep, until } from "../servers/mod.ts";
import { SimulatedCluster, type SimulatedNode, type Told, type ToldShard } from "./simulated.ts";

/** A key of slot 5061, by which nodes are told apart: they tell it only where they are said to. */
const KEY = "bar";
const FIRST = [0, 8191];

/** A shard with a replica that may take over, and another one. */
class Scene implements AsyncDisposable {
  readonly cluster: SimulatedCluster = new SimulatedCluster(3);
  readonly old: SimulatedNode;
  readonly heir: SimulatedNode;
  readonly gaps: Gap[] = [];
  readonly told: string[] = [];
  notifications!: ClusterKeyspaceNotifications;
  readonly #rest: ToldShard;

  constructor() {
    const [old, other, heir] = this.cluster.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
    this.old = old;
    this.heir = heir;
    this.#rest = { slots: [8192, 16_383], nodes: [other.primary] };
  }

  static async open(options: ClusterOptions = {}): Promise<Scene> {
    const scene = new Scene();
    scene.name(scene.old, scene.heir);
    const notifications = await connect(scene.cluster.urls, {
      refreshInterval: 20,
      ...options,
      onGap: (gap) => scene.gaps.push(gap),
      onWarning() {},
    });
    assert(notifications instanceof ClusterKeyspaceNotifications);
    scene.notifications = notifications;
    await notifications.subscribeKeyspace("*", {
      handler: ({ data }) => void scene.told.push(data),
    });
    return scene;
  }

  /** All nodes name one as the primary from now on; the other as its replica, or as said. */
  name(
    primary: SimulatedNode,
    other: SimulatedNode,
    as: "replica" | "bare primary" = "replica",
  ): void {
    const replica: Told = { ...other.primary, role: "replica" };
    this.cluster.shards = as === "replica"
      ? [{ slots: FIRST, nodes: [primary.primary, replica] }, this.#rest]
      : [{ slots: FIRST, nodes: [primary.primary] }, this.#rest, {
        slots: [],
        nodes: [other.primary],
      }];
  }

  /** What a node says of itself. */
  says(node: SimulatedNode, role: "primary" | "replica"): void {
    node.line = role === "primary" ? node.lineAs("master", FIRST.join("-")) : node.lineAs("slave");
  }

  async publish(node: SimulatedNode, event: string): Promise<void> {
    await node.publish("__keyspace@0__:*", `__keyspace@0__:${KEY}`, event);
  }

  get owner(): string | undefined {
    return this.notifications.topology.ownerOf(0)?.id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.notifications.close();
    await this.cluster[Symbol.asyncDispose]();
  }
}

for (const as of ["replica", "bare primary"] as const) {
  Deno.test(`who took over is heard once the old one, still named a ${as}, says that it did`, async () => {
    await using scene = await Scene.open();
    const { old, heir, notifications } = scene;
    scene.says(old, "replica");
    const said = Promise.withResolvers<void>();
    old.hold = said.promise;
    scene.name(heir, old, as);
    await until("the failover is known", () => scene.owner === heir.id);
    await sleep(50);
    const before = heir.connections;
    said.resolve();
    await until("the heir is listened to", () => heir.connections > 0);
    await until("all is covered", () => notifications.status().slots?.uncovered.length === 0);
    assertEquals(before, 0);
  });
}

Deno.test("who took over is not heard before, though an answer comes that knows nothing of it", async () => {
  await using scene = await Scene.open();
  const { old, heir, notifications } = scene;
  old.told = scene.cluster.shards;
  scene.says(old, "primary");
  scene.name(heir, old, "bare primary");
  await until("the failover is known", () => scene.owner === heir.id);
  await until("the old one is asked", () => scene.owner === old.id);
  await until("the other one is asked again", () => scene.owner === heir.id);
  await sleep(50);
  const before = heir.connections;
  scene.says(old, "replica");
  old.told = null;
  await until("the heir is listened to", () => heir.connections > 0);
  await until("all is covered", () => notifications.status().slots?.uncovered.length === 0);
  assertEquals(before, 0);
});

Deno.test("to subscribe waits for who took over, however long that is not to be heard", async () => {
  // After which it has to be connected to, on a busy machine too.
  const timeout = 1_500;
  await using scene = await Scene.open({ timeout });
  const { old, heir, notifications } = scene;
  scene.says(old, "primary");
  scene.name(heir, old, "bare primary");
  await until("the failover is known", () => scene.owner === heir.id);
  const subscribed = notifications.subscribeKeyevent("del").then(() => heir.connections);
  await sleep(timeout + 100);
  scene.says(old, "replica");
  assertEquals(await subscribed, 1);
});

Deno.test("who is lost after it said that it is a replica is missing since then", async () => {
  await using scene = await Scene.open({ refreshInterval: 60_000, heartbeat: { interval: 100 } });
  const { cluster, old, heir, gaps, told, notifications } = scene;
  const other = cluster.nodes[1]!;
  // Nobody but these two has heard of the failover, and of the slot of the key, which has moved.
  scene.says(old, "replica");
  other.line = other.lineAs("master", "5061", "8192-16383");
  const asked = Promise.withResolvers<void>();
  old.onAsked = (what) => void (what === "CLUSTER NODES" && asked.resolve());
  await scene.publish(other, "a sign");
  await asked.promise;
  await sleep(200);
  // It still answers, and repeats what the heir does.
  const repeatedAt = Date.now();
  await scene.publish(old, "repeated");
  await sleep(300);
  scene.name(heir, old);
  scene.says(heir, "primary");
  old.disconnect();
  await until("the heir is heard", () => notifications.status().slots?.uncovered.length === 0);
  await until("the gap is told", () => gaps.length > 0);
  assertEquals(told, ["a sign"]);
  assert(gaps[0]!.from <= repeatedAt, `${gaps[0]!.from}, repeated at ${repeatedAt}`);
});

Deno.test("who is a primary again is heard by another connection, and a gap tells since when not", async () => {
  await using scene = await Scene.open();
  const { old, heir, gaps, told, notifications } = scene;
  scene.says(heir, "primary");
  scene.says(old, "replica");
  const covered = () => notifications.status().slots?.uncovered.length === 0;
  // It is not left for as long as it is named as a primary.
  scene.name(heir, old, "bare primary");
  await until("the heir is heard", () => heir.connections > 0 && covered());
  gaps.splice(0);
  const before = Date.now();
  const said = Promise.withResolvers<void>();
  heir.hold = said.promise;
  scene.says(heir, "replica");
  scene.says(old, "primary");
  await scene.publish(heir, "first");
  await scene.publish(old, "first");
  scene.name(old, heir, "bare primary");
  await until("it is known", () => scene.owner === old.id && !covered());
  await sleep(50);
  await scene.publish(heir, "second");
  await until("it comes once", () => told.length === 2);
  said.resolve();
  await until("it is heard again", () => covered());
  await scene.publish(heir, "third");
  await scene.publish(old, "third");
  await until("what comes later comes too", () => told.length === 3);
  assertEquals(told, ["first", "second", "third"]);
  assertEquals(gaps.map(({ slots, node }) => `${node} ${formatSlots(slots!)}`), [
    `127.0.0.1:${old.port} 0-8191`,
  ]);
  assert(gaps[0]!.from <= before);
});
