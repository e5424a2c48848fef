/**
 * Server URLs: `redis://`, `rediss://` over TLS, and `redis+unix://` through a socket file; and the
 * same with `valkey` in place of `redis`.
 *
 * @module
 */

import { kindOf } from "./option_checks.ts";
import type { Address } from "./transport.ts";

/**
 * The port Redis and Valkey listen on when a URL names none.
 *
 * @example
 * ```ts
 * import { DEFAULT_PORT, parseUrl } from "@keywatch/keywatch/pubsub";
 *
 * const { address } = parseUrl("redis://localhost");
 * "port" in address && address.port === DEFAULT_PORT; // true
 * ```
 */
export const DEFAULT_PORT = 6379;

/**
 * What a URL says of a server.
 *
 * @example
 * ```ts
 * import { formatAddress, parseUrl, type ServerUrl } from "@keywatch/keywatch/pubsub";
 *
 * const { address, database = 0 }: ServerUrl = parseUrl("redis://localhost/2");
 * console.log(`${formatAddress(address)}, database ${database}`); // localhost:6379, database 2
 * ```
 */
export interface ServerUrl {
  /** Where it listens. */
  readonly address: Address;
  /** Whether it is to be spoken with over TLS. */
  readonly tls?: boolean;
  /** The user, when the URL names one. */
  readonly username?: string;
  /** The password, when the URL holds one. */
  readonly password?: string;
  /** The database, when the URL names one. */
  readonly database?: number;
}

/** The highest port of TCP. */
export const MAX_PORT = 65_535;
const TCP_FORM = "redis[s]://[[user]:password@]host[:port][/database]";
const UNIX_FORM = "redis+unix://[[user]:password@]/path/to/socket[?db=number]";
const SCHEME = /^(?:redis|valkey)(s|\+unix)?:\/\//i;

/**
 * Makes the error that says why a URL cannot be read. Nothing of the URL may stand in it: in a
 * malformed one any part may be a piece of a password, the host and the port too. It has no cause,
 * because the runtimes' own errors repeat the URL.
 */
type Fail = (why: string) => TypeError;

/**
 * Reads a server's URL.
 *
 * - `redis://[[user]:password@]host[:port][/database]`: TCP. An IPv6 address stands in brackets; the
 *   port is 6379 unless named.
 * - `rediss://…`: the same over TLS.
 * - `redis+unix://[[user]:password@]/path/to/socket[?db=number]`: a unix socket, its path absolute.
 *
 * `valkey://`, `valkeys://` and `valkey+unix://` mean the same. User, password, host and path are
 * percent-encoded.
 *
 * @param url the URL
 * @param defaultPort the port when the URL names none; a server's unless given
 * @returns its parts
 * @throws {TypeError} when it is not such a URL; the message repeats no part of it
 *
 * @example
 * ```ts
 * import { parseUrl } from "@keywatch/keywatch/pubsub";
 *
 * console.log(parseUrl("rediss://:secret@[::1]:6380/2"));
 * // { address: { hostname: "::1", port: 6380 }, tls: true, password: "secret", database: 2 }
 * console.log(parseUrl("valkey+unix:///run/valkey/valkey.sock?db=2"));
 * // { address: { path: "/run/valkey/valkey.sock" }, database: 2 }
 * ```
 */
export function parseUrl(url: string | URL, defaultPort: number = DEFAULT_PORT): ServerUrl {
  return parseNamedUrl("the server URL", url, defaultPort);
}

/**
 * Reads a server's URL as {@linkcode parseUrl} does.
 *
 * @param name how it is called in messages, which do not repeat it
 */
export function parseNamedUrl(name: string, url: string | URL, defaultPort: number): ServerUrl {
  if (typeof url !== "string" && !(url instanceof URL)) {
    throw new TypeError(
      `Cannot read ${name}: ${kindOf(url)} is neither text nor a URL; expected ${TCP_FORM}`,
    );
  }
  const text = String(url).trim();
  const scheme = SCHEME.exec(text);
  const isUnix = scheme?.[1]?.toLowerCase() === "+unix";
  const fail: Fail = (why) =>
    new TypeError(
      `Cannot read ${name}: ${why}; expected ${isUnix ? UNIX_FORM : TCP_FORM}` +
        (hasRawCredentials(text)
          ? ", its user and password percent-encoded (such as / as %2F, by encodeURIComponent)"
          : ""),
    );
  if (text === "") throw fail("it is empty");
  if (scheme === null) {
    throw fail("it begins with none of redis://, rediss://, redis+unix:// and their valkey forms");
  }
  // `URL` leaves these out, also of a password.
  if (/[\t\n\r]/.test(text)) throw fail("it holds a tab or a line break");
  if (isUnix) return parseUnixUrl(text, fail);
  const server = parseTcpUrl(text, defaultPort, fail);
  return scheme[1] === undefined ? server : { ...server, tls: true };
}

