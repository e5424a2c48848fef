import { checkKinds, checkKnown, type Kind } from "./option_checks.ts";
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

/**
 * The address and credentials of a server, as an object in place of a URL.
 *
 * @example
 * ```ts no-run
 * import { connect, type ServerAddress } from "@keywatch/keywatch";
 *
 * const server: ServerAddress = { host: "10.0.0.5", port: 6380, tls: true, database: 2 };
 * await using notifications = await connect(server);
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export interface ServerAddress {
  /** The host name or IP address. Default: `localhost`. */
  readonly host?: string | undefined;
  /** The same as `host`, under its name in {@linkcode TcpAddress}. */
  readonly hostname?: string | undefined;
  /** The port. Default: 6379. */
  readonly port?: number | undefined;
  /** The path of a unix socket, instead of a host. */
  readonly path?: string | undefined;
  /** Whether to connect over TLS. Default: `false`. */
  readonly tls?: boolean | undefined;
  /** The ACL user. */
  readonly username?: string | undefined;
  /** The password. */
  readonly password?: string | undefined;
  /** The database of subscriptions without the option `db`. Default: 0. */
  readonly database?: number | undefined;
}

/**
 * A server: its URL, or its address as an object.
 *
 * @example
 * ```ts no-run
 * import { connect, type ServerTarget } from "@keywatch/keywatch";
 *
 * const seedNodes: ServerTarget[] = ["redis://node-1:6379", { host: "node-2" }];
 * await using notifications = await connect(seedNodes);
 * await notifications.subscribeKeyevent("expired");
 * ```
 */
export type ServerTarget = string | URL | ServerAddress;

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
 * `valkey://`, `valkeys://` and `valkey+unix://` mean the same, and `unix://` means `redis+unix://`. User, password, host and path are
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
  const text = String(url).trim().replace(/^unix:/i, "redis+unix:");
  const parts = SERVER_URL.exec(text);
  const [, kind = "", user, secret, path, db, host, port = defaultPort, number] = parts ?? [];
  if (parts === null || (kind.toLowerCase() === "+unix") !== (path !== undefined)) {
    throw fail(
      /^(?:redis|valkey)/i.test(text)
        ? "it has another form"
        : "it does not begin with redis:// or rediss://",
    );
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

const KINDS: { readonly [Name in keyof Required<ServerAddress>]: Kind | null } = {
  host: "string",
  hostname: "string",
  port: null,
  path: "string",
  tls: "boolean",
  username: "string",
  password: "string",
  database: null,
};

/**
 * Reads the URL or the address of a server.
 *
 * @param name what it is called in messages
 * @param defaultPort the port if it names none
 * @throws {TypeError} if it is neither
 */
export function readTarget(name: string, target: ServerTarget, defaultPort: number): ServerUrl {
  // A URL of another realm is not an instance of this realm's class.
  const isAddress = typeof target === "object" && target !== null && !("href" in target) &&
    !Array.isArray(target);
  return isAddress
    ? readServerAddress(name, target, defaultPort)
    : parseNamedUrl(name, target as string, defaultPort);
}

function readServerAddress(name: string, given: ServerAddress, defaultPort: number): ServerUrl {
  checkKnown(given, Object.keys(KINDS));
  checkKinds(given, KINDS);
  const { host, hostname = host, port = defaultPort, path, tls, username, password } = given;
  const fail: Fail = (why) =>
    new TypeError(`Cannot use ${name}: ${why}; give a URL, { host, port } or { path }`);
  if (path !== undefined && (!path.startsWith("/") || hostname !== undefined)) {
    throw fail("its path is not absolute, or it has a host too");
  }
  const { database } = given;
  if (database !== undefined && !(Number.isInteger(database) && database >= 0)) {
    throw fail("its database is not a whole number of at least 0");
  }
  return {
    address: path === undefined
      ? checkTcpAddress({ hostname: hostname ?? "localhost", port }, fail)
      : { path },
    ...(tls ? { tls } : {}),
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(database === undefined ? {} : { database }),
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
