/**
 * What can go wrong on a connection. `docs/errors.md` explains each code.
 *
 * @module
 */

/**
 * The options of an error that is about one server.
 *
 * @example
 * ```ts
 * import { ConnectError, type ConnectErrorOptions } from "@keywatch/keywatch";
 *
 * const options: ConnectErrorOptions = { server: "10.0.0.1:6379", cause: new Error("no route") };
 * throw new ConnectError("CONNECT_FAILED", "Cannot connect to 10.0.0.1:6379: no route", options);
 * ```
 */
export interface ConnectErrorOptions extends ErrorOptions {
  /** The server, as `host:port` or the path of its socket. */
  readonly server?: string | undefined;
}

/**
 * An error with a code, about one server or several, such as {@linkcode ConnectError},
 * {@linkcode AuthError} and {@linkcode TimeoutError}.
 *
 * @example
 * ```ts
 * import { CodedError } from "@keywatch/keywatch";
 *
 * const toLine = (error: Error): string =>
 *   error instanceof CodedError ? `${error.server}: ${error.code}` : error.message;
 * ```
 */
export class CodedError<Code extends string = string> extends Error {
  /** The kind of failure. */
  readonly code: Code;
  /** The server, as `host:port` or the path of its socket; null if the error is about several. */
  readonly server: string | null;

  /**
   * Creates the error.
   *
   * @param code the kind of failure
   * @param message what failed and why, and a hint
   * @param options the server, and the error behind this one
   */
  constructor(code: Code, message: string, options: ConnectErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.server = options.server ?? null;
  }
}

/**
 * A connection could not be made or used, or was lost.
 *
 * - `CONNECT_FAILED`: nothing answers at the address.
 * - `TLS_FAILED`: TLS cannot be agreed on, or a certificate or the key cannot be used.
 * - `CONNECTION_LOST`: the connection broke, or the server closed it.
 * - `NOT_CONNECTED`: there is no connection at present, and none is waited for.
 * - `ATTEMPTS_EXHAUSTED`: `maxAttempts` attempts to reconnect have failed.
 * - `CLIENT_REFUSED`: the server accepts no command of this client: it is full, or in protected mode.
 * - `PROTOCOL_ERROR`: the server sends something that is not the Redis protocol, or a reply to nothing.
 * - `RESP3_UNSUPPORTED`: the option `protocol` requires RESP3, and the server does not speak it.
 * - `COMMAND_REFUSED`: the server refuses a command that is needed.
 * - `CLUSTER_NODE`: the server is a node of a cluster, and is to be watched as a single server.
 * - `WRONG_MODE`: the server is of another kind: a Sentinel, not a Sentinel, or not a cluster node.
 * - `WRONG_ROLE`: the server is a replica, and a primary is needed, or the other way round.
 * - `OTHER_SERVER`: the address leads to another server than before.
 * - `SERVER_REPLACED`: another server has taken the place of this one, or it has moved.
 * - `TOPOLOGY_UNAVAILABLE`: no node of the cluster gives a topology that can be used.
 *
 * @example
 * ```ts no-run
 * import { connect, ConnectError } from "@keywatch/keywatch";
 *
 * const notifications = await connect("redis://localhost:6379").catch((error) => {
 *   if (!(error instanceof ConnectError)) throw error;
 *   console.error(error.code, error.server, error.message, error.cause);
 *   return null; // It may be there later.
 * });
 * ```
 */
export class ConnectError extends CodedError<
  | "CONNECT_FAILED"
  | "TLS_FAILED"
  | "CONNECTION_LOST"
  | "NOT_CONNECTED"
  | "ATTEMPTS_EXHAUSTED"
  | "CLIENT_REFUSED"
  | "PROTOCOL_ERROR"
  | "RESP3_UNSUPPORTED"
  | "COMMAND_REFUSED"
  | "CLUSTER_NODE"
  | "WRONG_MODE"
  | "WRONG_ROLE"
  | "OTHER_SERVER"
  | "SERVER_REPLACED"
  | "TOPOLOGY_UNAVAILABLE"
> {
  /** Always `"ConnectError"`. */
  override readonly name = "ConnectError";
}

