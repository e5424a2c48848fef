import type { Gap, MigrationStatus, Status } from "../../mod.ts";
import { dirname, join } from "node:path";
import { until } from "../servers/mod.ts";
import type { Seen } from "./ledger.ts";
import { type Delay, overlap } from "./loop_delay.ts";
import { Observations } from "./observations.ts";
import { NO_MIGRATIONS, type WatcherOptions, type Watching } from "./watcher.ts";

/** The program that watches in the other process. */
export const SCRIPT: string = join(import.meta.dirname!, "watch.mjs");

/** A runtime: a program, and the arguments that come before the script. */
type Runtime = readonly [string, ...string[]];

/** How long the process may take to end when it is stopped, in ms. */
const ENDING = 20_000;

/** What `watch.mjs` prints. */
interface Line {
  readonly state: Status;
  readonly items: readonly (
    | ["seen", eventType: string, key: string, timestamp: number, migration?: unknown]
    | ["gap", gap: Gap, at: number]
    | ["reported", gap: Gap]
  )[];
  readonly delays: readonly [from: number, ms: number][];
  readonly failure?: string;
}

/** The library at work in a process of its own. */
export class RemoteWatcher implements Watching {
  readonly gate: Watching["gate"] = {
    close: () => this.#order("close"),
    open: () => this.#order("open"),
  };
  failure: Error | null = null;
  readonly #observations: Observations;
  readonly #child: Deno.ChildProcess;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  readonly #stderr: Promise<string>;
  readonly #delays: Delay[] = [];
  #state: Status | null = null;

  private constructor(
    { book, ...options }: WatcherOptions,
    [command, ...args]: Runtime,
    script: string,
  ) {
    this.#observations = new Observations(book);
    this.#child = new Deno.Command(command, {
      args: [...args, script, JSON.stringify(options)],
      cwd: dirname(script),
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#orders = this.#child.stdin.getWriter();
    this.#reading = this.#read();
    this.#stderr = new Response(this.#child.stderr).text();
  }

  /**
   * Resolves once it is subscribed.
   *
   * @param runtime what runs the script
   * @param script the path of {@linkcode SCRIPT}, or of a copy of it beside an installed package
   */
  static async start(
    options: WatcherOptions,
    runtime: Runtime,
    script: string = SCRIPT,
  ): Promise<RemoteWatcher> {
    const watcher = new RemoteWatcher(options, runtime, script);
    try {
      await until("it is subscribed", () => watcher.failure !== null || watcher.#state !== null);
      if (watcher.failure !== null) throw watcher.failure;
      return watcher;
    } catch (error) {
      // What it complained of says more.
      await watcher[Symbol.asyncDispose]();
      throw error;
    }
  }

  get seen(): readonly Seen[] {
    return this.#observations.seen;
  }

  get highest(): number {
    return this.#observations.highest;
  }

  get isReady(): boolean {
    return this.#state?.state === "ready";
  }

  get status(): string {
    return JSON.stringify(this.#state);
  }

  get migrations(): MigrationStatus {
    return this.#state?.migrations ?? NO_MIGRATIONS;
  }

  /** Stops the process where it is, as a machine that hangs. */
  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  get disagreements(): string[] {
    return this.#observations.disagreements;
  }

  stolen(from: number, to: number): number {
    return overlap(this.#delays, from, to);
  }

  /** Asks it to end; fails unless it does so on its own and without errors. */
  async [Symbol.asyncDispose](): Promise<void> {
    let forced = false;
    const timer = setTimeout(() => {
      forced = true;
      this.#child.kill("SIGKILL");
    }, ENDING);
    this.#order("end");
    const { code } = await this.#child.status;
    clearTimeout(timer);
    await this.#orders.close().catch(() => {});
    await this.#reading;
    const complaint = await this.#stderr;
    if (forced) throw new Error("The watching process did not end by itself");
    if (code !== 0 || complaint !== "") {
      throw new Error(`The watching process ended with ${code}: ${complaint}`);
    }
  }

  #order(order: "close" | "open" | "end"): void {
    // Its end is noticed where it is read.
    this.#orders.write(new TextEncoder().encode(`${order}\n`)).catch(() => {});
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#take(JSON.parse(line));
    }
    this.failure ??= new Error("the watching process has ended");
  }

  #take({ state, items, delays, failure }: Line): void {
    this.#state = state;
    for (const [from, ms] of delays) this.#delays.push({ from, ms });
    if (failure !== undefined) this.failure ??= new Error(failure);
    for (const item of items) {
      if (item[0] === "reported") this.#observations.tell(item[1]);
      else if (item[0] === "gap") this.#observations.seeGap(item[1], item[2]);
      else {
        const [, eventType, key, timestamp, migration] = item;
        this.#observations.see({ eventType, key, timestamp, migration });
      }
    }
  }
}
