import {
  type ClusterOptions,
  connect,
  type Gap,
  type KeyNotification,
  type KeyspaceNotificationsInterface,
} from "../../mod.ts";
import type { Book } from "./book.ts";
import { Gate } from "./gate.ts";
import type { ReportedGap, Seen } from "./ledger.ts";

export interface WatcherOptions {
  readonly target: Parameters<typeof connect>[0];
  /** Tells which write a notification is of. */
  readonly book: Book;
  /** Channels on which each write is one event; if several match, it is still one. */
  readonly channels: readonly string[];
  /** How notifications are taken. A handler learns of gaps by `onGap` alone. */
  readonly consumer: "loop" | "handler";
  readonly connect: ClusterOptions;
}

/** The library at work: what it says, in the order in which it says it. */
export class Watcher implements AsyncDisposable {
  readonly seen: Seen[] = [];
  /** Closed, the consumer takes nothing. */
  readonly gate: Gate = new Gate();
  /** The highest number seen. */
  highest = 0;
  /** Why no more comes; null while it does. */
  failure: Error | null = null;
  /** Warnings and errors that were told. */
  readonly remarks: string[] = [];
  readonly #told: Gap[] = [];
  readonly #options: WatcherOptions;
  #notifications!: KeyspaceNotificationsInterface;
  #reading: Promise<void> = Promise.resolve();

  private constructor(options: WatcherOptions) {
    this.#options = options;
  }

  /** Resolves once it is subscribed. */
  static async start(options: WatcherOptions): Promise<Watcher> {
    const { target, channels, consumer } = options;
    const watcher = new Watcher(options);
    watcher.#notifications = await connect(target, {
      ...options.connect,
      onGap: (gap) => watcher.#onGap(gap),
      onWarning: (message) => watcher.remarks.push(message),
      onError: (error) => watcher.remarks.push(String(error)),
    });
    const handler = (notification: KeyNotification) => watcher.#take(notification);
    const taken = consumer === "handler" ? { handler } : {};
    try {
      await watcher.#notifications.subscribe(...channels, taken);
    } catch (error) {
      await watcher.#notifications.close();
      throw error;
    }
    if (consumer === "loop") watcher.#reading = watcher.#read();
    return watcher;
  }

  /** Whether the library says that everything wanted is confirmed. */
  get isReady(): boolean {
    return this.#notifications.status().state === "ready";
  }

  /** How the library says that things stand. */
  get status(): string {
    return JSON.stringify(this.#notifications.status());
  }

  /** Gaps of the stream that `onGap` was not told, and the other way round. */
  get disagreements(): string[] {
    const inStream = this.seen.flatMap((item) => item.kind === "gap" ? [item.gap] : []);
    // An overflow swallows the gaps that wait in the queue, but not their times.
    const swallowed = (gap: Gap) =>
      inStream.some(({ reason, from, to }) =>
        reason === "overflow" && from <= gap.from && gap.to <= to
      );
    const same = (one: ReportedGap, other: ReportedGap) =>
      JSON.stringify(one) === JSON.stringify(other);
    return [
      ...inStream.filter((gap) => !this.#told.some((told) => same(told, gap)))
        .map((gap) => `onGap was not told of ${JSON.stringify(gap)}`),
      ...this.#told.filter((told) => !inStream.some((gap) => same(told, gap)) && !swallowed(told))
        .map((gap) => `the stream lacks the gap ${JSON.stringify(gap)}`),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.gate.open();
    await this.#notifications.close();
    await this.#reading;
  }

  async #read(): Promise<void> {
    try {
      for await (const item of this.#notifications.listen({ gaps: true })) {
        await this.gate.pass();
        this.#enter(item);
      }
    } catch (error) {
      this.failure = error as Error;
    }
  }

  #take(notification: KeyNotification): Promise<void> | void {
    if (this.gate.isOpen) return this.#enter(notification);
    return this.gate.pass().then(() => this.#enter(notification));
  }

  #onGap(gap: Gap): void {
    this.#told.push(gap);
    if (this.#options.consumer === "handler") this.#enter(gap);
  }

  #enter(item: KeyNotification | Gap): void {
    if (item.kind === "gap") {
      this.seen.push({ kind: "gap", gap: item, at: Date.now() });
      return;
    }
    const { eventType, key, timestamp: at } = item;
    const number = this.#options.book.find(eventType, key);
    if (number === null) this.seen.push({ kind: "stranger", what: `${eventType} ${key}`, at });
    else this.seen.push({ kind: "write", number, at });
    this.highest = Math.max(this.highest, number ?? 0);
  }
}
