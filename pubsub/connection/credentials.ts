import type { ServerError } from "../../resp/mod.ts";
import type { Connection } from "./connection.ts";
import { AuthError, TimeoutError } from "./errors.ts";
import { excerpt, reasonOf } from "./printable.ts";
import { isArityError } from "./refusal.ts";
import type { Secrets } from "./secrets.ts";
import { withDeadline } from "./timers.ts";

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
  readonly username?: string | undefined;
  /** The password or token. */
  readonly password: string;
}

/**
 * Reads the option `credentials`, or user and password.
 *
 * @param secrets takes the passwords that are known now, including one that is not used
 * @returns returns the credentials for a connection
 * @throws {TypeError} if there is a user without a password, or `credentials` has no password
 */
export function readCredentials(
  credentials: Credentials | (() => Credentials | Promise<Credentials>) | undefined,
  username: string | undefined,
  password: string | undefined,
  secrets: Secrets,
): () => Promise<Credentials | undefined> {
  secrets.add(password);
  if (username !== undefined && password === undefined && credentials === undefined) {
    // The user is not quoted: in redis://secret@host it is a password.
    throw new TypeError(
      "Cannot log in: there is a user but no password; a password without a user is written " +
        "redis://:password@host",
    );
  }
  if (typeof credentials === "function") return async () => await credentials();
  if (credentials !== undefined && typeof credentials?.password !== "string") {
    throw new TypeError("Cannot use the option credentials: there is no password in it");
  }
  const fixed = credentials ?? (password === undefined ? undefined : {
    ...(username === undefined ? {} : { username }),
    password,
  });
  secrets.add(fixed?.password);
  return () => Promise.resolve(fixed);
}

/**
 * Waits for the credentials.
 *
 * @throws {AuthError} if the function fails
 * @throws {TimeoutError} if it takes too long
 */
export async function requestCredentials(
  { server, secrets }: Connection,
  { timeout, credentials, signal }: {
    readonly timeout: number;
    readonly credentials: () => Promise<Credentials | undefined>;
    readonly signal: AbortSignal;
  },
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

/** Makes the error for credentials that a server refuses, or requires. */
export function loginRefused(
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
  const hint = isArityError(cause)
    ? "leave the username out if the server is older than Redis 6"
    : "check the URL, or the options username, password and credentials";
  return new AuthError(
    "PASSWORD_REFUSED",
    `Cannot log in to ${server}${who}: ${cause.message.replace(/\.$/, "")}; ${hint}`,
    { server, cause },
  );
}
