import { type Reply, RespMap, ServerError } from "../../resp/mod.ts";
import type { Connection } from "./connection.ts";
import { parseInfo } from "./info.ts";

/** What a server says of its part in replication. */
export interface Role {
  /** Null when the server does not report it. */
  readonly role: "primary" | "replica" | null;
  /** Of a primary: how far its replication stream has come, in bytes; null when it does not report it. */
  readonly offset: number | null;
}

/** Reads the name of a role, for which servers have two words each; null for any other. */
export function toRole(name: Reply | undefined): Role["role"] {
  if (name === "master" || name === "primary") return "primary";
  return name === "slave" || name === "replica" ? "replica" : null;
}

/** Reads the reply to `ROLE`. */
export function parseRole(reply: Reply): Role {
  const [name, offset] = Array.isArray(reply) ? reply : [];
  const role = toRole(name);
  return { role, offset: role === "primary" && typeof offset === "number" ? offset : null };
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
    const info = parseInfo(await connection.request("INFO", "replication"), ["role"]);
    return { role: toRole(info.get("role")), offset: null };
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
    return { role: reply instanceof RespMap ? toRole(reply.get("role")) : null, offset: null };
  } catch (error) {
    if (error instanceof ServerError) return { role: null, offset: null };
    throw error;
  }
}
