/**
 * What a connection needs from a runtime: addresses, and a byte stream to one of them. The code of the
 * runtimes is in `transports/`.
 *
 * @module
 */

/**
 * Where a server listens on TCP.
 *
 * @example
 * ```ts
 * import { formatAddress, type TcpAddress } from "@keywatch/keywatch/pubsub";
 *
 * const address: TcpAddress = { hostname: "::1", port: 6379 };
 * formatAddress(address); // "[::1]:6379"
 * ```
 */
export interface TcpAddress {
  /** The host name or IP address; an IPv6 address without brackets. */
  readonly hostname: string;
  /** The port, from 1 to 65535. */
  readonly port: number;
}

/**
 * Where a server listens on a unix socket.
 *
 * @example
 * ```ts
 * import { formatAddress, type UnixAddress } from "@keywatch/keywatch/pubsub";
 *
 * const address: UnixAddress = { path: "/run/redis/redis.sock" };
 * formatAddress(address); // "/run/redis/redis.sock"
 * ```
 */
export interface UnixAddress {
  /** The absolute path of the socket. */
  readonly path: string;
}

/**
 * Where a server listens.
 *
 * @example
 * ```ts
 * import type { Address } from "@keywatch/keywatch/pubsub";
 *
 * function isLocal(address: Address): boolean {
 *   return "path" in address || ["127.0.0.1", "::1", "localhost"].includes(address.hostname);
 * }
 * ```
 */
export type Address = TcpAddress | UnixAddress;

/**
 * Formats an address: `host:port`, with IPv6 in brackets, or the path of a unix socket.
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

/**
 * Options of TLS. Certificates and the key are PEM, as text or as the bytes of a file.
 *
 * The PEM may have a byte order mark, line breaks of any kind, and text around its blocks. Line breaks
 * may be written as `\n` or as spaces, as in environment variables. If a value contains no PEM of its
 * kind, the connection fails with `TLS_FAILED` before a socket is opened.
 *
 * The server's certificate is always checked. No option turns this off.
 *
 * @example
 * ```ts no-run
 * import { readFile } from "node:fs/promises";
 * import { connect, type TlsOptions } from "@keywatch/keywatch";
 *
 * const tls: TlsOptions = { ca: await readFile("ca.pem"), serverName: "redis.internal" };
 * await using notifications = await connect("rediss://10.0.0.1:6380", { tls });
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export interface TlsOptions {
  /**
   * The certificates of the trusted authorities (CAs): one text with one or more, or a list. In Deno,
   * the authorities that the runtime trusts stay trusted too. Default: the authorities that the runtime
   * trusts.
   */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** The client certificate, followed by its chain of intermediate certificates. Requires `key`. */
  readonly cert?: string | Uint8Array | undefined;
  /** The private key of `cert`, not encrypted. A file with both may be given for both. */
  readonly key?: string | Uint8Array | undefined;
  /**
   * The name that the server's certificate must have, which is also sent to the server (SNI). An IP
   * address is checked but not sent, because SNI allows only names. Default: the host of the address.
   */
  readonly serverName?: string | undefined;
}

/**
 * An open byte stream to a server, as a {@linkcode Dial} returns it.
 *
 * At most one `read` is under way at a time. Writes may overlap; they are sent in the order of the
 * calls.
 *
 * @example
 * ```ts
 * import type { Transport } from "@keywatch/keywatch/pubsub";
 *
 * // The same stream, with the bytes that arrive counted.
 * function counted(inner: Transport, count: (bytes: number) => void): Transport {
 *   return {
 *     read: async () => {
 *       const chunk = await inner.read();
 *       count(chunk?.length ?? 0);
 *       return chunk;
 *     },
 *     write: (bytes) => inner.write(bytes),
 *     close: () => inner.close(),
 *   };
 * }
 * ```
 */
export interface Transport {
  /**
   * Waits for bytes.
   *
   * @returns all bytes that arrived, at least one, in memory that the transport never writes to again,
   * because notifications may be views of it; null if the peer has ended the stream, or after
   * {@linkcode Transport.close}
   * @throws if the stream broke: the runtime's error, or a `ConnectError`
   */
  read(): Promise<Uint8Array | null>;
  /**
   * Passes all bytes to the system.
   *
   * @throws if it did not take all of them
   */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Bytes that the transport holds because no `read` has returned them yet, for `status()`. They must
   * be bounded: above a limit the transport stops reading its socket. Left out if it holds none.
   */
  readonly unread?: number;
  /** Ends the stream at once, in both directions. A waiting `read` resolves to null. */
  close(): void;
}

/**
 * The options of a {@linkcode Dial}.
 *
 * @example
 * ```ts
 * import type { DialOptions } from "@keywatch/keywatch/pubsub";
 *
 * // For a `dial` that cannot speak TLS: it must not connect in the clear instead.
 * function checkPlain({ tls, signal }: DialOptions): void {
 *   signal.throwIfAborted();
 *   if (tls !== undefined) throw new TypeError("Cannot speak TLS through this tunnel");
 * }
 * ```
 */
export interface DialOptions {
  /** Ends the attempt. The socket must not stay open then. */
  readonly signal: AbortSignal;
  /**
   * How to speak TLS: the caller's options. Left out for plain TCP and for unix sockets.
   */
  readonly tls?: TlsOptions | undefined;
}

/**
 * Opens a byte stream to an address. {@linkcode dial} is the default; another one, as the option `dial`,
 * can go through a tunnel or a proxy, or serve a runtime that Keywatch does not know.
 *
 * @example
 * ```ts no-run
 * import { connect, type Dial, dial } from "@keywatch/keywatch";
 *
 * const logged: Dial = async (address, options) => {
 *   console.log("dialing", address);
 *   return await dial(address, options);
 * };
 * await using notifications = await connect("redis://localhost:6379", { dial: logged });
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export type Dial = (address: Address, options: DialOptions) => Promise<Transport>;
