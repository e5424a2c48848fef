import type { Connection } from "./connection/connection.ts";
import type { Introduced, ServerInfo } from "./connection/handshake.ts";
import type { Probe } from "./heartbeat.ts";
import { parseRole, readReplication, readRole, type Role } from "./connection/info.ts";

/** The maximum of successive sightings of another primary before the server is left for it. */
const MAX_SIGHTINGS = 64;

/** The session of a server whose role is checked. */
export interface CheckedSession {
  readonly info: ServerInfo;
  /** Why the session has ended; null while it has not. */
  readonly closedReason: Error | null;
  /** The server has reported its role again. */
  setRole(role: ServerInfo["role"]): void;
  openSideConnection(): Promise<Introduced>;
}

/** What a role check needs, and what it reports. */
export interface RoleCheckOptions {
  /** The server replied that it is a primary to a command sent at `askedAt`, in ms since the epoch. */
  onPrimary(role: Role, askedAt: number): void;
  /**
   * The server is not the primary any more, or its address leads to another primary now.
   *
   * @param why the reason, for messages
   * @param since when it was last asked and was a primary, in ms since the epoch
   */
  onReplaced(why: string, since: number): void;
  /** The server was a primary and is a replica now, and no other primary is known. */
  onReplica(): void;
}

/**
 * Notices a primary that has become a replica and kept its connections, or whose address leads to
 * another primary now.
 */
export class RoleCheck {
  /** Requests the role with each heartbeat. RESP3 takes any command on a subscribed connection. */
  readonly probe: Probe = {
    command: "ROLE",
    onReply: (reply, askedAt) => this.#note(parseRole(reply), askedAt, true),
  };
  readonly #options: RoleCheckOptions;
  #role: Role["role"] = null;
  /** When the server was last asked and was a primary; null if it never was one. */
  #primaryAt: number | null = null;
  /** The id of the server's replication stream; null if it is unknown or not needed. */
  #history: string | null = null;
  /** The number of successive sightings of another primary, and how many are enough to leave. */
  #sightings = 0;
  #enough = 1;

  constructor(options: RoleCheckOptions) {
    this.#options = options;
  }

  /** Begins with a new connection, on which the server was asked at `askedAt`. */
  async begin(info: ServerInfo, connection: Connection, askedAt: number): Promise<void> {
    const { role, runId } = info;
    const before = this.#role;
    this.#sightings = 0;
    this.#history = runId === null ? null : (await readReplication(connection))?.id ?? null;
    if (role === null) return;
    this.#role = role;
    if (role === "primary") this.#note({ role, offset: null }, askedAt, true);
    else if (before === "primary") this.#options.onReplica();
  }

  /** Requests the role on a connection to the server. */
  async check(connection: Connection, session: CheckedSession): Promise<void> {
    const { info } = session;
    const askedAt = Date.now();
    const answer = await readRole(connection, info.protocol);
    // The next session begins with a check.
    if (answer.role === null || session.closedReason !== null) return;
    const isCertain = info.protocol === 3 || info.runId !== null;
    if (!isCertain && this.#isDemoted && answer.role === "primary") return this.#sight();
    session.setRole(answer.role);
    if (info.protocol === 3 && this.#isDemoted && answer.role === "replica") {
      return await this.#lookForPrimary(connection, session);
    }
    this.#sightings = 0;
    this.#note(answer, askedAt, isCertain);
  }

  /**
   * A connection to the same address has reached another server.
   *
   * A primary that continues the replication stream of the server has replaced it. Any other primary may
   * have replaced it, or stand behind the same proxy. So each time that the server is left for one, the
   * next one must be found twice as often in a row.
   */
  async noteOther(
    other: ServerInfo,
    connection: Connection,
    session: CheckedSession,
  ): Promise<void> {
    if (this.#primaryAt === null || other.role !== "primary") return;
    const replication = await readReplication(connection);
    if (session.closedReason !== null) return;
    if (this.#history !== null && replication?.previousId === this.#history) this.#leave();
    else this.#sight();
  }

  /** Whether the server was a primary and is a replica. The address may lead to the new primary later. */
  get #isDemoted(): boolean {
    return this.#primaryAt !== null && this.#role === "replica";
  }

  /**
   * Checks whether the address of a server that has become a replica leads to a primary now.
   *
   * @param first the connection to the server
   */
  async #lookForPrimary(first: Connection, session: CheckedSession): Promise<void> {
    const beside = await session.openSideConnection().catch(() => null);
    if (beside === null) return;
    const { connection, info } = beside;
    connection.close();
    // The server itself may have been promoted meanwhile.
    const isFound = info.role === "primary" && (await readRole(first, 3)).role === "replica";
    if (isFound) this.#sight();
    else this.#sightings = 0;
  }

  /** Another primary was found at the address. */
  #sight(): void {
    if (++this.#sightings < this.#enough) return;
    this.#enough = Math.min(2 * this.#enough, MAX_SIGHTINGS);
    this.#leave();
  }

  #leave(): void {
    this.#options.onReplaced("its address leads to another primary now", this.#primaryAt!);
  }

  /** @param isCertain whether the reply is certainly from the watched server */
  #note(answer: Role, askedAt: number, isCertain: boolean): void {
    const { role } = answer;
    if (role === "primary") {
      this.#role = role;
      this.#primaryAt = askedAt;
      this.#options.onPrimary(answer, askedAt);
    } else if (role !== null && this.#role === "primary") {
      // The role is kept until it is known which server the address leads to.
      if (isCertain) return this.#options.onReplaced("it is a replica now", this.#primaryAt!);
      this.#role = role;
      this.#options.onReplica();
    }
  }
}
