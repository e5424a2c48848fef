import { ServerError } from "../../resp/mod.ts";
import type { Connection } from "./connection.ts";
import { type Credentials, loginRefused } from "./credentials.ts";
import { askRole, parseInfo, readHello, type ServerInfo } from "./info.ts";
import { isArityError, refusesClient, wantsPassword } from "./refusal.ts";

/** The fields that are read from `INFO server`. */
const SERVER_FIELDS = [
  "server_name",
  "valkey_version",
  "redis_version",
  "server_mode",
  "redis_mode",
  "run_id",
] as const;

/**
 * Logs in, names the connection, and requests what `HELLO` would have reported in RESP3, as far as it
 * is allowed.
 *
 * @param hello what `HELLO` has reported; null if nothing
 */
export async function introduceInResp2(
  connection: Connection,
  { clientName, resp2Servers }: {
    readonly clientName: string;
    readonly resp2Servers: ReadonlySet<string>;
  },
  credentials: Credentials | undefined,
  hello: ServerInfo | null,
): Promise<ServerInfo> {
  if (credentials !== undefined) await logIn(connection, credentials);
  let isForbidden = false;
  const forbid = (error: ServerError) => {
    isForbidden = error.code === "NOPERM";
    throw error;
  };
  // All at once, so that it takes one round trip.
  const [, reply, role] = await Promise.all([
    ifAllowed(connection.request("CLIENT", "SETNAME", clientName)),
    ifAllowed(connection.request("INFO", "server").catch(forbid)),
    ifAllowed(askRole(connection)),
  ]);
  // No ACL can forbid HELLO, which reports whether this is a node of a cluster.
  if (isForbidden && !resp2Servers.has(connection.server)) {
    hello ??= readHello(connection, await ifAllowed(connection.request("HELLO", 2)));
  }
  const info = parseInfo(reply, SERVER_FIELDS);
  const text = (...names: (typeof SERVER_FIELDS)[number][]) =>
    connection.secrets.field(names.map((name) => info.get(name)).find(Boolean) ?? null);
  return {
    protocol: 2,
    software: text("server_name") ??
      (info.has("redis_version") ? "redis" : hello?.software ?? null),
    version: text("valkey_version", "redis_version") ?? hello?.version ?? null,
    mode: text("server_mode", "redis_mode") ?? hello?.mode ?? null,
    role: role?.role ?? hello?.role ?? null,
    runId: text("run_id"),
  };
}

/** Sends `AUTH`. */
async function logIn(connection: Connection, credentials: Credentials): Promise<void> {
  const { username, password } = credentials;
  try {
    await connection.request("AUTH", ...(username === undefined ? [] : [username]), password);
  } catch (error) {
    if (!(error instanceof ServerError) || refusesClient(error)) throw error;
    // Before Redis 6 there are no users. The one password is that of today's default user.
    if (username === "default" && isArityError(error)) return logIn(connection, { password });
    throw loginRefused(connection, credentials, error);
  }
}

/** The reply, or null if the server refuses this command. Throws if it refuses all commands. */
async function ifAllowed<T>(request: Promise<T>): Promise<T | null> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof ServerError && !wantsPassword(error) && !refusesClient(error)) return null;
    throw error;
  }
}
