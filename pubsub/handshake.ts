import { type Reply, RespMap, ServerError } from "../resp/mod.ts";
import type { Connection } from "./connection.ts";
import { delay } from "./delay.ts";
import { reasonOf } from "./dialling.ts";
import { AuthError, ConnectError, TimeoutError } from "./errors.ts";
import { parseInfo } from "./info.ts";
import { parseRole } from "./role.ts";

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

/** What is said first on a connection. */
export interface HandshakeOptions {
  /** The protocol to speak; RESP3 with a fall-back to RESP2 when absent. */
  readonly protocol?: 2 | 3 | undefined;
  /** Says who to be; nobody when it gives nothing. */
  readonly credentials: () => Promise<Credentials | undefined>;
  /** How long the credentials may take, and a server that loads its data, in ms. */
  readonly timeout: number;
  /** The name under which `CLIENT LIST` shows the connection. */
  readonly clientName: string;
  /** What to do about the password, for messages; if left out, what is right with a single URL. */
  readonly passwordAdvice?: PasswordAdvice;
}

/** What to do about the password, for messages. */
export interface PasswordAdvice {
  /** When none was given. */
  readonly missing: string;
  /** When it was refused. */
  readonly refused: string;
}

const PASSWORD_ADVICE: PasswordAdvice = {
  missing: "put it into the URL (redis://:password@host) or the password option",
  refused: "check the URL, or the options username, password and credentials",
};

/** What a server says of itself. What it does not tell is null. */
export interface ServerInfo {
  /** The protocol that was agreed on. */
  readonly protocol: 2 | 3;
  /** `redis`, `valkey` or what else it calls itself. */
  readonly software: string | null;
  /** Its version, such as `7.0.15`. */
  readonly version: string | null;
  /** `standalone`, `cluster` or `sentinel`. */
  readonly mode: string | null;
  /** `master` or `replica`, when it was asked last. */
  readonly role: string | null;
  /** Identifies the server's process; null in RESP3, where nothing has to be asked elsewhere. */
  readonly runId: string | null;
}

/** How often a server that loads its data is asked whether it has done so, in ms. */
const LOADING_POLL = 100;

/** The library's name and version, as `CLIENT LIST` shows them. */
const LIBRARY: readonly (readonly [string, string])[] = [
  ["LIB-NAME", "keywatch"],
  ["LIB-VER", "0.1.0"],
];

/**
 * Agrees on a protocol, authenticates, and gives the connection a name. A server that is loading
 * its data is waited for.
 *
 * @param signal ends the wait for what no connection gives
 * @throws {AuthError} when the server refuses the credentials or wants some
 * @throws {ConnectError} when it will not speak with this client
 * @throws {TimeoutError} when an answer does not come in time
 */
export async function handshake(
  connection: Connection,
  options: HandshakeOptions,
  signal: AbortSignal,
): Promise<ServerInfo> {
  const { timeout } = options;
  const credentials = await within(timeout, options.credentials(), connection, signal);
  // Before it is sent.
  connection.secrets.add(credentials?.password);
  const deadline = performance.now() + timeout;
  for (;;) {
    try {
      return await introduce(connection, { ...options, credentials });
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (error.code !== "LOADING" || performance.now() >= deadline) {
        throw explain(connection, { ...options, credentials }, error);
      }
      await delay(LOADING_POLL, signal);
    }
  }
}

/**
 * Gives the server the library's name and version. Servers before 7.2 refuse the command and count an
 * error, so it is sent on the connection that subscribes and on no other.
 */
export function nameLibrary(connection: Connection): void {
  // Nothing depends on it, so nothing waits for it.
  for (const about of LIBRARY) connection.request("CLIENT", "SETINFO", ...about).catch(() => {});
}

/** The options, once it is known who to be. */
type Introduction = Omit<HandshakeOptions, "credentials"> & {
  readonly credentials: Credentials | undefined;
};

async function introduce(connection: Connection, options: Introduction): Promise<ServerInfo> {
  if (options.protocol !== 2) {
    try {
      return await hello(connection, options);
    } catch (error) {
      if (!(error instanceof ServerError) || !lacksHello(error)) throw error;
      if (options.protocol === 3) {
        throw new ConnectError(
          `Cannot speak RESP3 with ${connection.server}: ${error.message}; ` +
            "leave the protocol option out to fall back to RESP2",
          { cause: error },
        );
      }
    }
  }
  connection.speakResp2();
  return await authenticate(connection, options);
}

