import { ServerError } from "../../resp/mod.ts";
import { type Address, formatAddress } from "./transport.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { type Credentials, loginRefused, requestCredentials } from "./credentials.ts";
import { CodedError, ConnectError, TimeoutError } from "./errors.ts";
import { askRole, parseInfo, readHello, type ServerInfo } from "./info.ts";
import { reasonOf } from "./printable.ts";
import {
  clientRefused,
  isArityError,
  refusesClient,
  refusesPassword,
  wantsPassword,
} from "./refusal.ts";
import { Secrets } from "./secrets.ts";
import { withDeadline } from "./timers.ts";

export type { Credentials, ServerInfo };

/** The options of a connection and its handshake. */
export interface HandshakeOptions extends ConnectionOptions {
  /** The protocol. Default: RESP3, with a fall-back to RESP2. */
  readonly protocol?: 2 | 3 | undefined;
  /** Returns the credentials; undefined if there are none. */
  readonly credentials: () => Promise<Credentials | undefined>;
  /** The name under which `CLIENT LIST` shows the connection. */
  readonly clientName: string;
  /** Servers, as `host:port`, that close the connection at `HELLO`: they are spoken to in RESP2. */
  readonly resp2Servers: Set<string>;
  /** Limits how many connections are made at once. Default: no limit. */
  readonly turns?: {
    run<T>(address: Address, signal: AbortSignal, attempt: () => Promise<T>): Promise<T>;
  };
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

/** Whether an error says that the connection broke or was closed by the server. */
function isHangUp(error: unknown): boolean {
  return error instanceof ConnectError && error.code === "CONNECTION_LOST";
}

function openOnce(options: HandshakeOptions): Promise<Introduced> {
  const { address, signal, turns } = options;
  const attempt = async () => {
    const connection = await dialServer(options);
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
 * Dials a server within the timeout, and sends nothing.
 *
 * @throws {ConnectError} if nothing answers at the address
 * @throws {TimeoutError} if dialing takes longer than the timeout
 * @throws {UnsupportedError} if the sockets of this runtime cannot do what was requested
 * @throws the signal's reason
 */
export async function dialServer(options: ConnectionOptions): Promise<Connection> {
  const { address, dial, timeout, signal, secrets = new Secrets() } = options;
  const server = formatAddress(address);
  const late = () =>
    new TimeoutError(
      "CONNECT_TIMEOUT",
      `Cannot connect to ${server}: nothing answered within ${timeout} ms; check the address, ` +
        "the firewall, and whether TLS is spoken there",
      timeout,
      { server },
    );
  // A dial may throw instead of rejecting.
  const work = async (signal: AbortSignal) => await dial(address, { signal });
  try {
    const transport = await withDeadline(
      timeout,
      signal,
      late,
      work,
      (transport) => transport.close(),
    );
    if (!signal.aborted) return new Connection(transport, options, secrets);
    transport.close();
  } catch (thrown) {
    if (signal.aborted) throw signal.reason;
    const cause = secrets.ownError(thrown);
    if (cause instanceof CodedError) throw cause;
    // Deno's errors say themselves which permission is missing.
    const hint = cause.name === "NotCapable" ? "" : "; check that a server listens there";
    throw new ConnectError(
      "CONNECT_FAILED",
      `Cannot connect to ${server}: ${reasonOf(cause)}${hint}`,
      { server, cause },
    );
  }
  throw signal.reason;
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
    return await introduceInResp2(connection, options, credentials, hello);
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    const isAboutLogin = wantsPassword(error) || refusesPassword(error);
    throw isAboutLogin
      ? loginRefused(connection, credentials, error)
      : clientRefused(connection.server, error);
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

/** The fields that are read from `INFO server`. */
const SERVER_FIELDS = [
  "server_name",
  "valkey_version",
  "redict_version",
  "redis_version",
  "server_mode",
  "redict_mode",
  "redis_mode",
  "run_id",
] as const;

/**
 * Logs in, names the connection, and requests what `HELLO` would have reported in RESP3, as far as it
 * is allowed.
 *
 * @param hello what `HELLO` has reported; null if nothing
 */
async function introduceInResp2(
  connection: Connection,
  { clientName, resp2Servers }: HandshakeOptions,
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
      (["redict", "redis"] as const).find((name) => info.has(`${name}_version`)) ??
      hello?.software ?? null,
    version: text("valkey_version", "redict_version", "redis_version") ?? hello?.version ?? null,
    mode: text("server_mode", "redict_mode", "redis_mode") ?? hello?.mode ?? null,
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
