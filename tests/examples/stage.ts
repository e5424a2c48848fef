import type { ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis } from "../../examples/redis.ts";
import { startServer, type TestServer, until } from "../servers/mod.ts";

/** How many of the library's connections to a server hold a subscription. */
export async function watchers(server: TestServer): Promise<number> {
  const clients = String(await server.command("CLIENT", "LIST")).split("\n");
  return clients.filter((line) => / name=keywatch /.test(line) && !/ sub=0 psub=0 /.test(line))
    .length;
}

/** A server, a client for ordinary commands, and the examples that watch it. */
export class Stage implements AsyncDisposable {
  readonly server: TestServer;
  readonly redis: Redis;
  readonly #clients: Redis[] = [];
  readonly #end = new AbortController();
  readonly #running: Promise<void>[] = [];

  private constructor(server: TestServer, redis: Redis) {
    this.server = server;
    this.redis = redis;
  }

  /** @param flags the server's `notify-keyspace-events` */
  static async open(flags: string): Promise<Stage> {
    const server = await startServer({ config: { "notify-keyspace-events": flags } });
    try {
      return new Stage(server, await openRedis(server.url));
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  get url(): string {
    return this.server.url;
  }

  /** Aborted when the stage is left. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** Another client, for one who needs a connection of its own. */
  async client(): Promise<Redis> {
    const client = await openRedis(this.url);
    this.#clients.push(client);
    return client;
  }

  /**
   * Starts an example, and resolves once it has subscribed.
   *
   * @param count to how many connections
   * @returns what ends it alone
   */
  async watch(
    start: (options: ConnectOptions) => Promise<void>,
    count = 1,
  ): Promise<() => Promise<void>> {
    const before = await watchers(this.server);
    const own = new AbortController();
    const running = start({ signal: AbortSignal.any([own.signal, this.signal]) });
    this.#running.push(running);
    const failed = running.then(() => {
      throw new Error("The example has ended by itself");
    });
    failed.catch(() => {});
    await Promise.race([
      failed,
      until("it watches", async () => await watchers(this.server) >= before + count),
    ]);
    return async () => {
      own.abort();
      await running;
    };
  }

  /**
   * Does something that no example is informed of: cuts their connections, and sends these commands
   * before any of them can be back.
   */
  async behindTheirBacks(...commands: (string | number)[][]): Promise<void> {
    await Promise.all([
      this.server.command("CLIENT", "KILL", "TYPE", "pubsub"),
      ...commands.map((command) => this.server.command(...command)),
    ]);
  }

  /** Ends the server. The client goes first: while it waits to reconnect, it cannot be ended. */
  async kill(): Promise<void> {
    this.redis.destroy();
    await this.server.kill();
  }

  /** Ends all that runs on it. */
  end(): void {
    this.#end.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
    try {
      await Promise.all(this.#running);
    } finally {
      for (const client of [this.redis, ...this.#clients]) if (client.isOpen) client.destroy();
      await this.server.stop();
    }
  }
}
