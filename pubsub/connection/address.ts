/**
 * Server URLs: `redis://`, `rediss://` over TLS, and `redis+unix://` through a socket file; and the
 * same with `valkey` in place of `redis`.
 *
 * @module
 */

import { kindOf } from "./option_checks.ts";
import { isName, reasonOf } from "./printable.ts";
import { type Address, formatAddress, type TcpAddress, type UnixAddress } from "./transport.ts";

/** The port of a URL that names none. */
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
/** Matches what precedes the path of a socket: the scheme, and user and password. */
const SOCKET = /^[^:]+:\/\/([^/?#]*@)?\//;

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
      `Cannot read ${name}: ${why}; expected ${isUnix ? UNIX_FORM : TCP_FORM}, the user and ` +
        "password percent-encoded",
    );
  if (text === "") throw fail("it is empty");
  if (scheme === null) {
    throw fail("it begins with none of redis://, rediss://, redis+unix:// and their valkey forms");
  }
  // `URL` leaves these out, also of a password.
  if (/[\t\n\r]/.test(text)) throw fail("it holds a tab or a line break");
  // `URL` refuses a user without a host, so a socket is given one.
  const parts = toUrl(isUnix ? text.replace(SOCKET, "socket://$1socket/") : text, fail);
  const address = isUnix ? readSocket(parts, fail) : readServer(parts, defaultPort, fail);
  if (parts.hash !== "" || (!isUnix && parts.search !== "")) {
    throw fail("it has a query or a fragment");
  }
  if (!/^(?:\?db=[^&]*)?$/.test(parts.search)) throw fail("its query is not db=number");
  const database = isUnix ? parts.search.slice("?db=".length) : parts.pathname.slice(1);
  if (!/^\d{0,9}$/.test(database)) throw fail("its database is not a number");
  const username = decode(parts.username, "user", fail);
  const password = decode(parts.password, "password", fail);
  // `URL` does not tell an empty password, which a user may have, from none.
  const hasPassword = password !== "" || (username !== "" && /^[^/]*\/\/[^/@]*:@/.test(text));
  return {
    address,
    ...(scheme[1]?.toLowerCase() === "s" ? { tls: true } : {}),
    ...(username === "" ? {} : { username }),
    ...(hasPassword ? { password } : {}),
    ...(database === "" ? {} : { database: Number(database) }),
  };
}

function toUrl(text: string, fail: Fail): URL {
  try {
    return new URL(text);
  } catch {
    const [, port] = /^[^:]*:\/\/[^/?#]*:(\d+)(?:[/?#]|$)/.exec(text) ?? [];
    throw fail(Number(port) > MAX_PORT ? `its port is above ${MAX_PORT}` : "it is not a URL");
  }
}

function readServer({ hostname, port }: URL, defaultPort: number, fail: Fail): TcpAddress {
  if (hostname === "") throw fail("it names no host");
  if (port === "0") throw fail("port 0 cannot be connected to");
  return {
    hostname: decode(hostname, "host", fail).replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? defaultPort : Number(port),
  };
}

function readSocket({ protocol, pathname }: URL, fail: Fail): UnixAddress {
  const path = decode(pathname, "path", fail);
  if (protocol !== "socket:" || path.endsWith("/")) {
    throw fail("it does not name a socket by its absolute path");
  }
  if (path.includes("\0")) throw fail("its path holds a zero byte");
  return { path };
}

function decode(part: string, what: string, fail: Fail): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw fail(`the percent-encoding of its ${what} is broken`);
  }
}

/** Where to dial a server in place of the address that another one announces for it. */
export type AddressMap = (address: TcpAddress) => TcpAddress;

/** The caller's map, with what it does wrong told as that; each address as it is where there is none. */
export function checkedMap(map: AddressMap | undefined): AddressMap {
  if (map === undefined) return (address) => address;
  return (address) => {
    const fail = (why: string, cause?: unknown) =>
      new TypeError(
        `Cannot use what the option addressMap makes of ${formatAddress(address)}: ${why}`,
        { cause },
      );
    let mapped: Partial<TcpAddress>;
    try {
      // A getter may throw, too.
      const { hostname, port } = map(address) ?? {};
      mapped = { hostname, port } as Partial<TcpAddress>;
    } catch (cause) {
      throw fail(reasonOf(cause), cause);
    }
    return checkTcpAddress(mapped, fail);
  };
}

/**
 * Checks that something is an address.
 *
 * @param fail makes the error that is thrown if it is none
 * @returns a copy
 */
export function checkTcpAddress(
  { hostname, port }: Partial<TcpAddress>,
  fail: (why: string) => TypeError,
): TcpAddress {
  if (typeof hostname !== "string" || !Number.isInteger(port)) {
    throw fail("it is not { hostname, port }");
  }
  if (!isName(hostname)) throw fail("its hostname is not one");
  if (port! < 1 || port! > MAX_PORT) throw fail(`there is no port ${port}`);
  return { hostname, port: port! };
}