/** The credentials, or an error when the function that gives them does not do so in time. */
async function within(
  timeout: number,
  credentials: Promise<Credentials | undefined>,
  { server, secrets }: Connection,
  signal: AbortSignal,
): Promise<Credentials | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let giveUp = () => {};
  const late = new Promise<never>((_, reject) => {
    giveUp = () => reject(signal.reason);
    signal.addEventListener("abort", giveUp);
    timer = setTimeout(() => {
      reject(
        new TimeoutError(
          `Cannot log in to ${server}: the credentials function gave nothing within ${timeout} ms`,
          timeout,
        ),
      );
    }, timeout);
  });
  try {
    const given = await Promise.race([credentials, late]);
    if (given === undefined || typeof given?.password === "string") return given;
    throw new TypeError("there is no password in what it gave");
  } catch (thrown) {
    if (thrown instanceof TimeoutError || signal.aborted) throw thrown;
    const cause = secrets.ownError(thrown);
    throw new AuthError(
      `Cannot log in to ${server}: the credentials function failed: ${reasonOf(cause)}`,
      { cause },
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}

async function hello(connection: Connection, options: Introduction): Promise<ServerInfo> {
  const { credentials, clientName } = options;
  const auth = credentials === undefined
    ? []
    : ["AUTH", credentials.username ?? "default", credentials.password];
  const reply = await connection.request("HELLO", 3, ...auth, "SETNAME", clientName);
  if (!(reply instanceof RespMap)) {
    throw new ConnectError(
      `Cannot understand ${connection.server}: its answer to HELLO is no map; ` +
        "check that a Redis server listens there",
    );
  }
  const text = (key: string) => connection.secrets.field(textOf(reply.get(key)));
  return {
    protocol: 3,
    software: text("server"),
    version: text("version"),
    mode: text("mode"),
    role: text("role"),
    runId: null,
  };
}

/** What is read of `INFO server`. */
const SERVER_FIELDS = [
  "server_name",
  "valkey_version",
  "redis_version",
  "server_mode",
  "redis_mode",
  "run_id",
] as const;

/** RESP2: `AUTH` by itself, and what `HELLO` would have told as far as the user may ask for it. */
async function authenticate(
  connection: Connection,
  options: Introduction,
): Promise<ServerInfo> {
  const { credentials, clientName } = options;
  if (credentials !== undefined) {
    const { username, password } = credentials;
    await connection.request("AUTH", ...(username === undefined ? [] : [username]), password);
  }
  await ifAllowed(connection.request("CLIENT", "SETNAME", clientName));
  const info = parseInfo(await ifAllowed(connection.request("INFO", "server")), SERVER_FIELDS);
  const role = await ifAllowed(connection.request("ROLE"));
  const text = (...names: (typeof SERVER_FIELDS)[number][]) => {
    const name = names.find((name) => info.has(name));
    return connection.secrets.field(name === undefined ? null : info.get(name)!);
  };
  return {
    protocol: 2,
    software: text("server_name") ?? (info.has("redis_version") ? "redis" : null),
    version: text("valkey_version", "redis_version"),
    mode: text("server_mode", "redis_mode"),
    role: parseRole(role).role,
    runId: info.get("run_id") ?? null,
  };
}

/** The reply, or null where the server refuses; but without a password nothing else will work. */
async function ifAllowed(request: Promise<Reply>): Promise<Reply> {
  try {
    return await request;
  } catch (error) {
    const passing = error instanceof ServerError &&
      error.code !== "NOAUTH" && error.code !== "LOADING";
    if (passing) return null;
    throw error;
  }
}

/** Whether the server, or a proxy before it, is one to which RESP2 must be spoken. */
function lacksHello(error: ServerError): boolean {
  return error.code === "NOPROTO" || error.code === "NOPERM" ||
    /unknown command|unsupported command/i.test(error.message);
}

function explain(
  { server }: Connection,
  { credentials, passwordAdvice = PASSWORD_ADVICE }: Introduction,
  error: ServerError,
): Error {
  if (error.code === "NOAUTH") {
    return new AuthError(
      `Cannot log in to ${server}: it wants a password and none was given; ` +
        passwordAdvice.missing,
      { cause: error },
    );
  }
  // "ERR AUTH <password> called without any password configured" has no code of its own.
  if (error.code === "WRONGPASS" || (error.code === "ERR" && /\bAUTH\b/.test(error.message))) {
    const user = credentials?.username ?? "default";
    return new AuthError(
      `Cannot log in to ${server} as user "${user}": ${error.message.replace(/\.$/, "")}; ` +
        passwordAdvice.refused,
      { cause: error },
    );
  }
  const advice = /max number of clients/i.test(error.message)
    ? "; close idle connections, or raise its maxclients"
    : "";
  return new ConnectError(`Cannot use ${server}: ${error.message}${advice}`, { cause: error });
}

function textOf(reply: Reply | undefined): string | null {
  return typeof reply === "string" ? reply : null;
}
