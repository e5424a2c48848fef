import { assert, assertEquals } from "@std/assert";
import { hashSlot, includesSlot } from "../../cluster/discovery/mod.ts";
import {
  ClusterKeyspaceNotifications,
  type ClusterOptions,
  connect,
  type Gap,
  KeyspaceChannel,
  type Subscription,
} from "../../mod.ts";
import { canMigrateAtomically } from "../ledger/slot_moves.ts";
import { startCluster, type TestCluster, type TestServer, until } from "../servers/mod.ts";
import type { Scene } from "./scene.ts";

const NAME = "few-keys";

interface HeardEvent {
  readonly key: string | Uint8Array;
  readonly type: string;
  readonly node: string;
  readonly at: number;
  readonly isCertain: boolean;
}

/** Keys, the events that came of them, and the gaps. */
class Watch implements AsyncDisposable {
  readonly events: HeardEvent[] = [];
  readonly gaps: Gap[] = [];
  #count = 0;

  private constructor(
    readonly cluster: TestCluster,
    readonly notifications: ClusterKeyspaceNotifications,
    readonly keys: readonly string[],
  ) {}

  static async open(
    cluster: TestCluster,
    keys: readonly string[],
    options: ClusterOptions,
  ): Promise<Watch> {
    let watch: Watch | undefined;
    const notifications = await connect(cluster.urls, {
      refreshInterval: 500,
      clientName: NAME,
      onGap: (gap) => void watch?.gaps.push(gap),
      ...options,
    });
    assert(notifications instanceof ClusterKeyspaceNotifications);
    const opened = watch = new Watch(cluster, notifications, keys);
    await opened.whenConnectedTo("none, as nothing is subscribed,");
    await notifications.subscribe(
      ...keys.map((key) => new KeyspaceChannel(key, { db: 0 })),
      {
        handler: ({ key, eventType: type, node, timestamp: at, migration = false }) =>
          void opened.events.push({ key, type, node: node!, at, isCertain: migration === false }),
      },
    );
    return opened;
  }

  /** The ports of the servers to which it is connected, once for each connection. */
  async connected(): Promise<number[]> {
    const ports = await Promise.all(this.cluster.servers.map(async (server) => {
      const lines = String(await server.command("CLIENT", "LIST")).split("\n");
      return lines.filter((line) => line.includes(` name=${NAME} `)).map(() => server.port);
    }));
    return ports.flat().sort((a, b) => a - b);
  }

  /** Waits until it is connected to these servers, and to no others. */
  async whenConnectedTo(what: string, ...servers: readonly TestServer[]): Promise<void> {
    const expected = servers.map(({ port }) => port).sort((a, b) => a - b);
    await until(
      `only ${what} are connected to`,
      async () => [...new Set(await this.connected())].join() === expected.join(),
      20_000,
    );
  }

  /** Writes the key at a node, and waits for the event. */
  async assertHears(key: string, node: TestServer): Promise<void> {
    const type = this.#count++ % 2 === 0 ? "append" : "set";
    const before = this.events.length;
    await node.command(type.toUpperCase(), key, "x");
    await until(
      `${type} of ${key} comes from ${node.port}`,
      () =>
        this.events.slice(before).some((one) =>
          one.key === key && one.type === type && one.node.endsWith(`:${node.port}`)
        ),
    );
  }

