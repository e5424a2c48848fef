import type { Connection } from "./connection/connection.ts";
import { areOther } from "./connection/info.ts";
import { ConnectError } from "./connection/errors.ts";
import type { Introduced, ServerInfo } from "./connection/handshake.ts";
import type { CheckedSession } from "./role_check.ts";
// Imports few values: those that other chunks share would divide these in every bundle.

/** Does something on a connection that takes any command: the first one, or in RESP2 a second one. */
export type WithConnection = <T>(work: (connection: Connection) => Promise<T>) => Promise<T>;

/** The session of the first connection. */
interface FirstSession extends CheckedSession {
  readonly hasArrived: boolean;
}

/** What is known of the server of the first connection. */
interface FirstServer {
  readonly options: {
    readonly settings: { readonly onWarning: (message: string) => void };
    readonly owner: {
      onOtherServer?(
        info: ServerInfo,
        connection: Connection,
        session: CheckedSession,
      ): Promise<void>;
    };
  };
  /** Whether a warning was given that the address leads to several servers. */
  hasWarned: boolean;
}

/**
 * Closes a second connection that has reached another server than the first one: a name or a proxy may
 * lead to several servers, of which only the first one's answers count.
 *
 * @throws {ConnectError} when it has reached another server
 */
export async function refuseOther(
  { connection, info }: Introduced,
  first: FirstSession,
  known: FirstServer,
): Promise<void> {
  if (!areOther(info, first.info)) return;
  const { server } = connection;
  const error = new ConnectError(
    "OTHER_SERVER",
    `Cannot ask the server at ${server}: a second connection has reached another server`,
    { server },
  );
  try {
    // Before, the server may not be left for another one: the attempt to connect would fail.
    if (!first.hasArrived) throw error;
    const { owner, settings } = known.options;
    await owner.onOtherServer?.(info, connection, first);
    // A server that was left for the other one has only moved.
    if (known.hasWarned || first.closedReason !== null) throw error;
    known.hasWarned = true;
    settings.onWarning(
      `${server} leads to several servers, so the flags, databases and role of the one that is ` +
        "watched cannot be checked in RESP2; use the address of one server, or RESP3",
    );
  } finally {
    connection.close(error);
  }
  throw error;
}

/** How long a second connection beside one with shard channels stays open unused, in ms. */
const SIDE_IDLE_MS = 2_000;

/** A second connection that is open or being opened, and how many callers use it. */
interface Side {
  readonly opened: Promise<Introduced>;
  users: number;
  idle: ReturnType<typeof setTimeout> | undefined;
}

/** What {@linkcode SideConnection} needs to know of the first connection. */
export interface SideConnectionOptions {
  /** The first connection. */
  readonly connection: Connection;
  /** Whether nothing is subscribed on it, or about to be. */
  readonly isIdle: () => boolean;
  /** Opens a second connection to the same server. */
  readonly openSideConnection: () => Promise<Introduced>;
}

/**
 * Sends commands beside subscriptions. In RESP2 a connection that has subscribed takes none, so a second
 * one is opened, shared by all who need it meanwhile, and closed after the last. In a cluster, which needs it often, it is kept for a while; elsewhere each one
 * is to show where the address leads by now.
 */
export class SideConnection {
  readonly #options: SideConnectionOptions;
  /** What is under way on the first connection. */
  readonly #onMain = new Set<Promise<unknown>>();
  #side: Side | null = null;

  constructor(options: SideConnectionOptions) {
    this.#options = options;
  }

  /** Does something on the first or the second connection. */
  readonly withConnection: WithConnection = async (work) => {
    const { connection, isIdle } = this.#options;
    if (!isIdle()) return await this.#withSideConnection(work);
    const asked = work(connection);
    this.#onMain.add(asked);
    try {
      return await asked;
    } finally {
      this.#onMain.delete(asked);
    }
  };

  /** Waits until something may be subscribed on the first connection; null when it may be at once. */
  whenAnswered(): Promise<unknown> | null {
    return this.#onMain.size === 0 ? null : Promise.allSettled(this.#onMain);
  }

  async #withSideConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const side = this.#side ??= {
      opened: this.#options.openSideConnection(),
      users: 0,
      idle: undefined,
    };
    side.users++;
    clearTimeout(side.idle);
    let connection: Connection | null = null;
    try {
      ({ connection } = await side.opened);
      return await work(connection);
    } finally {
      side.users--;
      const isOver = connection === null || connection.closedReason !== null;
      if (this.#side === side && isOver) this.#side = null;
      if (!isOver && side.users === 0) {
        if (this.#options.connection.hasShardChannels) {
          side.idle = setTimeout(() => this.#close(side, connection!), SIDE_IDLE_MS);
        } else this.#close(side, connection!);
      }
    }
  }

  #close(side: Side, connection: Connection): void {
    if (this.#side === side) this.#side = null;
    connection.close();
  }

  /** Closes the second connection. */
  close(): void {
    const side = this.#side;
    if (side === null) return;
    clearTimeout(side.idle);
    side.opened.then(({ connection }) => this.#close(side, connection), () => {});
  }
}
