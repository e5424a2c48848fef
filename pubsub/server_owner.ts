import type { Connection } from "./connection/connection.ts";
import type { ServerInfo } from "./connection/handshake.ts";
import type { Dispatcher, Gate } from "./dispatcher.ts";
import type { GapReason } from "./gap.ts";
import type { Probe } from "./heartbeat.ts";
import type { DroppedMessages } from "./held_messages.ts";
import type { Locator } from "./locator.ts";
import type { Settings } from "./options.ts";
import type { CheckedSession } from "./role_check.ts";
import type { WithConnection } from "./side_connection.ts";

/** The owner of a server that is watched. */
export interface ServerOwner {
  /**
   * Inspects a server before anything is subscribed, on a connection that takes any command.
   *
   * @throws if the server is not to be watched
   */
  inspect(info: ServerInfo, connection: Connection, askedAt: number): void | Promise<void>;
  /** Returns the command of the heartbeat. Default: `PING`. */
  probe?(info: ServerInfo): Probe;
  /**
   * Checks the server in the interval of the heartbeat, on its connection, or in RESP2 on a side
   * connection.
   */
  checkUp?(connection: Connection, session: CheckedSession): Promise<void>;
  /**
   * A side connection has reached another server at the same address. Its replies are ignored, and it
   * is closed afterwards.
   */
  onOtherServer?(info: ServerInfo, connection: Connection, session: CheckedSession): Promise<void>;
  /**
   * Messages may be missing from `from` on, in ms since the epoch: the connection is lost, or the
   * server is degraded. They are not missing any more once the server is ready.
   *
   * @param hasChannels whether the server had confirmed any channels
   */
  onLost(reason: GapReason, from: number, hasChannels: boolean): void;
  /**
   * The state has changed. What came meanwhile is delivered after the server has become ready or
   * degraded.
   */
  onState(): void;
  /** Messages were dropped because too many came before that. */
  onDropped(dropped: DroppedMessages): void;
  /** The server is no longer watched, because it was closed or could not be reached again. */
  onEnd?(reason: Error): void;
}

/** Filters the notifications of a server, for which it follows the connections. */
export interface ServerGate extends Gate {
  /** The server is connected. The desired channels are subscribed once the promise resolves. */
  connected(
    connection: Connection,
    info: ServerInfo,
    withConnection: WithConnection,
  ): Promise<void>;
  /**
   * The server has ended the subscription of a shard channel, at this place among the messages.
   *
   * @param provenAt a time before that, in ms since the epoch
   */
  released(channel: Uint8Array, provenAt: number): void;
}

/** What a server needs. */
export interface ServerOptions {
  /** Locates the server. */
  readonly locator: Locator;
  /** The options, resolved. */
  readonly settings: Settings;
  /** Delivers the messages. */
  readonly dispatcher: Dispatcher;
  /** Filters notifications before they are delivered; null if nothing does. */
  readonly gate: ServerGate | null;
  /** Receives what happens. */
  readonly owner: ServerOwner;
}
