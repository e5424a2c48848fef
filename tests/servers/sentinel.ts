import { TestServer } from "./server.ts";
import type { ServerOptions } from "./server_process.ts";
import { until } from "./wait.ts";

export interface SentinelsOptions extends Omit<ServerOptions, "port" | "args"> {
  /** How many sentinels; 3 if not given. */
  sentinels?: number;
  /** How many replicas the primary has; 1 if not given. */
  replicas?: number;
  /** How many sentinels must find the primary down; a majority if not given. */
  quorum?: number;
  /** After how long without an answer it is found down, in ms; 500 if not given. */
  downAfter?: number;
  /** The password of the sentinels themselves. */
  sentinelPassword?: string;
}

/** The name under which the sentinels know the primary. */
const NAME = "mymaster";

/** A reply that is a flat list of names and values. */
function fields(reply: unknown): Map<string, string> {
  const list = reply as string[];
  return new Map(
    list.flatMap((name, i) => i % 2 === 0 ? [[name, list[i + 1]!] as const] : []),
  );
}

/** A real primary with its replicas, and the sentinels that watch over it. */
export class TestSentinels implements AsyncDisposable {
  readonly #options: Required<Pick<SentinelsOptions, "quorum" | "downAfter">> & SentinelsOptions;
  readonly #servers: TestServer[] = [];
  readonly #sentinels: TestServer[] = [];

  /** The name under which the sentinels know the primary. */
  readonly name: string = NAME;

  private constructor(options: SentinelsOptions) {
    const { sentinels = 3 } = options;
    this.#options = { quorum: (sentinels >> 1) + 1, downAfter: 500, ...options };
  }

  static async start(options: SentinelsOptions = {}): Promise<TestSentinels> {
    const { sentinels: count = 3, replicas = 1 } = options;
    const all = new TestSentinels(options);
    try {
      await all.#startServers(1);
      await all.#startServers(replicas);
      await all.#startSentinels(count);
      await all.#setPeriods({ "INFO-PERIOD": 100, "PUBLISH-PERIOD": 100, "ASK-PERIOD": 200 });
      await all.whenHealthy();
      // With a short period, a sentinel demotes a promoted replica before it learns of the failover.
      await all.#setPeriods({ "INFO-PERIOD": 10_000, "PUBLISH-PERIOD": 2_000 });
      return all;
    } catch (error) {
      await all.stop();
      throw error;
    }
  }

  /** Starts servers; all but the first one follow it. */
  async #startServers(count: number): Promise<void> {
    const {
      sentinels: _sentinels,
      replicas: _replicas,
      sentinelPassword: _sentinelPassword,
      quorum: _quorum,
      downAfter: _downAfter,
      ...options
    } = this.#options;
    const [primary] = this.#servers;
    const { password, tls } = options;
    const config = {
      ...(password === undefined ? {} : { masterauth: password }),
      ...(tls === undefined ? {} : { "tls-replication": "yes" }),
      ...(primary === undefined ? {} : { replicaof: `${primary.host} ${portOf(primary)}` }),
      ...options.config,
    };
    await settle(this.#servers, count, () => TestServer.start({ ...options, config }));
    if (primary === undefined) return;
    for (const replica of this.#servers.slice(1)) {
      await until(`server ${replica.port} follows ${primary.port}`, async () => {
        const info = await replica.command("INFO", "replication") as string;
        return info.includes("master_link_status:up");
      });
    }
  }

  async #startSentinels(count: number): Promise<void> {
    const { password, sentinelPassword, quorum, downAfter, binary, tls } = this.#options;
    const [primary] = this.#servers;
    const options: ServerOptions = {
      ...(binary === undefined ? {} : { binary }),
      ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
      ...(tls === undefined ? {} : { tls }),
      args: ["--sentinel"],
      keepsConfig: true,
      config: {
        ...(tls === undefined ? {} : { "tls-replication": "yes" }),
        sentinel: [
          `monitor ${NAME} ${primary!.host} ${portOf(primary!)} ${quorum}`,
          `down-after-milliseconds ${NAME} ${downAfter}`,
          // Two sentinels that stand for election at once try again after twice this time.
          `failover-timeout ${NAME} 3000`,
          ...(password === undefined ? [] : [`auth-pass ${NAME} ${password}`]),
        ],
      },
    };
    await settle(this.#sentinels, count, () => TestServer.start(options));
  }

