import { type Reply, RespMap, ServerError } from "../../resp/mod.ts";
import type { Connection } from "./connection.ts";
import { ConnectError } from "./errors.ts";

/**
 * What a server reports about itself. A field is null if the server does not report it.
 *
 * @example
 * ```ts no-run
 * import { open, type ServerInfo } from "@keywatch/keywatch/connection";
 *
 * const isOld = ({ version }: ServerInfo) => Number(version?.split(".")[0]) < 7;
 * await using connection = await open("redis://localhost:6379");
 * if (isOld(connection.info)) console.log("older than 7.0");
 * ```
 */
export interface ServerInfo {
  /** The negotiated protocol. */
  readonly protocol: 2 | 3;
  /** `redis`, `valkey` or another name. */
  readonly software: string | null;
  /** Its version, such as `7.0.15`. */
  readonly version: string | null;
  /** `standalone`, `cluster` or `sentinel`. */
  readonly mode: string | null;
  /** Its role at the time of the last request. */
  readonly role: "primary" | "replica" | null;
  /** Identifies the server's process. Null in RESP3, which needs no second connection. */
  readonly runId: string | null;
}

/** Reads the reply to `HELLO`: a map in RESP3, its names and values in an array in RESP2. */
export function readHello({ secrets }: Connection, reply: Reply): ServerInfo | null {
  const fields = Array.isArray(reply) ? new RespMap(reply) : reply;
  if (!(fields instanceof RespMap)) return null;
  const text = (key: string) => secrets.field(textOf(fields.get(key)));
  return {
    // An array is RESP2, whatever its fields claim: some proxies answer HELLO 3 with one.
    protocol: fields === reply && String(fields.get("proto") ?? 3) === "3" ? 3 : 2,
    software: text("server"),
    version: text("version"),
    mode: text("mode"),
    role: toRole(textOf(fields.get("role"))),
    runId: null,
  };
}

/** What is read of a value at most, in characters: none that is needed is nearly as long. */
const MAX_VALUE = 1_000;

/**
 * Reads fields of a reply to `INFO`, which has a line `name:value` for each. Only the fields that are
 * named are looked for and kept, because the text may be of any length.
 *
 * @param reply the reply: a bulk string, or in RESP3 a verbatim string
 * @param names the fields to read
 * @returns the values of those that are there
 */
export function parseInfo<const Name extends string>(
  reply: Reply,
  names: readonly Name[],
): Map<Name, string> {
  const info = new Map<Name, string>();
  for (const name of names) {
    const [, value] = new RegExp(`^${name}:(.{0,${MAX_VALUE}})`, "m").exec(textOf(reply) ?? "") ??
      [];
    // A slice would keep the whole text in memory.
    if (value !== undefined) info.set(name, [...value].join(""));
  }
  return info;
}

/** The text of a string of any type; null for another value. */
export function textOf(reply: Reply | undefined): string | null {
  return typeof reply === "string" ? reply : null;
}

/** The role of a server. */
export interface Role {
  /** Null if the server does not report it. */
  readonly role: "primary" | "replica" | null;
  /** Of a primary: the offset of its replication stream, in bytes; null if it does not report it. */
  readonly offset: number | null;
}

/** Reads the name of a role, of which servers have two for each; null for any other. */
function toRole(name: Reply | undefined): Role["role"] {
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
 * Requests the role of a server by `ROLE`, or by `INFO` if that is refused.
 *
 * @throws {ServerError} if both are refused
 * @throws the reason for which the connection is closed
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
 * Requests the role of a server: in RESP3 on the connection that subscribes, in RESP2 on another one.
 *
 * @throws the reason for which the connection is closed
 */
export async function readRole(connection: Connection, protocol: 2 | 3): Promise<Role> {
  try {
    if (protocol === 2) return await askRole(connection);
    // No ACL can forbid HELLO. The heartbeat keeps the time.
    const reply = await connection.send("HELLO", 3);
    return { role: reply instanceof RespMap ? toRole(reply.get("role")) : null, offset: null };
  } catch (error) {
    if (error instanceof ServerError) return { role: null, offset: null };
    throw error;
  }
}

/** The position of a primary in the replication stream that its replicas follow. */
export interface Replication {
  /** The stream's name; another one from each promotion on. */
  readonly id: string;
  /** How far the stream has come, in bytes. */
  readonly offset: number;
  /** The stream it followed before it was promoted. */
  readonly previousId: string;
  /** How far it had followed that one, in bytes. */
  readonly previousOffset: number;
}

/**
 * Asks a primary where it stands.
 *
 * @returns null if it does not say
 * @throws the reason for which the connection is over
 */
export async function readReplication(connection: Connection): Promise<Replication | null> {
  try {
    const info = parseInfo(await connection.request("INFO", "replication"), [
      "master_replid",
      "master_replid2",
      "master_repl_offset",
      "second_repl_offset",
    ]);
    const id = info.get("master_replid");
    const previousId = info.get("master_replid2");
    const offset = Number(info.get("master_repl_offset"));
    const previousOffset = Number(info.get("second_repl_offset")) - 1;
    if (id === undefined || previousId === undefined) return null;
    if (Number.isNaN(offset) || Number.isNaN(previousOffset)) return null;
    return { id, offset, previousId, previousOffset };
  } catch (error) {
    if (error instanceof ServerError) return null;
    throw error;
  }
}

/** Whether two connections are certain to have reached different servers. */
export function areOther(
  a: { readonly runId: string | null },
  b: { readonly runId: string | null },
): boolean {
  return a.runId !== null && b.runId !== null && a.runId !== b.runId;
}

/** Whether an error says that a second connection to an address has reached another server. */
export function isOtherServer(error: unknown): boolean {
  return error instanceof ConnectError && error.code === "OTHER_SERVER";
}
