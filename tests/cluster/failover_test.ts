import { assert, assertEquals } from "@std/assert";
import { formatSlots } from "../../cluster/discovery/mod.ts";
import { ClusterKeyspaceNotifications, type ClusterOptions, connect, type Gap } from "../../mod.ts";
import { sleep, until } from "../servers/mod.ts";
import { SimulatedCluster, type SimulatedNode, type Told, type ToldShard } from "./simulated.ts";

/** A key of slot 5061, by which nodes are distinguished: they tell it only where they are said to. */
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
    scene.failOver(scene.heir, scene.old);
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

  /** All nodes name one as the primary from now on, and the other as its replica. */
  name(primary: SimulatedNode, other: SimulatedNode): void {
    const replica: Told = { ...other.primary, role: "replica" };
    this.cluster.shards = [{ slots: FIRST, nodes: [primary.primary, replica] }, this.#rest];
  }

  /** A primary and its replica change places; the others have not heard of it. */
  failOver(from: SimulatedNode, to: SimulatedNode): void {
    [from.role, to.role] = ["slave", "master"];
    [from.owned, to.owned] = [[], FIRST];
  }

  get isCovered(): boolean {
    return this.notifications.status().slots!.uncovered.length === 0;
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

Deno.test("who took over is heard as soon as it says so itself, before any answer names it", async () => {
  await using scene = await Scene.open({ refreshInterval: 60_000 });
  const { old, heir, gaps, told, notifications } = scene;
  const before = Date.now();
  scene.failOver(old, heir);
  await until("the heir is heard", () => heir.connections > 0 && scene.isCovered);
  await scene.publish(heir, "later");
  await until("its events come", () => told.length === 1);
  assertEquals(scene.owner, old.id);
  assertEquals(gaps.map(({ reason, slots }) => [reason, formatSlots(slots!)]), [
    ["failover", "0-8191"],
  ]);
  assert(gaps[0]!.from <= before, `${gaps[0]!.from}, failed over after ${before}`);
  assertEquals(notifications.status().nodes.some(({ id }) => id === heir.id), true);
});

Deno.test("what a demoted primary repeats is not delivered, and it is missing since it was demoted", async () => {
  await using scene = await Scene.open({ refreshInterval: 60_000, heartbeat: { interval: 100 } });
  const { old, heir, gaps, told } = scene;
  // Nobody knows yet who takes over.
  const before = Date.now();
  old.owned = [];
  old.role = "slave";
  await scene.publish(old, "repeated");
  await until("it is missed", () => !scene.isCovered);
  await sleep(300);
  scene.failOver(old, heir);
  scene.name(heir, old);
  await until("the heir is heard", () => scene.isCovered);
  await until("the gap is reported", () => gaps.length > 0);
  assertEquals(told, []);
  assert(gaps[0]!.from <= before, `${gaps[0]!.from}, demoted after ${before}`);
});

Deno.test("a node whose fences are not answered yet is no reason to ask for the topology again", async () => {
  await using scene = await Scene.open({ refreshInterval: 60_000 });
  const { cluster, old, heir } = scene;
  const answers = Promise.withResolvers<void>();
  heir.onAsked = (name) => {
    if (name === "SSUBSCRIBE") heir.hold = answers.promise;
  };
  scene.failOver(old, heir);
  scene.name(heir, old);
  await until("the heir is asked for its fences", () => heir.hold !== null);
  const before = cluster.nodes[1]!.asked;
  await sleep(1_500);
  const times = cluster.nodes[1]!.asked - before;
  answers.resolve();
  assert(times <= 2, `it was asked for ${times} times`);
  await until("the heir is heard", () => scene.isCovered);
});

Deno.test("who is a primary again is heard again, and each event comes once or falls in a gap", async () => {
  await using scene = await Scene.open();
  const { old, heir, gaps, told } = scene;
  scene.failOver(old, heir);
  scene.name(heir, old);
  await until("the heir is heard", () => heir.connections > 0 && scene.isCovered);
  await scene.publish(heir, "first");
  await until("it comes", () => told.length === 1);
  gaps.splice(0);
  const before = Date.now();
  scene.failOver(heir, old);
  await scene.publish(heir, "repeated");
  scene.name(old, heir);
  await until("it is heard again", () => gaps.length > 0 && scene.isCovered);
  await scene.publish(old, "second");
  await until("what comes later comes too", () => told.length === 2);
  assertEquals(told, ["first", "second"]);
  assertEquals(gaps.map(({ slots, node }) => `${node} ${formatSlots(slots!)}`), [
    `127.0.0.1:${old.port} 0-8191`,
  ]);
  assert(gaps[0]!.from <= before);
});
