import type { Connection, ConnectionOptions } from "./connection/connection.ts";
import { ClosedError, ConnectError } from "./connection/errors.ts";
import { type Introduced, openConnection, type ServerInfo } from "./connection/handshake.ts";
import type { Settings } from "./options.ts";
import type { Address } from "./connection/transport.ts";

/** A second connection to an address has reached another server than the first one. */
export class OtherServerError extends ConnectError {}

/** Puts a question to a server, on its connection, or, in RESP2, on another one. */
export type AskServer = <T>(question: (connection: Connection) => Promise<T>) => Promise<T>;

/** Whether two connections are certain to have reached different servers. */
export function isOther(a: ServerInfo, b: ServerInfo): boolean {
  return a.runId !== null && b.runId !== null && a.runId !== b.runId;
}

/**
 * Opens a connection and shakes hands.
 *
 * @throws as {@linkcode openConnection} does
 */
export async function openServer(
  address: Address,
  settings: Settings,
  signal: AbortSignal,
  receive?: ConnectionOptions["receive"],
): Promise<Introduced> {
  const { dial, timeout, limits, secrets } = settings;
  return await openConnection(
    { address, dial, timeout, limits, secrets, signal, receive },
    settings,
  );
}

/**
 * Opens a second connection to a server. A name or a proxy may lead to several servers, of which only
 * the first one's answers count.
 *
 * @param first what the server of the first connection said of itself
 * @param onOther looks at another server that it has reached, whose answers count for nothing
 * @throws {OtherServerError} when it has reached another server
 * @throws as {@linkcode openServer} does
 */
export async function openBeside(
  address: Address,
  first: ServerInfo,
  settings: Settings,
  signal: AbortSignal,
  onOther: (info: ServerInfo, connection: Connection) => Promise<void>,
): Promise<Introduced> {
  // Every server speaks it, and nothing is subscribed on a second connection.
  const opened = await openServer(address, { ...settings, protocol: 2 }, signal);
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

/** How long a second connection beside one with shard channels stays open without questions, in ms. */
const SIDE_IDLE_MS = 2_000;

/** A second connection that is open or being opened, and how many questions need it. */
interface Side {
  readonly opened: Promise<Introduced>;
  questions: number;
  idle: ReturnType<typeof setTimeout> | undefined;
}

/** What {@linkcode Questions} needs to know of a connection. */
export interface QuestionsOptions {
  /** The connection. */
  readonly connection: Connection;
  /** What is spoken on it. */
  readonly protocol: () => 2 | 3;
  /** Whether nothing is subscribed on it, or about to be. */
  readonly isIdle: () => boolean;
  /** Opens a second connection to the same server. */
  readonly openBeside: () => Promise<Introduced>;
}

/**
 * Asks the server of one connection, on that connection. RESP2 takes no question once something is
 * subscribed, so there a second connection takes them. It is opened for the first question, serves
 * all that come meanwhile, and is closed after the last. In a cluster, where questions are frequent,
 * it is kept for a while; elsewhere each one is to show where the address leads by now.
 */
export class Questions {
  readonly #options: QuestionsOptions;
  /** The questions under way on the first connection, if it speaks RESP2. */
  readonly #onFirst = new Set<Promise<unknown>>();
  #side: Side | null = null;

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  /** Asks a question. */
  readonly ask: AskServer = async (question) => {
    const { connection, protocol, isIdle } = this.#options;
    if (protocol() === 3) return await question(connection);
    if (!isIdle()) return await this.#askBeside(question);
    const asked = question(connection);
    this.#onFirst.add(asked);
    try {
      return await asked;
    } finally {
      this.#onFirst.delete(asked);
    }
  };

  /** Waits until something may be subscribed on the first connection; null when it may be at once. */
  whenAnswered(): Promise<unknown> | null {
    return this.#onFirst.size === 0 ? null : Promise.allSettled(this.#onFirst);
  }

  async #askBeside<T>(question: (connection: Connection) => Promise<T>): Promise<T> {
    const side = this.#side ??= {
      opened: this.#options.openBeside(),
      questions: 0,
      idle: undefined,
    };
    side.questions++;
    clearTimeout(side.idle);
    let connection: Connection | null = null;
    try {
      ({ connection } = await side.opened);
      return await question(connection);
    } finally {
      side.questions--;
      const isOver = connection === null || connection.over !== null;
      if (this.#side === side && isOver) this.#side = null;
      if (!isOver && side.questions === 0) {
        if (this.#options.connection.hasShardChannels) {
          side.idle = setTimeout(() => this.#close(side, connection!), SIDE_IDLE_MS);
        } else this.#close(side, connection!);
      }
    }
  }

  #close(side: Side, connection: Connection): void {
    if (this.#side === side) this.#side = null;
    connection.close(new ClosedError(`The connection to ${connection.server} served its purpose`));
  }

  /** Closes the second connection. */
  close(): void {
    const side = this.#side;
    if (side === null) return;
    clearTimeout(side.idle);
    side.opened.then(({ connection }) => this.#close(side, connection), () => {});
  }
}
