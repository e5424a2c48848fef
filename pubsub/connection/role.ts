import { type Reply, RespMap, ServerError } from "../../resp/mod.ts";
import type { Connection } from "./connection.ts";
import { parseInfo } from "./info.ts";

/** What a server says of its part in replication. */
export interface Role {
  /** `master` or `replica`; null when it does not tell. */
  readonly role: string | null;
  /** Of a primary: how far the stream of its changes has come, in bytes; null when it does not tell. */
  readonly offset: number | null;
}

const UNTOLD: Role = { role: null, offset: null };

/** Reads the reply to `ROLE`. */
export function parseRole(reply: Reply): Role {
  if (!Array.isArray(reply)) return UNTOLD;
  const [role, offset] = reply;
  if (role === "master") return { role, offset: typeof offset === "number" ? offset : null };
  return { role: role === "slave" ? "replica" : null, offset: null };
}

/**
 * Asks a server for its role by `ROLE`, and by `INFO` where that is refused.
 *
 * @throws {ServerError} when both are refused
 * @throws the reason for which the connection is over
 */
export async function askRole(connection: Connection): Promise<Role> {
  try {
    return parseRole(await connection.request("ROLE"));
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    const role = parseInfo(await connection.request("INFO", "replication"), ["role"]).get("role");
    return { role: role === "slave" ? "replica" : role === "master" ? role : null, offset: null };
  }
}

/**
 * Asks a server for its role on its own connection, RESP3, or on one made for it, RESP2.
 *
 * @throws the reason for which the connection is over
 */
export async function readRole(connection: Connection, protocol: 2 | 3): Promise<Role> {
  try {
    if (protocol === 2) return await askRole(connection);
    // No ACL can forbid HELLO. The heartbeat keeps the time.
    const reply = await connection.inquire("HELLO", 3);
    const role = reply instanceof RespMap ? reply.get("role") : null;
    return { role: connection.secrets.field(typeof role === "string" ? role : null), offset: null };
  } catch (error) {
    if (error instanceof ServerError) return UNTOLD;
    throw error;
  }
}
