/**
 * Server URLs: `redis://[[user]:password@]host[:port][/database]`.
 *
 * @module
 */

import type { Address } from "./transport.ts";

/** The port Redis and Valkey listen on when a URL names none. */
export const DEFAULT_PORT = 6379;

/** What a URL says of a server. */
export interface ServerUrl {
  /** Where it listens. */
  readonly address: Address;
  /** The user, when the URL names one. */
  readonly username?: string;
  /** The password, when the URL holds one. */
  readonly password?: string;
  /** The database, when the URL names one. */
  readonly database?: number;
}

/**
 * Reads a server's URL.
 *
 * @param url `redis://[[user]:password@]host[:port][/database]`; user and password
 * percent-encoded, an IPv6 address in brackets. The port is 6379 unless named.
 * @returns its parts
 * @throws {TypeError} when it is not such a URL; the message never repeats a password
 *
 * @example
 * ```ts
 * import { parseUrl } from "@keywatch/keywatch/pubsub";
 *
 * const { address, database } = parseUrl("redis://:secret@[::1]:6380/2");
 * console.log(address.hostname, address.port, database); // ::1 6380 2
 * ```
 */
export function parseUrl(url: string | URL): ServerUrl {
  const text = String(url);
  const fail = (why: string, cause?: unknown) =>
    new TypeError(
      `Cannot read the server URL "${redact(text)}": ${why}; ` +
        "expected redis://[[user]:password@]host[:port][/database]",
      { cause },
    );
  let parts: URL;
  try {
    parts = new URL(text);
  } catch (cause) {
    throw fail("it is not a URL", cause);
  }
  if (parts.protocol !== "redis:") {
    const why = parts.protocol === "rediss:" || parts.protocol === "redis+unix:"
      ? `${parts.protocol}// is not supported yet`
      : `${parts.protocol}// is not a scheme of Redis`;
    throw fail(why);
  }
  if (parts.hostname === "") throw fail("it names no host");
  if (parts.search !== "" || parts.hash !== "") throw fail("it has a query or a fragment");
  if (parts.port === "0") throw fail("port 0 cannot be connected to");
  const decode = (part: string, what: string) => {
    try {
      return decodeURIComponent(part);
    } catch (cause) {
      throw fail(`the percent-encoding of its ${what} is broken`, cause);
    }
  };
  const hostname = decode(parts.hostname, "host").replace(/^\[(.*)\]$/, "$1");
  const username = decode(parts.username, "user");
  const password = decode(parts.password, "password");
  const path = /^\/?(\d{0,9})$/.exec(parts.pathname);
  if (path === null) throw fail(`"${parts.pathname}" is not a database number`);
  return {
    address: { hostname, port: parts.port === "" ? DEFAULT_PORT : Number(parts.port) },
    ...(username === "" ? {} : { username }),
    ...(password === "" ? {} : { password }),
    ...(path[1] === "" ? {} : { database: Number(path[1]) }),
  };
}

/** A URL fit for messages: whatever stands between the scheme and the last `@` is left out. */
function redact(text: string): string {
  return text.replace(/^([a-z+]*:\/\/)?.*@/is, "$1***@");
}

/**
 * An address as people write it: `host:port`, IPv6 in brackets.
 *
 * @param address the address
 * @returns its text
 *
 * @example
 * ```ts
 * import { formatAddress } from "@keywatch/keywatch/pubsub";
 *
 * console.log(formatAddress({ hostname: "::1", port: 6379 })); // [::1]:6379
 * ```
 */
export function formatAddress(address: Address): string {
  const { hostname, port } = address;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
