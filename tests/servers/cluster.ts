import { Lease } from "./lease.ts";
import { TestServer } from "./server.ts";
import type { ServerOptions } from "./server_process.ts";
import { until } from "./wait.ts";

export interface ClusterOptions extends Omit<ServerOptions, "port"> {
  /** How many primaries share the slots; 3 if not given. */
  primaries?: number;
  /** How many replicas each primary has; none if not given. */
  replicas?: number;
}

const SLOTS = 16_384;

/** One line of `CLUSTER NODES`. */
interface NodeLine {
  id: string;
  port: number;
  flags: string[];
  linked: boolean;
}

async function nodeLines(server: TestServer): Promise<NodeLine[]> {
  const text = await server.command("CLUSTER", "NODES") as string;
  return text.trimEnd().split("\n").map((line) => {
    const [id, address, flags, , , , , link] = line.split(" ");
    const port = Number(/:(\d+)@/.exec(address!)?.[1]);
    return { id: id!, port, flags: flags!.split(","), linked: link === "connected" };
  });
}

async function hasField(server: TestServer, command: string[], field: string): Promise<boolean> {
  const text = await server.command(...command) as string;
  return text.split(/\r?\n/).includes(field);
}

/** A real cluster of a test's own. */
export class TestCluster implements AsyncDisposable {
  readonly #options: ServerOptions;
  readonly #servers: TestServer[];
  readonly #lease: Lease | null;