  /** Sets, in ms, how often the sentinels exchange what they know; servers before 7.0 refuse it. */
  async #setPeriods(periods: Record<string, number>): Promise<void> {
    const args = Object.entries(periods).flat();
    await Promise.allSettled(
      this.#sentinels.map((sentinel) => sentinel.command("SENTINEL", "DEBUG", ...args)),
    );
  }

  /** Every server, those that were killed too: the first primary first. */
  get servers(): readonly TestServer[] {
    return this.#servers;
  }

  /** Every sentinel, those that were killed too. */
  get sentinels(): readonly TestServer[] {
    return this.#sentinels;
  }

  /** `redis://` addresses of all sentinels, without credentials. */
  get urls(): string[] {
    return this.#sentinels.map(({ url }) => url);
  }

  /** The server that a sentinel calls the primary. */
  async primary(asked: TestServer = this.#sentinels[0]!): Promise<TestServer> {
    const reply = await asked.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME);
    const port = Number((reply as string[])[1]);
    const found = this.#servers.find((server) => portOf(server) === port);
    if (!found) throw new Error(`No server of these listens on port ${port}`);
    return found;
  }

  /** Makes a replica the primary, with the old one alive, and resolves once all sentinels say so. */
  async failover(asked: TestServer = this.#sentinels[0]!): Promise<TestServer> {
    const before = await this.primary(asked);
    // A sentinel gives it up when the replica is out of its reach for a moment.
    await until("a failover succeeds", async () => {
      const master = fields(await asked.command("SENTINEL", "MASTER", NAME));
      if (Number(master.get("port")) !== portOf(before)) return true;
      if (!master.get("flags")!.includes("failover_in_progress")) {
        await asked.command("SENTINEL", "FAILOVER", NAME);
      }
      return false;
    }, 60_000);
    return await this.whenMoved(before);
  }

  /** Resolves once the given sentinels, or all, name another primary, and it is one. */
  async whenMoved(
    from: TestServer,
    sentinels: readonly TestServer[] = this.#sentinels,
  ): Promise<TestServer> {
    for (const sentinel of sentinels) {
      await until(`sentinel ${sentinel.port} names another primary`, async () => {
        return await this.primary(sentinel) !== from;
      }, 60_000);
    }
    const primary = await this.primary(sentinels[0]);
    await until(`server ${primary.port} is the primary`, async () => {
      return ((await primary.command("ROLE")) as string[])[0] === "master";
    });
    return primary;
  }

  /** Resolves once every sentinel knows all the others, and every replica well enough to promote it. */
  async whenHealthy(): Promise<void> {
    const others = this.#sentinels.length - 1;
    const replicas = this.#servers.length - 1;
    for (const sentinel of this.#sentinels) {
      await until(`sentinel ${sentinel.port} knows all the others`, async () => {
        const known = await sentinel.command("SENTINEL", "SENTINELS", NAME) as unknown[];
        return known.filter((one) => fields(one).get("flags") === "sentinel").length === others;
      });
      await until(`sentinel ${sentinel.port} knows all replicas`, async () => {
        const known = (await sentinel.command("SENTINEL", "REPLICAS", NAME) as unknown[])
          .map(fields);
        return known.filter((one) =>
          one.get("flags") === "slave" && one.get("master-link-status") === "ok"
        ).length === replicas;
      });
    }
  }

  /** Ends every process and removes every folder. */
  async stop(): Promise<void> {
    await Promise.all([...this.#sentinels, ...this.#servers].map((server) => server.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** The port by which the servers and sentinels know each other. */
function portOf(server: TestServer): number {
  return server.ports["tls-port"] ?? server.port;
}

/** Starts servers side by side; those that came up are kept when one did not. */
async function settle(
  into: TestServer[],
  count: number,
  start: () => Promise<TestServer>,
): Promise<void> {
  const settled = await Promise.allSettled(Array.from({ length: count }, start));
  for (const one of settled) if (one.status === "fulfilled") into.push(one.value);
  for (const one of settled) if (one.status === "rejected") throw one.reason;
}

/** Starts a primary, its replicas and sentinels, and resolves when a failover could succeed. */
export function startSentinels(options: SentinelsOptions = {}): Promise<TestSentinels> {
  return TestSentinels.start(options);
}
