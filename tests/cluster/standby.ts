import { assertEquals } from "@std/assert";
import { connect, type Gap } from "../../mod.ts";
import { cut, type Protocol } from "../pubsub/standby/watched.ts";
import {
  type ServerBinary,
  sleep,
  startCluster,
  type TestCluster,
  type TestServer,
  until,
} from "../servers/mod.ts";

/** Sets numbered keys at every primary of a cluster, until it is stopped. */
export class ClusterNumbers implements AsyncDisposable {
  readonly written: string[] = [];
  #isOver = false;
  readonly #done: Promise<unknown>;

  constructor(cluster: TestCluster, primaries: readonly TestServer[]) {
    this.#done = this.#run(cluster, primaries);
  }

  async #run(cluster: TestCluster, primaries: readonly TestServer[]): Promise<void> {
    const tags = await Promise.all(primaries.map((server) => tagOf(cluster, server)));
    await Promise.all(primaries.map(async (server, place) => {
      for (let number = 0; !this.#isOver; number++) {
        const key = `n:{${tags[place]}}${number}`;
        await server.command("SET", key, "");
        this.written.push(`set ${key}`);
        if (number % 4 === 0) await sleep(1);
      }
    }));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** A text whose slot a server owns. */
export async function tagOf(cluster: TestCluster, server: TestServer): Promise<string> {
  for (let n = 0;; n++) {
    if (await cluster.ownerOf(String(n)) === server) return String(n);
  }
}

/** What a client of a cluster with standbys was given. */
export class WatchedShards implements AsyncDisposable {
  readonly gaps: Gap[] = [];
  readonly warnings: string[] = [];
  readonly events: string[] = [];
  notifications!: Awaited<ReturnType<typeof connect>>;

  static async start(
    cluster: TestCluster,
    { protocol = 3 }: Protocol = {},
    channels: readonly string[] = ["__keyspace@0__:n:*"],
  ): Promise<WatchedShards> {
    const watched = new WatchedShards();
    watched.notifications = await connect(cluster.urls, {
      protocol,
      standby: true,
      onGap: (gap) => watched.gaps.push(gap),
      onWarning: (message) => watched.warnings.push(message),
    });
    await watched.notifications.subscribe(...channels, {
      handler: ({ eventType, key }) => watched.events.push(`${eventType} ${key}`),
    });
    await watched.whenMatched();
    return watched;
  }

  /** Waits until each primary leads, and its replica could replace it. */
  async whenMatched(): Promise<void> {
    await until("the streams are matched", () => {
      const { nodes } = this.notifications.status();
      return nodes.every(({ standby }) => standby!.isMatched && !standby!.isLeading);
    }, 30_000);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.notifications.close();
  }
}

/** A cluster of three shards, each with a replica. */
export function startShards(binary?: ServerBinary): Promise<TestCluster> {
  return startCluster({
    replicas: 1,
    config: { "notify-keyspace-events": "KEA" },
    ...(binary === undefined ? {} : { binary }),
  });
}

/** Cuts the connection to a primary again and again while keys are set, and misses nothing. */
export async function cutUnderLoad(
  times: number,
  { protocol = 3, channels }: Protocol & { channels?: string[] } = {},
  binary?: ServerBinary,
): Promise<void> {
  await using cluster = await startShards(binary);
  const primaries = cluster.servers.slice(0, 3);
  await using watched = await WatchedShards.start(cluster, { protocol }, channels);
  await using numbers = new ClusterNumbers(cluster, primaries);
  for (let time = 0; time < times; time++) {
    await watched.whenMatched();
    await cut(primaries[time % 3]!);
  }
  await watched.whenMatched();
  await numbers.stop();
  const { events, gaps, warnings } = watched;
  await until("all events arrive", () => events.length >= numbers.written.length);
  await sleep(100);
  assertEquals(gaps, []);
  assertEquals(events.toSorted(), numbers.written.toSorted());
  assertEquals(warnings, []);
}
