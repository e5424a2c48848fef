import { type Reply, RespMap, ServerError } from "../../resp/mod.ts";
import { type Address, formatAddress } from "./transport.ts";
import { Connection, type ConnectionOptions, isHangUp } from "./connection.ts";
import { AuthError, ConnectError, TimeoutError } from "./errors.ts";
import { askRole, parseInfo, textOf, toRole } from "./info.ts";
import { excerpt, reasonOf } from "./printable.ts";
import { withDeadline } from "./timers.ts";
import { clientRefused, refusesClient, refusesPassword, wantsPassword } from "./refusal.ts";

/**
 * A user and password, as `AUTH` takes them.
 *
 * @example
 * ```ts no-run
 * import { connect, type Credentials } from "@keywatch/keywatch";
 *
 * async function fetchToken(): Promise<Credentials> {
 *   const response = await fetch("http://localhost:8080/token");
 *   return { username: "watcher", password: await response.text() };
 * }
 * await using notifications = await connect("rediss://redis.internal", { credentials: fetchToken });
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export interface Credentials {
  /** The ACL user; the server's default user when absent. */
  readonly username?: string;
  /** The password or token. */
  readonly password: string;
}

/** How a connection is opened and introduced to the server. */
export interface HandshakeOptions extends ConnectionOptions {
  /** The protocol to speak; RESP3 with a fall-back to RESP2 when absent. */
  readonly protocol?: 2 | 3 | undefined;
  /** Returns the credentials; undefined if there are none. */
  readonly credentials: () => Promise<Credentials | undefined>;
  /** The name under which `CLIENT LIST` shows the connection. */
  readonly clientName: string;
  /** Servers, as `host:port`, that close the connection at `HELLO`, and are met in RESP2. */
  readonly resp2Servers: Set<string>;
  /** Limits how many connections are made at once; without limit if left out. */
  readonly turns?: {
    run<T>(address: Address, signal: AbortSignal, attempt: () => Promise<T>): Promise<T>;
  };
}

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

/** A connection after the handshake, and what the server reported about itself. */
export interface Introduced {
  readonly connection: Connection;
  readonly info: ServerInfo;
}

/**
 * Opens a connection, negotiates the protocol, authenticates, and names the connection. If the
 * server closes the connection meanwhile, tries once more in RESP2: some proxies do so at `HELLO`.
 *
 * @param options each connection that is tried has a receiver of its own; that of one which failed is
 * closed
 * @throws {AuthError} if the server refuses the credentials or requires some
 * @throws {ConnectError} if nothing answers there, or the server refuses this client
 * @throws {TimeoutError} if an answer does not arrive in time
 */
export async function openConnection(options: HandshakeOptions): Promise<Introduced> {
  const { protocol, resp2Servers } = options;
  const server = formatAddress(options.address);
  if (protocol !== undefined) return await openOnce(options);
  const isRemembered = resp2Servers.has(server);
  try {
    return await openOnce(isRemembered ? { ...options, protocol: 2 } : options);
  } catch (error) {
    // Another server may answer next time, so the next connection begins with HELLO.
    resp2Servers.delete(server);
    if (isRemembered || !isHangUp(error)) throw error;
    resp2Servers.add(server);
    return await openOnce({ ...options, protocol: 2 }).catch((second) => {
      resp2Servers.delete(server);
      throw isHangUp(second) ? error : second;
    });
  }
}

function openOnce(options: HandshakeOptions): Promise<Introduced> {
  const { address, signal, turns } = options;
  const attempt = async () => {
    const connection = await Connection.open(options);
    try {
      const info = await introduce(connection, options);
      if (connection.closedReason !== null) throw connection.closedReason;
      connection.product = info;
      return { connection, info };
    } catch (error) {
      connection.close(error as Error);
      throw error;
    }
  };
  return turns?.run(address, signal, attempt) ?? attempt();
}

/**
 * Sends the library's name and version. Servers before 7.2 refuse the command and count an error, so
 * only the connection that subscribes sends it.
 */
export function nameLibrary(connection: Connection): void {
  for (const about of [["LIB-NAME", "keywatch"], ["LIB-VER", "0.1.0"]]) {
    // Nothing depends on it, so nothing waits for it.
    connection.request("CLIENT", "SETINFO", ...about).catch(() => {});
  }
}

async function introduce(connection: Connection, options: HandshakeOptions): Promise<ServerInfo> {
  let credentials: Credentials | undefined;
  try {
    credentials = await requestCredentials(connection, options);
  } catch (error) {
    // A full server sends its error before the first command.
    throw connection.closedReason ?? error;
  }
  // Before the password is sent, so that no reply can repeat it.
  connection.secrets.add(credentials?.password);
  try {
    const hello = options.protocol === 2 ? null : await sayHello(connection, options, credentials);
    if (hello?.protocol === 3) return hello;
    connection.enableResp2Pushes();
    if (credentials !== undefined) await logIn(connection, credentials);
    return await askInfo(connection, options, hello);
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    const isAboutLogin = wantsPassword(error) || refusesPassword(error);
    if (!isAboutLogin) throw clientRefused(connection.server, error);
    throw loginRefused(connection, credentials, error);
  }
}

