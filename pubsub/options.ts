import { Decoder, type DecoderLimits, DEFAULT_LIMITS } from "../resp/mod.ts";
import { toBytes } from "../bytes/to_bytes.ts";
import { type AddressMap, checkedMap } from "./address_map.ts";
import { formatAddress, type ServerUrl } from "./address.ts";
import { ConnectTurns } from "./connect_turns.ts";
import type { Gap } from "./gap.ts";
import type { Credentials } from "./handshake.ts";
import type { HeartbeatOptions } from "./heartbeat.ts";
import type { Overflow, QueueLimits } from "./queue.ts";
import { Secrets } from "./secrets.ts";
import type { FlagsPolicy } from "./silence_guard.ts";
import type { Status } from "./status.ts";
import {
  checkAtLeast,
  checkKinds,
  checkMilliseconds,
  checkSignal,
  invalid,
  type Kind,
  kindOf,
} from "./option_checks.ts";
import { dialWithTls, tlsFor } from "./tls.ts";
import type { Dial, TcpAddress, TlsOptions } from "./transport.ts";
import { dial } from "./transports/mod.ts";

/**
 * How much may wait to be read, and what goes when more comes.
 *
 * @example
 * ```ts no-run
 * import { connect, type QueueOptions } from "@keywatch/keywatch";
 *
 * const queue: QueueOptions = { items: 1_000, overflow: "drop-newest" };
 * await using notifications = await connect("redis://localhost:6379", { queue });
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export interface QueueOptions extends Partial<QueueLimits> {
  /** Which notifications go. Default `drop-oldest`. */
  readonly overflow?: Overflow;
}

/**
 * How to connect, and what to do with what comes.
 *
 * @example
 * ```ts no-run
 * import { connect, type ConnectOptions } from "@keywatch/keywatch";
 *
 * const options: ConnectOptions = {
 *   timeout: 2_000,
 *   flags: "warn",
 *   onGap: ({ node, from, to }) => console.warn(`${node}: blind for ${to - from} ms`),
 * };
 * await using notifications = await connect("redis://localhost:6379/2", options);
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export interface ConnectOptions {
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
  /** Only notifications of keys that begin so; the prefix is taken off the key. */
  readonly keyPrefix?: string | Uint8Array;
  /**
   * When a silent connection is given up: a `PING` after so many ms without a byte (default 15,000),
   * and the end when nothing comes for so many ms after it (default 5,000). As often a server is
   * asked whether it has other flags or another role now; in RESP2 on a further connection. While
   * messages come a `PING` is sent every `busyInterval` (default 100 ms), which bounds how much
   * earlier than a loss its gap begins.
   */
  readonly heartbeat?: Partial<HeartbeatOptions>;
  /**
   * How many attempts in a row may fail before it gives up coming back after a loss. A connection
   * that was made again and is lost within 5 s counts as a failed attempt. Default: no end. With 0 the
   * first loss is the end. Not for clusters, in which a node is left when the others know it as a
   * primary no more.
   */
  readonly maxAttempts?: number;
  /**
   * How many connections to servers and sentinels may be in the making at once, from dialling until
   * the password is accepted; the others wait. To one address there is never more than one. Default
   * 100, which only a cluster of more nodes reaches.
   */
  readonly maxConnecting?: number;
  /**
   * What to do when nothing can ever come on a channel, because `notify-keyspace-events` lets
   * nothing through to it or the server has no such database: reject the subscription (`require`,
   * the default), tell `onWarning` (`warn`), not look (`ignore`), or add the letters that are
   * missing (`merge`), which is the only one that writes the server's configuration. Where the
   * server will not tell its flags or databases, the subscription goes on. It is looked again at each
   * connect, and at the flags each `heartbeat.interval`: what has come to be missing goes to
   * `onError`, or with `warn` to `onWarning`, and is a gap.
   */
  readonly flags?: FlagsPolicy;
  /** How much may wait to be read, per reader. Default 65,536 items and 64 MiB. */
  readonly queue?: QueueOptions;
  /**
   * What is accepted from a server at most, before the connection is ended and made anew. Keys and
   * replies of up to 64 MiB unless set otherwise.
   */
  readonly limits?: DecoderLimits;
  /**
   * Watch one node of a cluster and know that the other nodes' notifications do not come. Default
   * `false`: `connect` watches the whole cluster, `KeyspaceNotifications.connect` throws. Not with
   * sentinels, nor with options that only clusters have.
   */
  readonly singleNode?: boolean;
  /**
   * Where to dial a node of a cluster, or a primary or sentinel, in place of the address that nodes or
   * sentinels announce: for servers behind NAT or port forwarding. By default they are dialled at that
   * address. Where it throws, the server is not dialled. The addresses of URLs are dialled as they
   * are, so it is rejected where nothing else can be dialled: by `KeyspaceNotifications.connect` with
   * one URL, and with `singleNode`.
   */
  readonly addressMap?: (address: TcpAddress) => TcpAddress;
  /**
   * Takes what a handler throws, and that a server lets nothing through any more, or refuses a
   * channel once it has come back.
   * Default: `console.error`.
   */
  readonly onError?: (error: unknown) => void;
  /** Takes news that stops nothing. Default: `console.warn`. */
  readonly onWarning?: (message: string) => void;
  /** Takes each gap at its place in the order. */
  readonly onGap?: (gap: Gap) => void;
  /**
   * Takes how things stand, whenever the state of a server changes; once for all nodes of a cluster
   * that change at the same time.
   */
  readonly onStatus?: (status: Status) => void;
}

