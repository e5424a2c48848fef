/**
 * What can go wrong on a connection, one small class each.
 *
 * @module
 */

/**
 * A connection could not be made, or broke: nothing listens there, it is no Redis, it hung up.
 *
 * @example
 * ```ts no-run
 * import { connect, ConnectError } from "@keywatch/keywatch";
 *
 * const url = "redis://localhost:6379";
 * const notifications = await connect(url).catch((error) => {
 *   if (!(error instanceof ConnectError)) throw error;
 *   console.error(error.message, error.cause);
 *   return null; // It may be there later.
 * });
 * ```
 */
export class ConnectError extends Error {
  /** Always `"ConnectError"`. */
  override readonly name = "ConnectError";
}

/**
 * This runtime's sockets cannot do what was asked of them; to try again does not help.
 *
 * @example
 * ```ts no-run
 * import { connect, UnsupportedError } from "@keywatch/keywatch";
 *
 * try {
 *   await using notifications = await connect("redis+unix:///run/redis/redis.sock");
 *   console.log(notifications.status());
 * } catch (error) {
 *   if (!(error instanceof UnsupportedError)) throw error;
 *   console.error(error.message); // In Workers, which have no unix sockets.
 * }
 * ```
 */
export class UnsupportedError extends Error {
  /** Always `"UnsupportedError"`. */
  override readonly name = "UnsupportedError";
}

/**
 * The server refused the user name or password, or demands one and got none.
 *
 * @example
 * ```ts no-run
 * import { AuthError, connect } from "@keywatch/keywatch";
 *
 * try {
 *   await using notifications = await connect("redis://watcher:old@localhost:6379");
 *   console.log(notifications.status());
 * } catch (error) {
 *   if (!(error instanceof AuthError)) throw error;
 *   console.error(`Look the password up again: ${error.message}`);
 * }
 * ```
 */
export class AuthError extends Error {
  /** Always `"AuthError"`. */
  override readonly name = "AuthError";
}

/**
 * A wait ran into its deadline.
 *
 * @example
 * ```ts no-run
 * import { connect, TimeoutError } from "@keywatch/keywatch";
 *
 * try {
 *   await using notifications = await connect("redis://10.0.0.1", { timeout: 500 });
 *   console.log(notifications.status());
 * } catch (error) {
 *   if (!(error instanceof TimeoutError)) throw error;
 *   console.error(`Nothing within ${error.timeout} ms: ${error.message}`);
 * }
 * ```
 */
export class TimeoutError extends Error {
  /** Always `"TimeoutError"`. */
  override readonly name = "TimeoutError";
  /** The deadline that passed, in milliseconds. */
  readonly timeout: number;

  /**
   * What was waited for, and how long.
   *
   * @param message what was waited for, and from whom
   * @param timeout the deadline, in milliseconds
   * @param options `cause`: the error behind this one
   */
  constructor(message: string, timeout: number, options?: ErrorOptions) {
    super(message, options);
    this.timeout = timeout;
  }
}

/**
 * What was asked of an object that has been closed, or a wait that closing ended.
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
}