/**
 * Waits for the credentials.
 *
 * @throws {AuthError} if the function fails
 * @throws {TimeoutError} if it takes too long
 */
async function requestCredentials(
  { server, secrets }: Connection,
  { timeout, credentials, signal }: HandshakeOptions,
): Promise<Credentials | undefined> {
  const what = `Cannot log in to ${server}: the credentials function`;
  const late = () =>
    new TimeoutError(
      "CREDENTIALS_TIMEOUT",
      `${what} returned nothing within ${timeout} ms`,
      timeout,
      { server },
    );
  try {
    const given = await withDeadline(timeout, signal, late, credentials);
    if (given === undefined || typeof given?.password === "string") return given;
    throw new TypeError("it returned no password");
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    const cause = secrets.ownError(thrown);
    if (cause instanceof TimeoutError) throw cause;
    throw new AuthError("CREDENTIALS_FAILED", `${what} failed: ${reasonOf(cause)}`, {
      server,
      cause,
    });
  }
}

/**
 * Sends `HELLO`.
 *
 * @returns what the server reports about itself; null if RESP2 is to be tried
 */
async function sayHello(
  connection: Connection,
  { clientName, protocol }: HandshakeOptions,
  credentials: Credentials | undefined,
): Promise<ServerInfo | null> {
  const { server } = connection;
  const auth = credentials === undefined
    ? []
    : ["AUTH", credentials.username ?? "default", credentials.password];
  let hello: ServerInfo | null = null;
  let cause: ServerError | undefined;
  try {
    hello = readHello(
      connection,
      await connection.request("HELLO", 3, ...auth, "SETNAME", clientName),
    );
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    const isFinal = refusesClient(error) || refusesPassword(error) ||
      (wantsPassword(error) && credentials === undefined);
    if (isFinal) throw error;
    cause = error;
  }
  if (hello?.protocol === 3 || protocol !== 3) return hello;
  throw new ConnectError(
    "RESP3_UNSUPPORTED",
    `Cannot speak RESP3 with ${server}: ${cause?.message ?? "it answers HELLO in RESP2"}; leave ` +
      "the protocol option out to fall back to RESP2",
    { server, cause },
  );
}

/** Reads the reply to `HELLO`: a map in RESP3, its names and values in an array in RESP2. */
function readHello({ secrets }: Connection, reply: Reply): ServerInfo | null {
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

/** How servers before Redis 6 refuse a user name. */
const ARITY = /wrong number of arg/i;

/** Sends `AUTH`. */
async function logIn(
  connection: Connection,
  { username, password }: Credentials,
): Promise<void> {
  try {
    await connection.request("AUTH", ...(username === undefined ? [] : [username]), password);
  } catch (error) {
    if (!(error instanceof ServerError) || refusesClient(error)) throw error;
    // Before Redis 6 there are no users. The one password is that of today's default user.
    if (username === "default" && ARITY.test(error.message)) {
      return await logIn(connection, { password });
    }
    throw loginRefused(
      connection,
      { ...(username === undefined ? {} : { username }), password },
      error,
    );
  }
}

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
 * Names the connection, and requests what `HELLO` would have reported in RESP3, as far as it is allowed.
 *
 * @param hello what `HELLO` has reported; null if nothing
 */
async function askInfo(
  connection: Connection,
  { clientName, resp2Servers }: HandshakeOptions,
  hello: ServerInfo | null,
): Promise<ServerInfo> {
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
    runId: info.get("run_id") ?? null,
  };
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

function loginRefused(
  { server, secrets }: Connection,
  credentials: Credentials | undefined,
  cause: ServerError,
): AuthError {
  if (credentials === undefined) {
    return new AuthError(
      "PASSWORD_MISSING",
      `Cannot log in to ${server}: it requires a password and none was given; put it into the ` +
        "URL (redis://:password@host) or the password option",
      { server, cause },
    );
  }
  const { username = "default", password } = credentials;
  // If the password is empty, as in redis://secret:@host, the user name may be the password.
  const isSecret = password === "" || secrets.repeats(username);
  const who = isSecret ? "" : ` as user "${excerpt(username, 100)}"`;
  const hint = ARITY.test(cause.message)
    ? "leave the username out if the server is older than Redis 6"
    : "check the URL, or the options username, password and credentials";
  return new AuthError(
    "PASSWORD_REFUSED",
    `Cannot log in to ${server}${who}: ${cause.message.replace(/\.$/, "")}; ${hint}`,
    { server, cause },
  );
}
