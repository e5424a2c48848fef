import type { Connection } from "../../pubsub/connection.ts";
import { NO_EVENTS } from "../../pubsub/connection.ts";
import { delay } from "../../pubsub/delay.ts";
import { ClosedError } from "../../pubsub/errors.ts";
import { openConnection } from "../../pubsub/handshake.ts";
import type { TcpAddress } from "../../pubsub/mod.ts";
import type { Settings } from "../../pubsub/options.ts";
import { askRole } from "../../pubsub/role.ts";

/** How often a replica is asked for its role while its primary is not heard, in ms. */
const POLL_MS = 100;
/** The same once this has gone on for long. */
const SLOW_POLL_MS = 1_000;
const LONG = 300;

/** What a succession needs. */
export interface SuccessionOptions {
  readonly settings: Settings;
  /** Says where a node is; null if no node says. */
  readonly locate: (id: string) => TcpAddress | null;
  /** A replica of a primary that is not heard has been promoted. */
  readonly onPromoted: (id: string, primary: string) => void;
}

/**
 * Watches the replicas of primaries that are not heard. A replica knows of its promotion before any
 * topology names it.
 */
export class Succession {
  readonly #options: SuccessionOptions;
  readonly #watched = new Map<string, AbortController>();

  constructor(options: SuccessionOptions) {
    this.#options = options;
  }

  /**
   * Begins with a primary.
   *
   * @returns whether it was not watched over yet
   */
  begin(primary: string, replicas: readonly string[]): boolean {
    if (this.#watched.has(primary) || replicas.length === 0) return false;
    const end = new AbortController();
    this.#watched.set(primary, end);
    for (const id of replicas) this.#watch(primary, id, end.signal);
    return true;
  }

  /** A primary is heard again, or another node owns its slots. */
  end(primary: string): void {
    this.#watched.get(primary)?.abort(new ClosedError(`Node ${primary} was replaced or came back`));
    this.#watched.delete(primary);
  }

  /** Whether the replicas of a primary are watched. */
  watches(primary: string): boolean {
    return this.#watched.has(primary);
  }

  /** Whether nobody is known by now to have replaced some primary. */
  get isUnderWay(): boolean {
    return this.#watched.size > 0;
  }

  /** Ends everything. */
  close(): void {
    for (const primary of this.#watched.keys()) this.end(primary);
  }

  async #watch(primary: string, id: string, signal: AbortSignal): Promise<void> {
    let connection: Connection | null = null;
    for (let asked = 0; !signal.aborted; asked++) {
      try {
        connection ??= await this.#open(id, signal);
        if ((await askRole(connection)).role === "master") {
          this.end(primary);
          this.#options.onPromoted(id, primary);
        }
      } catch {
        // The replica cannot be asked now; the topology may name it later all the same.
      }
      if (connection?.over != null) connection = null;
      await delay(asked < LONG ? POLL_MS : SLOW_POLL_MS, signal).catch(() => {});
    }
    connection?.close(new ClosedError(`The connection to ${connection.server} served its purpose`));
  }

  async #open(id: string, signal: AbortSignal): Promise<Connection> {
    const { settings, locate } = this.#options;
    const { dial, timeout, limits, secrets } = settings;
    const address = locate(id);
    if (address === null) throw new ClosedError(`No node says where ${id} is`);
    const { connection } = await openConnection(
      { address, dial, timeout, limits, secrets, signal, events: NO_EVENTS },
      { ...settings, protocol: 2 },
    );
    return connection;
  }
}