const DEFAULT_TIMEOUT = 5_000;
const DEFAULT_MAX_CONNECTING = 100;
const DEFAULT_QUEUE: QueueLimits = { items: 65_536, bytes: 64 * 1024 * 1024 };
const DEFAULT_HEARTBEAT: HeartbeatOptions = { interval: 15_000, timeout: 5_000, busyInterval: 100 };
// More than any key within reason, and a bound to what a hostile peer can have us hold.
const LIMITS: DecoderLimits = {
  maxBulkLength: 64 * 1024 * 1024,
  maxHeldBytes: 128 * 1024 * 1024,
  maxElements: 1024 * 1024,
  maxDepth: 32,
};
/** What kind of value an option takes; those that are not here are looked at by themselves. */
const KINDS: { readonly [Name in keyof ConnectOptions]?: Kind } = {
  username: "string",
  password: "string",
  clientName: "string",
  tls: "object",
  dial: "function",
  heartbeat: "object",
  queue: "object",
  limits: "object",
  singleNode: "boolean",
  addressMap: "function",
  onError: "function",
  onWarning: "function",
  onGap: "function",
  onStatus: "function",
};

/** The options that only clusters have. */
export const CLUSTER_ONLY: readonly string[] = [
  "refreshInterval",
  "maxNodes",
  "migrations",
];

/** Those, and what else matters only where servers announce addresses. */
export const ONLY_ANNOUNCED: readonly string[] = /* @__PURE__ */ CLUSTER_ONLY.concat(
  "addressMap",
);

/** What the target of a connect says of the servers, whatever their addresses. */
export interface ServerDefaults extends Omit<ServerUrl, "address"> {
  /** How they are called in messages. */
  readonly where: string;
}

/** What a URL says of the servers. */
export function defaultsOf(url: ServerUrl): ServerDefaults {
  return { ...url, where: formatAddress(url.address) };
}

/** The options with their defaults, checked. */
export interface Settings {
  /** Opens a byte stream with the TLS that was asked for, if any. */
  readonly dial: Dial;
  readonly protocol: 2 | 3 | undefined;
  readonly credentials: () => Promise<Credentials | undefined>;
  /** The passwords that no message may hold. */
  readonly secrets: Secrets;
  readonly clientName: string;
  readonly resp2Servers: Set<string>;
  readonly timeout: number;
  readonly heartbeat: HeartbeatOptions;
  readonly maxAttempts: number;
  /** When a connection may be made. */
  readonly turns: ConnectTurns;
  readonly keyPrefix: Uint8Array | null;
  readonly addressMap: AddressMap;
  readonly flags: FlagsPolicy;
  readonly limits: DecoderLimits;
  readonly queue: QueueLimits;
  readonly overflow: Overflow;
  readonly database: number;
  readonly onError: (error: unknown) => void;
  readonly onWarning: (message: string) => void;
  readonly onGap: (gap: Gap) => void;
  readonly onStatus: (status: Status) => void;
}

