import { isName, reasonOf } from "./printable.ts";
import { type Address, formatAddress, type TcpAddress } from "./transport.ts";

/** The port of a URL that names none. */
export const DEFAULT_PORT = 6379;

/** The highest port of TCP. */
export const MAX_PORT = 65_535;

/**
 * What a URL says about a server.
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
  /** Where the server listens. */
  readonly address: Address;
  /** Whether to connect over TLS. */
  readonly tls?: boolean;
  /** The user, if the URL names one. */
  readonly username?: string;
  /** The password, if the URL contains one. */
  readonly password?: string;
  /** The database, if the URL names one. */
  readonly database?: number;
}

const FORMS = "redis[s]://[[user]:password@]host[:port][/database] or " +
  "redis+unix://[[user]:password@]/path[?db=number], the user and password percent-encoded";

/** Matches such a URL: kind, user, password; path and database; host, port and database. */
const SERVER_URL =
  /^(?:redis|valkey)(s|\+unix)?:\/\/(?:([^:/?#\t\n\r]*)(?::([^/?#\t\n\r]*))?@)?(?:(\/[^?#]*[^/?#])(?:\?(?:db=(\d{0,9}))?)?|(\[[\da-f:.]+\]|[^\s:/?#[\]@]+)(?::(\d+))?(?:\/(\d{0,9}))?)$/i;

/** Makes the error that says why something is not an address. */
type Fail = (why: string) => TypeError;

/**
 * Reads the URL of a server.
 *
 * - `redis://[[user]:password@]host[:port][/database]`: TCP. An IPv6 address stands in brackets; the
 *   default port is 6379.
 * - `rediss://…`: the same over TLS.
 * - `redis+unix://[[user]:password@]/path/to/socket[?db=number]`: a unix socket.
 *
 * `valkey://`, `valkeys://` and `valkey+unix://` mean the same. User, password, host and path are
 * percent-encoded.
 *
 * @param url the URL
 * @param defaultPort the port of a URL that names none; 6379 unless given
 * @returns its parts
 * @throws {TypeError} if it is not such a URL; the message repeats no part of it
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
 * Reads the URL of a server as {@linkcode parseUrl} does.
 *
 * @param name what it is called in messages
 */
export function parseNamedUrl(name: string, url: string | URL, defaultPort: number): ServerUrl {
  // Messages repeat nothing of the URL: in a malformed one any part may be a piece of a password.
  const fail: Fail = (why) => new TypeError(`Cannot read ${name}: ${why}; expected ${FORMS}`);
  const parts = SERVER_URL.exec(String(url).trim());
  const [, kind = "", user, secret, path, db, host, port = defaultPort, number] = parts ?? [];
  if (parts === null || (kind.toLowerCase() === "+unix") !== (path !== undefined)) {
    throw fail("it has another form");
  }
  const decode = (part: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw fail("its percent-encoding is broken");
    }
  };
  const database = number ?? db;
  const username = user && decode(user);
  const password = secret === undefined ? undefined : decode(secret);
  return {
    address: path === undefined
      ? checkTcpAddress({
        hostname: decode(host!.replace(/^\[(.*)\]$/, "$1")),
        port: Number(port),
      }, fail)
      : { path: decode(path) },
    ...(kind.toLowerCase() === "s" ? { tls: true } : {}),
    ...(username ? { username } : {}),
    // Without a user, an empty password is none.
    ...(password || (username && password !== undefined) ? { password } : {}),
    ...(database ? { database: Number(database) } : {}),
  };
}

/** Where to connect to a server instead of the address that another one announces for it. */
export type AddressMap = (address: TcpAddress) => TcpAddress;

/** The caller's map, with errors that name the option; every address as it is if there is none. */
export function checkedMap(map: AddressMap | undefined): AddressMap {
  if (map === undefined) return (address) => address;
  return (address) => {
    const fail = (why: string, cause?: unknown) =>
      new TypeError(
        `Cannot use what the option addressMap makes of ${formatAddress(address)}: ${why}`,
        { cause },
      );
    let mapped: TcpAddress;
    try {
      mapped = map(address);
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
  address: Partial<TcpAddress> | null | undefined,
  fail: Fail,
): TcpAddress {
  const { hostname, port } = address ?? {};
  if (typeof hostname !== "string" || !Number.isInteger(port)) {
    throw fail("it is not { hostname, port }");
  }
  if (!isName(hostname)) throw fail("its hostname is not one");
  if (port! < 1 || port! > MAX_PORT) throw fail(`its port is not from 1 to ${MAX_PORT}`);
  return { hostname, port: port! };
}
