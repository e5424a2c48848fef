import type { Connection } from "./connection/connection.ts";
import type { MessageReceiver } from "./connection/receiver.ts";
import { ConnectError } from "./connection/errors.ts";
import { type Introduced, openConnection, type ServerInfo } from "./connection/handshake.ts";
import type { Settings } from "./options.ts";
import type { Address } from "./connection/transport.ts";

/** A second connection to an address has reached another server than the first one. */
export class OtherServerError extends ConnectError {}

/** Does something on a connection that takes any command: the first one, or in RESP2 a second one. */
export type WithConnection = <T>(work: (connection: Connection) => Promise<T>) => Promise<T>;

/** Whether two connections are certain to have reached different servers. */
export function isOther(a: ServerInfo, b: ServerInfo): boolean {
  return a.runId !== null && b.runId !== null && a.runId !== b.runId;
}

/**
 * Opens a second connection to a server. A name or a proxy may lead to several servers, of which only
 * the first one's answers count.
 *
 * @param first what the server of the first connection said of itself
 * @param onOther looks at another server that it has reached, whose answers count for nothing
 * @param receive makes the receiver of what it reports
 * @throws {OtherServerError} when it has reached another server
 * @throws as {@linkcode openConnection} does
 */
export async function openSideConnection(
  address: Address,
  first: ServerInfo,
  settings: Settings,
  signal: AbortSignal,
  onOther: (info: ServerInfo, connection: Connection) => Promise<void>,
  receive: () => MessageReceiver,
): Promise<Introduced> {
  // Every server speaks it, and nothing is subscribed on a second connection.
  const opened = await openConnection({ ...settings, address, signal, protocol: 2, receive });
  const { connection, info } = opened;
  if (!isOther(info, first)) return opened;
  const { server } = connection;
  const error = new OtherServerError(
    "OTHER_SERVER",
    `Cannot ask the server at ${server}: a second connection has reached another server`,
    { server },
  );
  try {
    await onOther(info, connection);
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
  /** What is spoken on it. */
  readonly protocol: () => 2 | 3;
  /** Whether nothing is subscribed on it, or about to be. */
  readonly isIdle: () => boolean;
  /** Opens a second connection to the same server. */
  readonly openSideConnection: () => Promise<Introduced>;
}

/**
 * Sends commands beside subscriptions. RESP3 takes them on the same connection. In RESP2 a connection
 * that has subscribed takes none, so a second one is opened, shared by all who need it meanwhile, and
 * closed after the last. In a cluster, which needs it often, it is kept for a while; elsewhere each one
 * is to show where the address leads by now.
 */
export class SideConnection {
  readonly #options: SideConnectionOptions;
  /** What is under way on the first connection, if it speaks RESP2. */
  readonly #onMain = new Set<Promise<unknown>>();
  #side: Side | null = null;

  constructor(options: SideConnectionOptions) {
    this.#options = options;
  }

  /** Does something on the first or the second connection. */
  readonly withConnection: WithConnection = async (work) => {
    const { connection, protocol, isIdle } = this.#options;
    if (protocol() === 3) return await work(connection);
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
