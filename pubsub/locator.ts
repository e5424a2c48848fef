import type { Connection } from "./connection/connection.ts";
import type { ServerInfo } from "./connection/handshake.ts";
import type { Address } from "./connection/transport.ts";
import type { Settings } from "./options.ts";

/** What to watch, and how. */
export interface Source {
  /** Locates the server. */
  readonly locator: Locator;
  /** The options, and what the target says. */
  readonly settings: Settings;
  /**
   * Keeps up with where the server is, until the signal is aborted; nothing does if left out.
   *
   * @param leave called with the reason when another server has replaced it
   */
  follow?(signal: AbortSignal, leave: (why: string) => void): void;
  /** Lists the replicas of the server, the best first. Only where somebody knows them. */
  replicas?(signal: AbortSignal): Promise<readonly Address[]>;
}

/** Locates a server, each time before it is connected to. */
export interface Locator {
  /** The name of the server until it is located. */
  readonly name: string;
  /** Returns the current address of the server. */
  locate(signal: AbortSignal): Promise<Address>;
  /**
   * Inspects the server at the last address, before anything is subscribed.
   *
   * @returns a time, in ms since the epoch, before which no other server had replaced the one that was
   * inspected last; Infinity if none has
   * @throws if it is not the server to be watched
   */
  inspect?(info: ServerInfo, connection: Connection): Promise<number>;
  /** Whether an error of the first attempt to connect may be temporary. */
  isPassing?(error: Error): boolean;
  /** Notes how far the replication stream of the server had come when the server was asked. */
  noteOffset?(offset: number | null, askedAt: number): void;
}