/** Whether an `@` follows what must be percent-encoded before it, or a `%` begins no encoding. */
function hasRawCredentials(text: string): boolean {
  const rest = text.replace(/^[a-z+]*:?\/{0,2}/i, "");
  return /[/?#\\\s][^]*@|%(?![\da-f]{2})[^]*@/i.test(rest);
}

function parseTcpUrl(text: string, defaultPort: number, fail: Fail): ServerUrl {
  let parts: URL;
  try {
    parts = new URL(text);
  } catch {
    const [, port] = /^[^:]*:\/\/[^/?#]*:(\d+)(?:[/?#]|$)/.exec(text) ?? [];
    throw fail(Number(port) > MAX_PORT ? `its port is above ${MAX_PORT}` : "it is not a URL");
  }
  if (parts.hostname === "") throw fail("it names no host");
  if (parts.search !== "" || parts.hash !== "") throw fail("it has a query or a fragment");
  if (parts.port === "0") throw fail("port 0 cannot be connected to");
  const hostname = decode(parts.hostname, "host", fail).replace(/^\[(.*)\]$/, "$1");
  return {
    address: { hostname, port: parts.port === "" ? defaultPort : Number(parts.port) },
    // `URL` does not tell an empty password, which a user may have, from none.
    ...credentials(
      parts.username,
      parts.password === "" && !/^[^/]*\/\/[^/@]*:@/.test(text) ? undefined : parts.password,
      fail,
    ),
    ...database(parts.pathname.replace(/^\//, ""), fail),
  };
}

/** `URL` refuses a user without a host, so these are taken apart here. */
function parseUnixUrl(text: string, fail: Fail): ServerUrl {
  const parts = /^[^:]+:\/\/(?:([^/?#:@]*)(?::([^/?#]*))?@)?([^?#]*)(?:\?([^#]*))?$/.exec(text);
  if (parts === null) throw fail("it is not a URL");
  const [, username = "", password, encodedPath = "", query = ""] = parts;
  const path = decode(encodedPath, "path", fail);
  if (!path.startsWith("/") || path.endsWith("/")) {
    throw fail("it does not name a socket by its absolute path");
  }
  if (path.includes("\0")) throw fail("its path holds a zero byte");
  const [pair, ...more] = query === "" ? [] : query.split("&");
  if (more.length > 0 || (pair !== undefined && !pair.startsWith("db="))) {
    throw fail("its query is not db=number");
  }
  return {
    address: { path },
    ...credentials(username, password, fail),
    ...database(pair?.slice("db=".length) ?? "", fail),
  };
}

function credentials(
  username: string,
  password: string | undefined,
  fail: Fail,
): Pick<ServerUrl, "username" | "password"> {
  return {
    ...(username === "" ? {} : { username: decode(username, "user", fail) }),
    ...(password === undefined || (password === "" && username === "")
      ? {}
      : { password: decode(password, "password", fail) }),
  };
}

function database(text: string, fail: Fail): Pick<ServerUrl, "database"> {
  if (!/^\d{0,9}$/.test(text)) throw fail("its database is not a number");
  return text === "" ? {} : { database: Number(text) };
}

function decode(part: string, what: string, fail: Fail): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw fail(`the percent-encoding of its ${what} is broken`);
  }
}

/**
 * An address as people write it: `host:port`, IPv6 in brackets; of a unix socket, its path.
 *
 * @param address the address
 * @returns its text
 *
 * @example
 * ```ts
 * import { formatAddress } from "@keywatch/keywatch/pubsub";
 *
 * console.log(formatAddress({ hostname: "::1", port: 6379 })); // [::1]:6379
 * console.log(formatAddress({ path: "/run/redis.sock" })); // /run/redis.sock
 * ```
 */
export function formatAddress(address: Address): string {
  if ("path" in address) return address.path;
  const { hostname, port } = address;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
