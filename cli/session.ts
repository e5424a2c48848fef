import { ConnectTurns } from "../pubsub/connect_turns.ts";
import { dial, ServerError } from "../mod.ts";
import type { Connection } from "../pubsub/connection/connection.ts";
import { openConnection } from "../pubsub/connection/handshake.ts";
import { readCredentials } from "../pubsub/connection/credentials.ts";
import { Secrets } from "../pubsub/connection/secrets.ts";
import { dialWithTls } from "../pubsub/connection/option_checks.ts";
import { type CommandArgument, type Reply, RespMap } from "../resp/mod.ts";
import type { Target } from "./connection.ts";

/** How long it may take to connect, and to answer a command, in ms. */
const LIMIT = 5_000;

/** Plain questions and answers with one server, in RESP2, for what the library has no words for. */
export class Session {
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Dials, and says who this is.
   *
   * @throws the errors of connecting, and of the server
   */
  static async open(
    { address, tls, username, password }: Omit<Target, "url" | "db">,
    signal: AbortSignal,
    clientName = "keywatch-doctor",
  ): Promise<Session> {
    const secrets = new Secrets();
    const credentials = readCredentials(undefined, username, password, secrets);
    const { connection } = await openConnection({
      address,
      dial: dialWithTls(dial, tls),
      timeout: LIMIT,
      limits: {},
      secrets,
      signal,
      protocol: 2,
      credentials,
      clientName,
      resp2Servers: new Set(),
      turns: new ConnectTurns(1),
    });
    return new Session(connection);
  }

  /** The connection, which says what of its answers can be shown. */
  get connection(): Connection {
    return this.#connection;
  }

  /**
   * Sends a command.
   *
   * @returns the reply, its bulk strings as text
   * @throws {ServerError} when the server answers with an error
   * @throws {Error} when the session is over, or no answer comes in time, which ends it
   */
  command(...command: [name: string, ...CommandArgument[]]): Promise<Reply> {
    return this.#connection.request(...command);
  }

  /** As {@linkcode command}, but gives a refusal in place of throwing it. */
  async ask(...command: [name: string, ...CommandArgument[]]): Promise<Reply> {
    try {
      return await this.command(...command);
    } catch (error) {
      if (error instanceof ServerError) return error;
      throw error;
    }
  }

  /** A text of a reply, fit for the terminal; null where it is none, or must not be shown. */
  shown(reply: Reply | undefined): string | null {
    return this.#connection.secrets.field(typeof reply === "string" ? reply : null);
  }

  /** Ends the connection. Safe to call twice. */
  close(): void {
    this.#connection.close();
  }
}

/** A reply that lists names and values, as `CONFIG GET` gives it; null when it is none. */
export function fieldsOf(reply: Reply): Map<string, Reply> | null {
  const items = reply instanceof RespMap ? reply.items : reply;
  if (!Array.isArray(items)) return null;
  const fields = new Map<string, Reply>();
  for (let i = 0; i + 1 < items.length; i += 2) fields.set(String(items[i]), items[i + 1]!);
  return fields;
}
