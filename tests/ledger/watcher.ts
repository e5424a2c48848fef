import {
  type ClusterOptions,
  connect,
  type Gap,
  type KeyNotification,
  type KeyspaceNotificationsInterface,
  type MigrationStatus,
  TimeoutError,
} from "../../mod.ts";
import type { Book } from "./book.ts";
import { Gate } from "./gate.ts";
import type { Seen } from "./ledger.ts";
import { Observations } from "./observations.ts";

export interface WatcherOptions {
  readonly target: Parameters<typeof connect>[0];
  /** says which write a notification is of. */
  readonly book: Book;
  /** Channels on which each write is one event; if several match, it is still one. */
  readonly channels: readonly string[];
  /** How notifications are taken. A handler learns of gaps by `onGap` alone. */
  readonly consumer: "loop" | "handler";
  readonly connect: ClusterOptions;
}

/** The library at work, here or elsewhere: what it says, in the order in which it says it. */
export interface Watching extends AsyncDisposable {
  readonly seen: readonly Seen[];
  /** Closed, the consumer takes nothing. */
  readonly gate: { close(): void; open(): void };
  /** The highest number seen. */
  readonly highest: number;
  /** Why nothing more is received; null while it is. */
  readonly failure: Error | null;
  /** Whether the library says that everything desired is confirmed. */
  readonly isReady: boolean;
  /** How the library says that things stand. */
  readonly status: string;
  /** What the library says of slots that migrate. */
  readonly migrations: MigrationStatus;
  /** Gaps that only the stream or only `onGap` reported. */
  readonly disagreements: readonly string[];
  /** Stops its process, if it is another one. */
  pause?(): void;
  resume?(): void;
  /** For how much of a stretch of time nothing could run there that can run here, in ms. */
  stolen(from: number, to: number): number;
}

/** What there is to say where nothing moves. */
export const NO_MIGRATIONS: MigrationStatus = { artefacts: 0, uncertain: 0, held: 0, heldBytes: 0 };

/** The library at work in this process. */
export class Watcher implements Watching {
  readonly gate: Gate = new Gate();
  failure: Error | null = null;
  /** Warnings and errors that were reported. */
  readonly remarks: string[] = [];
  readonly #options: WatcherOptions;
  readonly #observations: Observations;
  #notifications!: KeyspaceNotificationsInterface;
  #reading: Promise<void> = Promise.resolve();

  private constructor(options: WatcherOptions) {
    this.#options = options;
    this.#observations = new Observations(options.book);
  }

  /** Resolves once it is subscribed; a machine that is too busy just then gets another chance. */
  static async start(options: WatcherOptions): Promise<Watcher> {
    for (let chances = 5;; chances--) {
      try {
        return await Watcher.#start(options);
      } catch (error) {
        if (chances === 1 || !(error instanceof TimeoutError)) throw error;
      }
    }
  }

  static async #start(options: WatcherOptions): Promise<Watcher> {
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

  get seen(): readonly Seen[] {
    return this.#observations.seen;
  }

  get highest(): number {
    return this.#observations.highest;
  }

  get migrations(): MigrationStatus {
    return this.#notifications.status().migrations ?? NO_MIGRATIONS;
  }

  get isReady(): boolean {
    return this.#notifications.status().state === "ready";
  }

  get status(): string {
    return JSON.stringify(this.#notifications.status());
  }

  get disagreements(): string[] {
    return this.#observations.disagreements;
  }

  stolen(): number {
    return 0;
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
        if (item.kind === "gap") this.#observations.seeGap(item, Date.now());
        else this.#observations.see(item);
      }
    } catch (error) {
      this.failure = error as Error;
    }
  }

  #take(notification: KeyNotification): Promise<void> | void {
    if (this.gate.isOpen) return this.#observations.see(notification);
    return this.gate.pass().then(() => this.#observations.see(notification));
  }

  #onGap(gap: Gap): void {
    this.#observations.tell(gap);
    if (this.#options.consumer === "handler") this.#observations.seeGap(gap, Date.now());
  }
}
