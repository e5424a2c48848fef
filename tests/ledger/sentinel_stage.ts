import { sleep, startSentinels, type TestSentinels, type TestServer } from "../servers/mod.ts";
import { Book } from "./book.ts";
import { LoopDelay } from "./loop_delay.ts";
import { FLAGS, QUEUE, type Stage, type StageOptions, TIMEOUT } from "./stage.ts";
import { Watcher } from "./watcher.ts";
import { Writer } from "./writer.ts";

/**
 * A primary and its replica, watched over by three sentinels. The writer writes to whatever a
 * sentinel calls the primary; the watcher is informed of the sentinels only.
 */
export class SentinelStage implements Stage, AsyncDisposable {
  /** The primary of which {@linkcode leave} spoke last. */
  left!: TestServer;
  readonly #resources: AsyncDisposableStack;

  private constructor(
    readonly book: Book,
    readonly all: TestSentinels,
    readonly writer: Writer,
    readonly watcher: Watcher,
    readonly delay: LoopDelay,
    resources: AsyncDisposableStack,
  ) {
    this.#resources = resources;
  }

  static async open(
    options: StageOptions,
  ): Promise<SentinelStage> {
    const { protocol, binary, certificates, rate = 1000, consumer = "loop" } = options;
    const book = new Book();
    await using resources = new AsyncDisposableStack();
    const all = resources.use(
      await startSentinels({
        ...(binary ? { binary } : {}),
        ...(certificates ? { tls: certificates } : {}),
        config: FLAGS,
        // A sentinel may take a second to reach the new primary, and must not find that one down.
        downAfter: 2000,
      }),
    );
    const delay = resources.use(new LoopDelay());
    const watcher = resources.use(
      await Watcher.start({
        target: {
          sentinels: all.sentinels.map(({ url, tlsUrl }) => certificates ? tlsUrl : url),
          name: all.name,
        },
        book,
        channels: ["__keyspace@0__:n:*"],
        consumer,
        connect: {
          protocol,
          ...(certificates ? { tls: { ca: certificates.ca, ...certificates.client } } : {}),
          queue: { items: QUEUE },
          timeout: TIMEOUT,
          // In RESP2 a gap of a failover begins up to an interval early.
          heartbeat: { interval: 100, timeout: 1500 },
          ...options.connect,
        },
      }),
    );
    const primary = resources.use(new Primary(all));
    const writer = resources.use(
      new Writer({ book, rate, lanes: [{ name: "server", target: () => primary.server }] }),
    );
    return new SentinelStage(book, all, writer, watcher, delay, resources.move());
  }

  /** The server that is the primary, and is going to be left; all must be well enough for that. */
  async leave(): Promise<TestServer> {
    await this.all.whenHealthy();
    return this.left = await this.all.primary();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }
}

/** What a sentinel calls the primary, asked all the time. */
class Primary implements AsyncDisposable {
  server: TestServer;
  #stopped = false;
  readonly #asking: Promise<void>;

  constructor(all: TestSentinels) {
    this.server = all.servers[0]!;
    this.#asking = this.#ask(all);
  }

  async #ask(all: TestSentinels): Promise<void> {
    while (!this.#stopped) {
      this.server = await all.primary();
      await sleep(10);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#asking;
  }
}
