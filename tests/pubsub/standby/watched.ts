import { connect, type ConnectOptions, type Gap, type RolledBack } from "../../../mod.ts";
import type { StandbyStatus } from "../../../pubsub/mod.ts";
import { sleep, type TestSentinels, type TestServer, until, within } from "../../servers/mod.ts";

/** The protocol of the servers' connections. */
export interface Protocol {
  readonly protocol?: 2 | 3 | undefined;
}

/** What a client with a standby was given. */
export class Watched implements AsyncDisposable {
  readonly gaps: Gap[] = [];
  readonly rolledBack: RolledBack[] = [];
  readonly warnings: string[] = [];
  /** The events, with their keys. */
  readonly events: string[] = [];
  notifications!: Awaited<ReturnType<typeof connect>>;

  /** Watches the primary that sentinels name, and waits until its replica is matched, if it can be. */
  static async start(
    all: TestSentinels,
    channels: readonly string[],
    { protocol = 3, ...options }: Protocol & Omit<ConnectOptions, "protocol"> = {},
    isMatched = true,
  ): Promise<Watched> {
    const watched = new Watched();
    watched.notifications = await connect({ sentinels: all.urls, name: all.name }, {
      protocol,
      standby: true,
      onGap: (gap) => watched.gaps.push(gap),
      onRolledBack: (item) => watched.rolledBack.push(item),
      onWarning: (message) => watched.warnings.push(message),
      ...options,
    });
    await watched.notifications.subscribe(...channels, {
      handler: ({ eventType, key }) => watched.events.push(`${eventType} ${key}`),
    });
    if (isMatched) await watched.whenMatched();
    return watched;
  }

  get standby(): StandbyStatus {
    return this.notifications.status().nodes[0]!.standby!;
  }

  /** Waits until the primary leads, and its replica could replace it. */
  async whenMatched(): Promise<void> {
    await until("the streams are matched", () => {
      const { isMatched, isLeading } = this.standby;
      return isMatched && !isLeading;
    }, 30_000);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.notifications.close();
  }
}

/** Ends the connections of watchers to a server, and of nobody else. */
export async function cut(server: TestServer): Promise<void> {
  const clients = String(await server.command("CLIENT", "LIST")).split("\n");
  for (const client of clients) {
    const [, id] = /^id=(\d+) .* name=keywatch .* p?sub=[1-9]/.exec(client) ?? [];
    if (id !== undefined) await server.command("CLIENT", "KILL", "ID", id);
  }
}

/** Sets numbered keys one after another at whatever is the primary, until it is stopped. */
export class Numbers implements AsyncDisposable {
  /** The numbers that were written, in order, and the ports of the servers that took them. */
  readonly written: number[] = [];
  readonly ports: Map<number, number> = new Map<number, number>();
  /** What may have been written. */
  readonly uncertain: Set<number> = new Set<number>();
  readonly #done: Promise<void>;
  #isOver = false;

  constructor(primary: () => TestServer | Promise<TestServer>) {
    this.#done = this.#run(primary);
  }

  async #run(primary: () => TestServer | Promise<TestServer>): Promise<void> {
    for (let number = 0; !this.#isOver; number++) {
      try {
        const server = await primary();
        this.uncertain.add(number);
        await within(server.command("SET", `n:${number}`, ""), 1_000, "SET");
        this.uncertain.delete(number);
        this.written.push(number);
        this.ports.set(number, server.port);
      } catch {
        await sleep(10);
      }
      if (number % 4 === 0) await sleep(1);
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