/**
 * The sockets of this runtime cannot do what was requested. Trying again does not help.
 *
 * - `SOCKETS_UNSUPPORTED`: the runtime has no sockets that the library knows.
 * - `TLS_UNSUPPORTED`: TLS, or an option of it, cannot be used there.
 * - `UNIX_UNSUPPORTED`: the runtime has no unix sockets.
 *
 * @example
 * ```ts no-run
 * import { connect, UnsupportedError } from "@keywatch/keywatch";
 *
 * await connect("redis+unix:///run/redis/redis.sock").catch((error) => {
 *   if (!(error instanceof UnsupportedError)) throw error;
 *   console.error(error.code); // "UNIX_UNSUPPORTED" in Workers
 * });
 * ```
 */
export class UnsupportedError extends CodedError<
  "SOCKETS_UNSUPPORTED" | "TLS_UNSUPPORTED" | "UNIX_UNSUPPORTED"
> {
  /** Always `"UnsupportedError"`. */
  override readonly name = "UnsupportedError";
}

/**
 * The server refuses the user or the password, requires a password, or refuses this user a command.
 *
 * - `PASSWORD_MISSING`: the server requires a password, and none was given.
 * - `PASSWORD_REFUSED`: the server refuses the user name or the password.
 * - `CREDENTIALS_FAILED`: the `credentials` function threw, or returned no password.
 * - `PERMISSION_DENIED`: the user may not run a command that is needed.
 *
 * @example
 * ```ts no-run
 * import { AuthError, connect } from "@keywatch/keywatch";
 *
 * await connect("redis://watcher:old@localhost:6379").catch((error) => {
 *   if (!(error instanceof AuthError) || error.code !== "PASSWORD_REFUSED") throw error;
 *   console.error(`Look up the password of ${error.server} again`);
 * });
 * ```
 */
export class AuthError extends CodedError<
  "PASSWORD_MISSING" | "PASSWORD_REFUSED" | "CREDENTIALS_FAILED" | "PERMISSION_DENIED"
> {
  /** Always `"AuthError"`. */
  override readonly name = "AuthError";
}

/**
 * Something did not happen before its deadline.
 *
 * - `CONNECT_TIMEOUT`: no connection was made.
 * - `REPLY_TIMEOUT`: the server did not answer a command.
 * - `SERVER_BUSY`: the server was loading its data or running a script all the time.
 * - `CREDENTIALS_TIMEOUT`: the `credentials` function returned nothing.
 *
 * @example
 * ```ts no-run
 * import { connect, TimeoutError } from "@keywatch/keywatch";
 *
 * await connect("redis://10.0.0.1", { timeout: 500 }).catch((error) => {
 *   if (!(error instanceof TimeoutError)) throw error;
 *   console.error(`${error.code}: nothing within ${error.timeout} ms from ${error.server}`);
 * });
 * ```
 */
export class TimeoutError extends CodedError<
  "CONNECT_TIMEOUT" | "REPLY_TIMEOUT" | "SERVER_BUSY" | "CREDENTIALS_TIMEOUT"
> {
  /** Always `"TimeoutError"`. */
  override readonly name = "TimeoutError";
  /** The deadline that passed, in milliseconds. */
  readonly timeout: number;

  /**
   * Creates the error.
   *
   * @param code what did not happen in time
   * @param message what was waited for, from whom, and a hint
   * @param timeout the deadline, in milliseconds
   * @param options the server, and the error behind this one
   */
  constructor(
    code: TimeoutError["code"],
    message: string,
    timeout: number,
    options?: ConnectErrorOptions,
  ) {
    super(code, message, options);
    this.timeout = timeout;
  }
}

/**
 * The object was closed. This also ends what waits at that time.
 *
 * @example
 * ```ts no-run
 * import { ClosedError, connect } from "@keywatch/keywatch";
 *
 * const notifications = await connect("redis://localhost:6379");
 * setTimeout(() => notifications.close(), 5_000);
 * await notifications.getMessage({ timeout: 60_000 }).catch((error) => {
 *   if (!(error instanceof ClosedError)) throw error;
 * });
 * ```
 */
export class ClosedError extends Error {
  /** Always `"ClosedError"`. */
  override readonly name = "ClosedError";
  /** Always `"CLOSED"`. */
  readonly code = "CLOSED";
}
