import { Decoder, type DecoderLimits } from "../../resp/mod.ts";
import { DEFAULT_LIMITS } from "../../resp/options.ts";
import { formatAddress, type ServerUrl } from "./address.ts";
import type { Credentials } from "./handshake.ts";
import {
  checkKinds,
  checkMilliseconds,
  checkSignal,
  dialWithTls,
  invalid,
  type Kind,
  tlsFor,
} from "./option_checks.ts";
import { Secrets } from "./secrets.ts";
import type { Dial, TlsOptions } from "./transport.ts";
import { dial } from "./transports/mod.ts";

/**
 * How to connect to a server.
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
  /** The ACL user; goes before the URL's. */
  readonly username?: string;
  /** The password; goes before the URL's. */
  readonly password?: string;
  /**
   * Who to be, or a function that says so, asked at each connect: for tokens that expire. Goes
   * before `username` and `password`.
   */
  readonly credentials?: Credentials | (() => Credentials | Promise<Credentials>);
  /**
   * The protocol to speak. Default: RESP3, and RESP2 where the server refuses `HELLO`, does not answer
   * it in RESP3, or closes the connection when it receives it.
   */
  readonly protocol?: 2 | 3;
  /** The name under which `CLIENT LIST` shows the connection. Default `keywatch`. */
  readonly clientName?: string;
  /** How long dialling, and any one answer, may take, in ms. Default 5,000. */
  readonly timeout?: number;
  /** Closes everything when it is aborted, also while connecting. */
  readonly signal?: AbortSignal;
  /**
   * Certificates and the server's name, for `rediss://` and `valkeys://`. Default: what the runtime
   * trusts.
   */
  readonly tls?: TlsOptions;
  /**
   * Opens the byte stream in place of the runtime's own sockets. It is told whether to speak TLS,
   * and must.
   */
  readonly dial?: Dial;
  /**
   * How often a silent connection is checked: a `PING` is sent if nothing has come for `interval` ms
   * (default 15,000). If it is not answered within `timeout`, the connection is over.
   */
  readonly heartbeat?: { readonly interval?: number };
  /**
   * What is accepted from a server at most, before the connection is ended. Keys and replies of up
   * to 64 MiB unless set otherwise.
   */
  readonly limits?: DecoderLimits;
}

/** What the target of a connect says of the servers, whatever their addresses. */
export interface ServerDefaults extends Omit<ServerUrl, "address"> {
  /** How they are called in messages. */
  readonly where: string;
}

/** What a URL says of the servers. */
export function defaultsOf(url: ServerUrl): ServerDefaults {
  return { ...url, where: formatAddress(url.address) };
}

/** What a connection needs, checked and complete. */
export interface OpenSettings {
  /** Opens a byte stream with the TLS that was asked for, if any. */
  readonly dial: Dial;
  readonly protocol: 2 | 3 | undefined;
  readonly credentials: () => Promise<Credentials | undefined>;
  /** The passwords that no message may hold. */
  readonly secrets: Secrets;
  readonly clientName: string;
  readonly resp2Servers: Set<string>;
  readonly timeout: number;
  readonly limits: DecoderLimits;
}

const DEFAULT_TIMEOUT = 5_000;
/** How long nothing may come before a `PING` is sent, unless an option says otherwise, in ms. */
export const HEARTBEAT_MS = 15_000;
// More than any key within reason, and a bound to what a hostile peer can have us hold.
const LIMITS: DecoderLimits = {
  // Written out: a bundler keeps the object for a product.
  maxBulkLength: 67_108_864,
  maxHeldBytes: 134_217_728,
  maxElements: 1_048_576,
  maxDepth: 32,
};

const KINDS: { readonly [Name in keyof OpenOptions]?: Kind } = {
  username: "string",
  password: "string",
  clientName: "string",
  tls: "object",
  dial: "function",
  heartbeat: "object",
  limits: "object",
};

/**
 * Fills in the defaults, and what the target says. What is undefined is left out.
 *
 * @param secrets takes the password
 * @throws {TypeError} when an option is not what it must be
 * @throws {RangeError} when a limit is not
 */
export function resolveOpenOptions(
  target: ServerDefaults,
  options: OpenOptions,
  secrets: Secrets = new Secrets(),
): OpenSettings {
  checkKinds(options, KINDS);
  checkSignal(options.signal);
  const { protocol, timeout = DEFAULT_TIMEOUT, clientName = "keywatch" } = options;
  if (protocol !== undefined && protocol !== 2 && protocol !== 3) {
    throw invalid("protocol", protocol, "2 or 3");
  }
  checkMilliseconds("timeout", timeout);
  if (!/^[!-~]*$/.test(clientName)) {
    throw invalid("clientName", clientName, "printable ASCII without spaces");
  }
  const limits = filled({ ...DEFAULT_LIMITS, ...LIMITS }, options.limits);
  // It finds fault with them, before anything is dialled.
  new Decoder({ reply() {}, push() {} }, limits);
  return {
    dial: dialWithTls(options.dial ?? dial, tlsFor(target.where, target.tls ?? false, options.tls)),
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
 * Who to be: what `credentials` says, otherwise the user and password.
 *
 * @param secrets takes the passwords that are known now, also one that is not used
 * @throws {TypeError} when there is a user without a password, or `credentials` are none
 */
export function readCredentials(
  credentials: OpenOptions["credentials"],
  username: string | undefined,
  password: string | undefined,
  secrets: Secrets,
): () => Promise<Credentials | undefined> {
  secrets.add(password);
  if (username !== undefined && password === undefined && credentials === undefined) {
    // It is not repeated: in redis://secret@host it is a password.
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

/** The defaults, but for what is given in their place. */
export function filled<T extends object>(defaults: T, given: Partial<T> = {}): T {
  const values = { ...defaults };
  for (const name of Object.keys(defaults) as (keyof T)[]) {
    values[name] = given[name] ?? values[name];
  }
  return values;
}

/** A callback whose failure stops nothing: it is called from the middle of a connection's work. */
export function shielded<T>(callback: (value: T) => void): (value: T) => void {
  return (value) => {
    try {
      callback(value);
    } catch (error) {
      console.error("keywatch: a callback failed:", error);
    }
  };
}