  private constructor(
    options: ServerOptions,
    servers: TestServer[] = [],
    lease: Lease | null = null,
  ) {
    this.#lease = lease;
    this.#servers = servers;
    this.#options = {
      ...options,
      freePorts: [...options.freePorts ?? [], "cluster-port"],
      config: { "cluster-enabled": "yes", "cluster-node-timeout": 1500, ...options.config },
    };
  }

  /** Leases a cluster, or starts one. */
  static async lease(options: ClusterOptions, pool?: string): Promise<TestCluster> {
    const { primaries = 3, replicas = 0, ...rest } = options;
    const lease = await Lease.take(rest, { primaries, replicas }, pool);
    if (lease === null) return await TestCluster.start(options);
    const servers = await Promise.all(lease.nodes.map((node) => TestServer.of(node, rest)));
    return new TestCluster(rest, servers, lease);
  }

  /** Starts a cluster, also where {@linkcode startCluster} would lease one. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const { primaries: count = 3, replicas = 0, ...rest } = options;
    const cluster = new TestCluster(rest);
    try {
      await cluster.#startServers(count * (1 + replicas));
      const primaries = cluster.#servers.slice(0, count);
      await Promise.all(primaries.map(async (server, i) => {
        const first = Math.round(i * SLOTS / count);
        const last = Math.round((i + 1) * SLOTS / count) - 1;
        await server.command("CLUSTER", "ADDSLOTSRANGE", first, last);
        await server.command("CLUSTER", "SET-CONFIG-EPOCH", i + 1);
      }));
      await cluster.#meet();
      const followers = cluster.#servers.slice(count);
      await Promise.all(followers.map(async (server, i) => {
        await cluster.replicate(server, primaries[i % count]!);
      }));
      await cluster.#whenKnownAsReplicas(followers.map(({ port }) => port));
      await cluster.whenHealthy();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async #startServers(count: number): Promise<void> {
    const starts = Array.from({ length: count }, () => TestServer.start(this.#options));
    const settled = await Promise.allSettled(starts);
    for (const one of settled) if (one.status === "fulfilled") this.#servers.push(one.value);
    for (const one of settled) if (one.status === "rejected") throw one.reason;
  }

  async #meet(): Promise<void> {
    const [first, ...others] = this.#servers;
    const meets = this.#options.config?.["tls-cluster"] === "yes" ? "tls-port" : "port";
    for (const { host, ports } of others) {
      await first!.command("CLUSTER", "MEET", host, ports[meets]!, ports["cluster-port"]!);
    }
    const ports = this.#servers.map(({ port }) => port).sort().join();
    for (const server of this.#servers) {
      await until(`node ${server.port} knows all the others`, async () => {
        const known = await nodeLines(server);
        return known.every(({ flags }) => !flags.includes("handshake")) &&
          known.map(({ port }) => port).sort().join() === ports;
      });
    }
  }

  /** `CLUSTER SLOTS`, by which health is judged, leaves out replicas that are new. */
  async #whenKnownAsReplicas(ports: readonly number[]): Promise<void> {
    for (const server of this.#servers) {
      await until(`node ${server.port} knows the replicas`, async () => {
        const known = await nodeLines(server);
        return ports.every((port) => {
          return known.some((line) => line.port === port && line.flags.includes("slave"));
        });
      });
    }
  }

  /** Every server, those that were killed too: primaries first, as they were at the start. */
  get servers(): readonly TestServer[] {
    return this.#servers;
  }

  /** `redis://` addresses of all servers. */
  get urls(): string[] {
    return this.#servers.map(({ url }) => url);
  }

  /** Makes a server the replica of another and waits until it follows. */
  async replicate(replica: TestServer, primary: TestServer): Promise<void> {
    const id = await this.idOf(primary);
    await until(`node ${replica.port} may follow ${primary.port}`, async () => {
      return await replica.command("CLUSTER", "REPLICATE", id) === "OK";
    });
    await until(`node ${replica.port} follows ${primary.port}`, async () => {
      return await hasField(replica, ["INFO", "replication"], "master_link_status:up");
    });
  }

  /** Has a replica take over from its living primary. */
  async failOver(replica: TestServer): Promise<void> {
    const isPrimary = async () => (await replica.command("ROLE") as string[])[0] === "master";
    await until(`node ${replica.port} has taken over`, async () => {
      // A primary refuses the command, and the last one may have come to an end late.
      if (await isPrimary()) return true;
      await replica.command("CLUSTER", "FAILOVER");
      // The servers themselves give up after 5 s, when the two are not in step at once.
      await until("it is done", isPrimary, 5_500);
      return true;
    }, 60_000);
  }

  /** Starts another node, which the others know and which owns no slot. */
  async add(): Promise<TestServer> {
    await this.#startServers(1);
    await this.#meet();
    return this.#servers.at(-1)!;
  }

  async idOf(server: TestServer): Promise<string> {
    return await server.command("CLUSTER", "MYID") as string;
  }

  /** The server that owns the slot of a key, as `asked` sees it. */
  async ownerOf(key: string, asked: TestServer = this.#servers[0]!): Promise<TestServer> {
    const slot = await asked.command("CLUSTER", "KEYSLOT", key) as number;
    type Range = [first: number, last: number, primary: [host: string, port: number]];
    for (const [first, last, [, port]] of await asked.command("CLUSTER", "SLOTS") as Range[]) {
      const owner = this.#servers.find((server) => server.port === port);
      if (first <= slot && slot <= last && owner) return owner;
    }
    throw new Error(`No server of this cluster owns slot ${slot}`);
  }

  /** Resolves once the given servers, or all, say that every slot is served and agree on it. */
  async whenHealthy(servers: readonly TestServer[] = this.#servers): Promise<void> {
    for (const server of servers) {
      await until(`node ${server.port} finds the cluster healthy`, async () => {
        return await hasField(server, ["CLUSTER", "INFO"], "cluster_state:ok") &&
          await hasField(server, ["CLUSTER", "INFO"], `cluster_slots_ok:${SLOTS}`);
      });
    }
    await until("all nodes agree on the slots", async () => {
      const views = await Promise.all(servers.map(async (server) => {
        const ranges = await server.command("CLUSTER", "SLOTS") as unknown[][];
        // The order of the ranges and of the replicas in one is not the same on all.
        return JSON.stringify(
          ranges.map(([first, last, primary, ...replicas]) =>
            [first, last, primary, ...replicas.map(String).sort()].map(String)
          ).sort(),
        );
      }));
      return new Set(views).size === 1;
    });
  }

  /** Ends every process and removes every folder. */
  async stop(): Promise<void> {
    const stops = await Promise.allSettled(this.#servers.map((server) => server.stop()));
    for (const one of stops) if (one.status === "rejected") throw one.reason;
    await this.#lease?.[Symbol.asyncDispose]();
  }

  /** Ends every process and removes every folder, or gives back what was leased. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#lease === null) return await this.stop();
    const own = this.#servers.slice(this.#lease.nodes.length);
    await Promise.all(own.map((server) => server.stop()));
    // The clients of the leased ones are closed; the first of them ends the lease.
    await Promise.all(this.#servers.map((server) => server[Symbol.asyncDispose]()));
  }
}

/**
 * Starts a cluster and resolves when every slot is served and all nodes agree. The test runner's
 * pool may have one that is as new.
 */
export function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  return TestCluster.lease(options);
}