  /** Whether something may be missing of a key at a time, in ms since the epoch. */
  misses(key: string, at: number): boolean {
    return this.gaps.some(({ slots, from, to }) =>
      includesSlot(slots!, hashSlot(key)) && from <= at && at <= to
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.notifications.close();
  }
}

/** Keys of different owners, and those. */
async function keysOf(cluster: TestCluster, count: number): Promise<Map<string, TestServer>> {
  const keys = new Map<string, TestServer>();
  for (let n = 0; keys.size < count; n++) {
    const owner = await cluster.ownerOf(`{${n}}`);
    if (![...keys.values()].includes(owner)) keys.set(`{${n}}`, owner);
  }
  return keys;
}

async function migrateByKey(
  cluster: TestCluster,
  key: string,
  source: TestServer,
  target: TestServer,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const slot = hashSlot(key);
  const targetId = await cluster.idOf(target);
  const sourceId = await cluster.idOf(source);
  await target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", sourceId);
  await source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", targetId);
  await meanwhile();
  await source.command("MIGRATE", target.host, target.port, "", 0, 5000, "KEYS", key);
  for (const server of [target, source]) {
    await server.command("CLUSTER", "SETSLOT", slot, "NODE", targetId);
  }
}

/** Each is to hold on every server. */
export const FEW_KEYS: readonly Scene[] = [
  {
    name: "a watcher of a few keys connects to their owners alone",
    async run(base, step) {
      const config = { "notify-keyspace-events": "KEA" };
      await using cluster = await startCluster({ ...base, config, primaries: 6 });
      const { binary } = base;
      for (const protocol of [3, 2] as const) {
        const found = await keysOf(cluster, 2);
        const [[moved, source], [stays, other]] = [...found] as [
          [string, TestServer],
          [string, TestServer],
        ];
        const target = cluster.servers.find((server) => server !== source && server !== other)!;
        await using watch = await Watch.open(cluster, [moved, stays], { protocol });
        await step(`the owners, RESP${protocol}`, async () => {
          const ports = await watch.connected();
          assertEquals([...new Set(ports)], [source.port, other.port].sort((a, b) => a - b));
          // In RESP2, commands need a second connection to each.
          if (protocol === 3) assertEquals(ports.length, 2);
          assertEquals(watch.notifications.status().state, "ready");
          await watch.assertHears(moved, source);
          await watch.assertHears(stays, other);
          await other.command("DEL", stays);
          await until("the deletion comes", () => watch.events.at(-1)?.type === "del");
          assertEquals(watch.events.at(-1)!.isCertain, true);
          assertEquals(watch.gaps, []);
        });
        await step(`a slot that migrates by key, RESP${protocol}`, async () => {
          const before = watch.events.length;
          let begun = 0;
          await migrateByKey(cluster, moved, source, target, async () => {
            begun = Date.now();
            await watch.whenConnectedTo("the owners and the target", source, other, target);
            await until("the target is heard", () => watch.gaps.length > 0);
          });
          await watch.assertHears(moved, target);
          // What clients sent to the target before it was heard is in the gap.
          assert(watch.misses(moved, begun));
          const artefacts = watch.events.slice(before).filter(({ type, isCertain }) =>
            isCertain && (type === "del" || type === "restore")
          );
          assertEquals(artefacts, []);
          assertEquals(watch.gaps.filter(({ slots }) => includesSlot(slots!, hashSlot(stays))), []);
          await watch.whenConnectedTo("the owners", other, target);
        });
        if (binary !== undefined && canMigrateAtomically(binary)) {
          await step(`a slot that migrates atomically, RESP${protocol}`, async () => {
            const slot = hashSlot(moved);
            const begun = Date.now();
            const before = watch.gaps.length;
            if (binary.product === "redis") {
              await source.command("CLUSTER", "MIGRATION", "IMPORT", slot, slot);
            } else {
              const id = await cluster.idOf(source);
              await target.command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", id);
            }
            await until("it has moved", async () => {
              return await cluster.ownerOf(moved, source) === source;
            });
            const movedAt = Date.now();
            await until("the source is heard", () => watch.misses(moved, movedAt - 1));
            await watch.assertHears(moved, source);
            assert(watch.gaps.slice(before).every(({ from }) => from > begun - 5_000));
          });
        } else await migrateByKey(cluster, moved, target, source, async () => {});
        await step(`a pattern for a while, RESP${protocol}`, async () => {
          await cluster.whenHealthy();
          const all: Subscription = await watch.notifications.subscribeKeyspace("*", {
            handler() {},
          });
          await watch.whenConnectedTo("all", ...cluster.servers);
          await watch.assertHears(moved, source);
          await all.unsubscribe();
          await watch.whenConnectedTo("the owners", source, other);
          await watch.assertHears(moved, source);
        });
      }
    },
  },
  {
    name: "a watcher of one key follows the failover of its owner",
    async run(base, step) {
      const config = { "notify-keyspace-events": "KEA" };
      await using cluster = await startCluster({ ...base, config, primaries: 3, replicas: 1 });
      const key = "{key}";
      for (const protocol of [3, 2] as const) {
        await step(`RESP${protocol}`, async () => {
          const owner = await cluster.ownerOf(key);
          await using watch = await Watch.open(cluster, [key], { protocol });
          await watch.assertHears(key, owner);
          const [line] = await owner.command(
            "CLUSTER",
            "REPLICAS",
            await cluster.idOf(owner),
          ) as [string];
          const heir = cluster.servers.find(({ port }) => line.includes(`:${port}@`))!;
          await cluster.failOver(heir);
          await watch.whenConnectedTo("the new owner", heir);
          await until("it is subscribed", () => watch.notifications.status().state === "ready");
          await watch.assertHears(key, heir);
          assert(watch.gaps.length > 0);
          const ofOthers = watch.gaps.filter(({ slots }) =>
            slots!.some(({ first, last }) => first !== last || first !== hashSlot(key))
          );
          assertEquals(ofOthers, []);
          await cluster.whenHealthy();
        });
      }
    },
  },
];
