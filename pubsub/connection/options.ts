import { Decoder, type DecoderLimits } from "../../resp/mod.ts";
import { resolveLimits } from "../../resp/options.ts";
import type { ServerUrl } from "./address.ts";
import { type Credentials, readCredentials } from "./credentials.ts";
import {
  checkKinds,
  checkMilliseconds,
  checkSignal,
  dialWithTls,
  invalid,
  isPromiseLike,
  type Kind,
  rejectUnknown,
  tlsFor,
} from "./option_checks.ts";
import { Secrets } from "./secrets.ts";
import type { Dial, TlsOptions } from "./transport.ts";
import { dial } from "./transports/mod.ts";

/**
 * Options of a connection to a server.
 *
 * @example
 * ```ts no-run
 * import { open, type OpenOptions } from "@keywatch/keywatch/connection";
 *
 * const options: OpenOptions = { protocol: 2, timeout: 1_000, clientName: "cache" };
 * await using connection = await open("redis://localhost:6379", options);
 * console.log(await connection.command("PING")); // PONG
 * ```
 */
export interface OpenOptions {
  /** The ACL user. Overrides the user of the URL. */
  readonly username?: string | undefined;
  /** The password. Overrides the password of the URL. */
  readonly password?: string | undefined;
  /**
   * The user and password, or a function that returns them. The function is called for each connection,
   * so it can return tokens that expire. Overrides `username` and `password`.
   */
  readonly credentials?: Credentials | (() => Credentials | Promise<Credentials>) | undefined;
  /**
   * The version of the protocol. By default, RESP2 is used if the server refuses `HELLO`, does not answer
   * it in RESP3, or closes the connection when it receives it. Default: 3, then 2.
   */
  readonly protocol?: 2 | 3 | undefined;
  /** The name of the connection in `CLIENT LIST`. Default: `keywatch`. */
  readonly clientName?: string | undefined;
  /** How long it may take to connect, and to answer a command, in ms. Default: 5,000. */
  readonly timeout?: number | undefined;
  /** Closes everything when it is aborted, also while connecting. */
  readonly signal?: AbortSignal | undefined;
  /** Certificates and the server's name, for `rediss://` and `valkeys://`. */
  readonly tls?: TlsOptions | undefined;
  /**
   * Opens the byte stream to an address, for tunnels, proxies and other runtimes. If it is called with
   * `tls`, it must use TLS. Default: the sockets of the runtime.
   */
  readonly dial?: Dial | undefined;
  /**
   * How often a silent connection is checked: a `PING` is sent if nothing arrived for `interval` ms
   * (default 15,000). If it is not answered within `timeout`, the connection is closed.
   */
  readonly heartbeat?: { readonly interval?: number | undefined } | undefined;
  /** Limits on what is accepted from a server. The connection is closed if it sends more. */
  readonly limits?: DecoderLimits | undefined;
}

/** What the target of a connect says about the servers, apart from their addresses. */
export type ServerDefaults = Omit<ServerUrl, "address">;

/** The options of a connection, checked and with defaults. */
export interface OpenSettings {
  /** Opens a byte stream, with TLS if it was requested. */
  readonly dial: Dial;
  readonly protocol: 2 | 3 | undefined;
  readonly credentials: () => Promise<Credentials | undefined>;
  /** The passwords that no text may contain. */
  readonly secrets: Secrets;
  readonly clientName: string;
  readonly resp2Servers: Set<string>;
  readonly timeout: number;
  readonly limits: DecoderLimits;
}

const DEFAULT_TIMEOUT = 5_000;

/** The default of `heartbeat.interval`. */
export const HEARTBEAT_MS = 15_000;
/** The type of each option; null for those that are examined in another way. */
const KINDS: { readonly [Name in keyof Required<OpenOptions>]: Kind | null } = {
  username: "string",
  password: "string",
  credentials: null,
  protocol: null,
  clientName: "string",
  timeout: null,
  signal: null,
  tls: "object",
  dial: "function",
  heartbeat: "object",
  limits: "object",
};
const TLS_OPTIONS: readonly (keyof TlsOptions)[] = ["ca", "cert", "key", "serverName"];

/**
 * Checks that all options exist.
 *
 * @param more the names of those that {@linkcode OpenOptions} lacks
 * @param heartbeat the names of those of the heartbeat
 * @throws {TypeError} if one does not
 */
export async function checkOptionNames(
  options: OpenOptions,
  more: readonly string[],
  heartbeat: readonly string[],
): Promise<void> {
  checkKinds(options, KINDS);
  await (rejectUnknown(options, [...Object.keys(KINDS), ...more]) ??
    rejectUnknown(options.heartbeat, heartbeat, "heartbeat.") ??
    rejectUnknown(options.tls, TLS_OPTIONS, "tls.") ??
    rejectUnknown(options.limits, Object.keys(resolveLimits({})), "limits."));
}

/**
 * Checks options, and adds the defaults and what the target says.
 *
 * @param secrets takes the password
 * @throws {TypeError} if an option cannot be used
 * @throws {RangeError} if a limit cannot be used
 */
export function resolveOpenOptions(
  target: ServerDefaults,
  options: OpenOptions,
  secrets: Secrets = new Secrets(),
): OpenSettings {
  checkSignal(options.signal);
  const { protocol, timeout = DEFAULT_TIMEOUT, clientName = "keywatch", limits = {} } = options;
  if (protocol !== undefined && protocol !== 2 && protocol !== 3) {
    throw invalid("protocol", protocol, "2 or 3");
  }
  checkMilliseconds("timeout", timeout);
  if (!/^[!-~]*$/.test(clientName)) {
    throw invalid("clientName", clientName, "printable ASCII without spaces");
  }
  // It checks the limits, before anything is dialed.
  new Decoder({ reply() {}, push() {} }, limits);
  return {
    dial: dialWithTls(options.dial ?? dial, tlsFor(target.tls ?? false, options.tls)),
    protocol,
    credentials: readCredentials(
      options.credentials,
      options.username ?? target.username,
      options.password ?? target.password,
      secrets,
    ),
    secrets,
    clientName,
    resp2Servers: new Set(),
    timeout,
    limits,
  };
}

/**
 * Wraps a callback so that what it throws, or rejects with, is logged: it is called in the middle of
 * other work.
 */
export function shielded<T>(callback: (value: T) => unknown): (value: T) => void {
  const log = (error: unknown) => console.error("keywatch: a callback failed:", error);
  return (value) => {
    try {
      const result = callback(value);
      if (isPromiseLike(result)) Promise.resolve(result).catch(log);
    } catch (error) {
      log(error);
    }
  };
}
