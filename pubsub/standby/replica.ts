// Imports few values: those that other chunks share would divide these in every bundle.
import { ConnectError } from "../connection/errors.ts";
import type { Connection } from "../connection/connection.ts";
import type { ServerInfo } from "../connection/handshake.ts";
import { type Address, formatAddress } from "../connection/transport.ts";
import type { Dispatcher } from "../dispatcher.ts";
import type { Settings } from "../options.ts";
import type { Server } from "../server.ts";
import { type Place, readPlace, Side, type SideTaker, type StandbyEvent } from "./side.ts";
import type { Cut, Frozen } from "./succession.ts";

/** How often a replica whose connection was cut is connected to before another one. */
const ATTEMPTS = 3;

/** What a replica needs, and where it reports. */
export interface ReplicaOptions {
  readonly settings: Settings;
  readonly dispatcher: Dispatcher;
  readonly Server: typeof Server;
  /** Lists the replicas of the primary, the best first. */
  replicas(signal: AbortSignal): Promise<readonly Address[]>;
  /** The name of the primary. */
  primary(): string;
  /** The connection is lost. */
  onLost(): void;
  onState(): void;
  /** The stream is over although the connection may not be: something is missing. */
  onBroken(): void;
  onWarning(message: string): void;
}

/** The stream of the replica, and whom it follows. */
export class Replica extends Side {
  /** Whom the replica follows, as far as its stream is known; null if it is a primary. */
  source: string | null = null;
  /** The ids of its events since it was last known to follow that one. */
  readonly recent: Set<string> = new Set();
  /** Events that wait until it is known whose history they are; null if none have to. */
  frozen: Frozen | null = null;
  /** Where it was asked last, and how many messages had come by then. */
  lastPlace: { readonly offset: number; readonly received: number } | null = null;
  readonly #options: ReplicaOptions;
  /** Whether a warning was given that the server does not report when it receives everything again. */
  readonly #tracking = { hasWarned: false };
  #address: Address | null = null;
  readonly #tried = new Set<string>();

  constructor(taker: SideTaker, options: ReplicaOptions) {
    super(taker);
    this.#options = options;
    const { settings, dispatcher } = options;
    this.server = new options.Server({
      locator: { name: "a replica", locate: (signal) => this.#locate(signal) },
      settings: {
        ...settings,
        maxAttempts: Infinity,
        // They are compared with those of the primary.
        flags: "ignore",
        // A resynchronization is reported as a flush.
        flushes: this.#tracking,
        onWarning: (message) => options.onWarning(message),
      },
      dispatcher,
      gate: this,
      owner: {
        inspect: (info, connection) => this.#inspect(info, connection),
        onLost: () => options.onLost(),
        onState: () => options.onState(),
        onDropped: () => options.onBroken(),
      },
    });
  }

  /** Whether the server is ready, and reports when it receives everything again. */
  get isReady(): boolean {
    return this.server.state === "ready" && !this.#tracking.hasWarned;
  }

  /** Its events wait from now on. */
  freeze(place: Place | null, cut: Cut | null): void {
    this.frozen = { place, cut, events: [], bytes: 0, since: performance.now() };
  }

  /**
   * Has an event wait.
   *
   * @returns whether there is room for it
   */
  hold(event: StandbyEvent): boolean {
    const { events } = this.frozen!;
    const { items, bytes } = this.#options.settings.queue;
    events.push(event);
    return events.length <= items && (this.frozen!.bytes += event.bytes) <= bytes;
  }

  /** What was received of a connection that is lost now. */
  cut(): Cut {
    const { lastPlace, received } = this;
    const offset = lastPlace?.received === received ? lastPlace.offset : null;
    return { offset, received, attempts: 0 };
  }

  /** Its stream is over, or starts again. */
  forget(): void {
    this.stream = null;
    this.frozen = null;
    this.lastPlace = null;
    this.recent.clear();
  }

  /** Looks for another replica. */
  leave(why: string): void {
    const { node } = this.server;
    const reason = new ConnectError("SERVER_REPLACED", `${node} was left: ${why}`, {
      server: node,
    });
    this.server.reconnect(reason, "disconnected");
  }

  async #locate(signal: AbortSignal): Promise<Address> {
    this.#tracking.hasWarned = false;
    const cut = this.frozen?.cut ?? null;
    if (cut !== null) {
      if (++cut.attempts <= ATTEMPTS) return this.#address!;
      this.#options.onBroken();
    }
    const primary = this.#options.primary();
    const others = (await this.#options.replicas(signal))
      .filter((address) => formatAddress(address) !== primary);
    let address = others.find((address) => !this.#tried.has(formatAddress(address)));
    if (address === undefined) {
      this.#tried.clear();
      [address] = others;
    }
    if (address === undefined) {
      throw new ConnectError("NOT_CONNECTED", `No replica of ${primary} can be connected to`, {
        server: primary,
      });
    }
    this.#tried.add(formatAddress(address));
    return this.#address = address;
  }

  async #inspect({ role }: ServerInfo, connection: Connection): Promise<void> {
    // It may have been promoted.
    if (this.frozen !== null) return;
    const place = readPlace(await connection.request("ROLE"));
    if (role === "replica" && place?.source) {
      this.source = place.source;
      return;
    }
    const { server } = connection;
    throw new ConnectError("WRONG_ROLE", `Cannot have ${server} stand by: it is not a replica`, {
      server,
    });
  }
}
