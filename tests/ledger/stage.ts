import type { ClusterOptions } from "../../mod.ts";
import {
  type Argument,
  type Certificates,
  type Reply,
  type ServerBinary,
  startServer,
  type TestServer,
  until,
} from "../servers/mod.ts";
import { Book } from "./book.ts";
import { LoopDelay } from "./loop_delay.ts";
import { Proxy } from "./proxy.ts";
import { Watcher, type WatcherOptions, type Watching } from "./watcher.ts";
import { Writer } from "./writer.ts";

/** The flags with which every server of a run starts, but where a fault takes them away. */
export const FLAGS = { "notify-keyspace-events": "KEA" };

/** The watcher's password, but where a fault changes it. */
export const PASSWORD = "watch";

/** How many notifications may wait for the consumer: a stall of some seconds overflows. */
export const QUEUE = 1500;

/** After how long a silent peer is given up, in ms: long enough for a busy machine. */
export const HEARTBEAT: { interval: number; timeout: number } = { interval: 500, timeout: 1500 };

/** How long connecting to and any one answer may take, in ms. */
export const TIMEOUT = 2000;

/** The stated margins, in ms: how much wider than a fault a gap may be on its account. */
export const RECOVERY: { before: number; after: number; pause: number; silence: number } = {
  before: 250,
  after: 250,
  // Reconnecting begins when an attempt to connect that fails has done so, and the longest pause
  // between two is over.
  pause: TIMEOUT + 5000,
  // What a silent peer costs besides: one heartbeat.
  silence: HEARTBEAT.interval + HEARTBEAT.timeout,
};

/** The harness is another user, so that a changed password does not shut it out. */
const HARNESS = { username: "harness", password: "harness" };

export interface StageOptions {
  readonly protocol: 2 | 3;
  readonly binary?: ServerBinary;
  /** Writes per second; 1000 if not given. */
  readonly rate?: number;
  readonly channels?: WatcherOptions["channels"];
  readonly consumer?: WatcherOptions["consumer"];
  /** With these the watcher speaks TLS. */
  readonly certificates?: Certificates | undefined;
  /** Starts the watcher; in this process if left out. */
  readonly watch?: (options: WatcherOptions) => Promise<Watching>;
  /** Further options of the watcher. */
  readonly connect?: ClusterOptions;
}

/** What every run needs: who writes, who watches, and who keeps book and time. */
export interface Stage {
  readonly book: Book;
  readonly writer: Writer;
  readonly watcher: Watching;
  readonly delay: Pick<LoopDelay, "stolen">;
}

/** A server that is written to, a proxy, and a watcher behind it. */
export class SingleStage implements Stage, AsyncDisposable {
  readonly #resources: AsyncDisposableStack;

  private constructor(
    readonly book: Book,
    readonly server: TestServer,
    readonly proxy: Proxy,
    readonly writer: Writer,
    readonly watcher: Watching,
    readonly delay: Stage["delay"],
    resources: AsyncDisposableStack,
  ) {
    this.#resources = resources;
  }

  /** Resolves once the watcher is subscribed; then the writer has begun. */
  static async open(options: StageOptions): Promise<SingleStage> {
    const { protocol, binary, certificates, rate = 1000, consumer = "loop" } = options;
    const { channels = ["__keyspace@0__:n:*"], watch = Watcher.start } = options;
    const book = new Book();
    await using resources = new AsyncDisposableStack();
    const server = resources.use(
      await startServer({
        ...(binary ? { binary } : {}),
        ...(certificates ? { tls: certificates } : {}),
        config: FLAGS,
        password: PASSWORD,
        acl: [`${HARNESS.username} on >${HARNESS.password} ~* &* +@all`],
        admin: HARNESS,
      }),
    );
    const proxy = resources.use(
      await Proxy.start(() => ({
        host: server.host,
        port: certificates ? server.ports["tls-port"]! : server.port,
      })),
    );
    const here = resources.use(new LoopDelay());
    const watcher = resources.use(
      await watch({
        book,
        target: `${certificates ? "rediss" : "redis"}://${proxy.host}:${proxy.port}`,
        channels,
        consumer,
        connect: {
          protocol,
          ...(certificates ? { tls: { ca: certificates.ca, ...certificates.client } } : {}),
          password: PASSWORD,
          queue: { items: QUEUE },
          timeout: TIMEOUT,
          heartbeat: HEARTBEAT,
          ...options.connect,
        },
      }),
    );
    const lane = { name: "server", target: () => server, credentials: HARNESS };
    const writer = resources.use(new Writer({ book, rate, lanes: [lane] }));
    const delay = {
      stolen: (from: number, to: number) => here.stolen(from, to) + watcher.stolen(from, to),
    };
    return new SingleStage(book, server, proxy, writer, watcher, delay, resources.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }
}

/** Sends a command as the administrator, also to a server that is only just reconnecting. */
export async function admin({ server }: SingleStage, ...command: Argument[]): Promise<Reply> {
  let reply: Reply = null;
  await until(`${server.url} takes ${command.join(" ")}`, async () => {
    reply = await server.command(...command);
    return true;
  });
  return reply;
}
