import { type Reply, RespMap, ServerError } from "../../resp/mod.ts";
import type { Connection } from "./connection.ts";

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
  const text = textOf(reply);
  const info = new Map<Name, string>();
  if (text === null) return info;
  for (const name of names) {
    const line = findLine(text, `${name}:`);
    // A slice would keep the whole text in memory.
    if (line !== null) info.set(name, Array.from(line.slice(name.length + 1)).join(""));
  }
  return info;
}

/** The text of a string of any type; null for another value. */
export function textOf(reply: Reply | undefined): string | null {
  return typeof reply === "string" ? reply : null;
}

/** What is read of a line at most, in characters: no field that is needed is nearly as long. */
const LONGEST_LINE = 1_000;

/** Whether a text of `INFO` has the section of that name. */
export function hasSection(text: string, name: string): boolean {
  return findLine(text, `# ${name}`) === `# ${name}`;
}

/** The first line with this beginning, without its end; null when there is none. */
function findLine(text: string, beginning: string): string | null {
  // Found by the text's own search, and nothing is made of the other lines.
  const start = text.startsWith(beginning) ? 0 : text.indexOf(`\n${beginning}`) + 1;
  if (!text.startsWith(beginning, start)) return null;
  const end = text.indexOf("\n", start);
  const most = start + LONGEST_LINE;
  return text.slice(start, end < 0 ? most : Math.min(end, most)).replace(/\r$/, "");
}

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
    const reply = await connection.send("HELLO", 3);
    return { role: reply instanceof RespMap ? toRole(reply.get("role")) : null, offset: null };
  } catch (error) {
    if (error instanceof ServerError) return { role: null, offset: null };
    throw error;
  }
}