/**
 * Fills in the defaults, and what the target says. What is undefined is left out.
 *
 * @param secrets takes the password
 * @throws {TypeError} when an option is not what it must be
 * @throws {RangeError} when a limit is not
 */
export function resolveOptions(
  target: ServerDefaults,
  options: ConnectOptions,
  secrets: Secrets = new Secrets(),
): Settings {
  checkKinds(options, KINDS);
  checkSignal(options.signal);
  const { protocol, timeout = DEFAULT_TIMEOUT, flags = "require" } = options;
  if (protocol !== undefined && protocol !== 2 && protocol !== 3) {
    throw invalid("protocol", protocol, "2 or 3");
  }
  checkMilliseconds("timeout", timeout);
  const heartbeat = filled(DEFAULT_HEARTBEAT, options.heartbeat);
  checkMilliseconds("heartbeat.interval", heartbeat.interval);
  checkMilliseconds("heartbeat.timeout", heartbeat.timeout);
  checkMilliseconds("heartbeat.busyInterval", heartbeat.busyInterval);
  const { maxAttempts = Infinity, maxConnecting = DEFAULT_MAX_CONNECTING } = options;
  checkAtLeast(0, "maxAttempts", maxAttempts);
  checkAtLeast(1, "maxConnecting", maxConnecting);
  if (!["require", "warn", "ignore", "merge"].includes(flags)) {
    throw invalid("flags", flags, '"require", "warn", "ignore" or "merge"');
  }
  const clientName = options.clientName ?? "keywatch";
  if (!/^[!-~]*$/.test(clientName)) {
    throw invalid("clientName", clientName, "printable ASCII without spaces");
  }
  const { overflow = "drop-oldest" } = options.queue ?? {};
  if (!["drop-oldest", "drop-newest", "coalesce"].includes(overflow)) {
    throw invalid("queue.overflow", overflow, '"drop-oldest", "drop-newest" or "coalesce"');
  }
  const queue = filled(DEFAULT_QUEUE, options.queue);
  for (const [name, most] of Object.entries(queue)) checkAtLeast(1, `queue.${name}`, most);
  const limits = filled({ ...DEFAULT_LIMITS, ...LIMITS }, options.limits);
  // It finds fault with them, before anything is dialled.
  new Decoder({ reply() {}, push() {} }, limits);
  const { tls = false, database = 0 } = target;
  return {
    dial: dialWithTls(options.dial ?? dial, tlsFor(target.where, tls, options.tls)),
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
    heartbeat,
    maxAttempts,
    turns: new ConnectTurns(maxConnecting),
    keyPrefix: readPrefix(options.keyPrefix),
    addressMap: checkedMap(options.addressMap),
    flags,
    limits,
    queue,
    overflow,
    database,
    onError: shielded(options.onError ?? ((error) => console.error("keywatch:", error))),
    onWarning: shielded(
      options.onWarning ?? ((message) => console.warn(`keywatch: ${message}`)),
    ),
    onGap: shielded(options.onGap ?? (() => {})),
    onStatus: shielded(options.onStatus ?? (() => {})),
  };
}

/** The prefix as bytes of its own: what the caller does to those given must not change it. */
function readPrefix(prefix: string | Uint8Array | undefined): Uint8Array | null {
  if (prefix === undefined) return null;
  try {
    return new Uint8Array(toBytes(prefix));
  } catch {
    throw invalid("keyPrefix", kindOf(prefix), "text or bytes that can be read");
  }
}

/**
 * Who to be: what `credentials` says, otherwise the user and password.
 *
 * @param secrets takes the passwords that are known now, also one that is not used
 * @throws {TypeError} when there is a user without a password, or `credentials` are none
 */
export function readCredentials(
  credentials: ConnectOptions["credentials"],
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

/** A callback whose failure stops nothing: it is called from the middle of a connection's work. */
function shielded<T>(callback: (value: T) => void): (value: T) => void {
  return (value) => {
    try {
      callback(value);
    } catch (error) {
      console.error("keywatch: a callback failed:", error);
    }
  };
}

/** The defaults, but for what is given in their place. */
function filled<T extends object>(defaults: T, given: Partial<T> = {}): T {
  const values = { ...defaults };
  for (const name of Object.keys(defaults) as (keyof T)[]) {
    values[name] = given[name] ?? values[name];
  }
  return values;
}
