import type { ServerUrl } from "./address.ts";
import type { Gap } from "./gap.ts";
import type { Credentials } from "./handshake.ts";
import type { QueueLimits } from "./queue.ts";
import { checkTls, dialWithTls } from "./tls.ts";
import type { Dial, TlsOptions } from "./transport.ts";
import { dial } from "./transports/mod.ts";

/** What to do when the server's flags let nothing through to a channel. */
export type FlagsPolicy = "require" | "warn" | "ignore";

/** How to connect, and what to do with what comes. */
export interface ConnectOptions {
  /** The ACL user; goes before the URL's. */
  readonly username?: string;
  /** The password; goes before the URL's. */
  readonly password?: string;
  /** The protocol to speak. Left out: RESP3, and RESP2 where the server has no other. */
  readonly protocol?: 2 | 3;
  /** The name under which `CLIENT LIST` shows the connection. Default `keywatch`. */
  readonly clientName?: string;
  /** How long dialling, and any one answer, may take, in ms. Default 5,000. */
  readonly timeout?: number;
  /** Closes everything when it is aborted, also while connecting. */
  readonly signal?: AbortSignal;
  /** Certificates and the server's name, for `rediss://`. Default: what the runtime trusts. */
  readonly tls?: TlsOptions;
  /**
   * Opens the byte stream in place of the runtime's own sockets. It is told whether to speak TLS,
   * and must.
   */
  readonly dial?: Dial;
  /** Only notifications of keys that begin so; the prefix is taken off the key. */
  readonly keyPrefix?: string | Uint8Array;
  /**
   * What to do when `notify-keyspace-events` lets nothing through to a channel: reject the
   * subscription (`require`, the default), tell `onWarning`, or ignore it. The server's
   * configuration is never written. Where the server will not tell its flags, the subscription goes
   * on.
   */
  readonly flags?: FlagsPolicy;
  /** How much may wait to be read, per reader. Default 65,536 items and 64 MiB. */
  readonly queue?: Partial<QueueLimits>;
  /** Watch one node of a cluster and know that the other nodes' notifications do not come. */
  readonly singleNode?: boolean;
  /** Takes what a handler throws. Default: `console.error`. */
  readonly onError?: (error: unknown) => void;
  /** Takes news that stops nothing. Default: `console.warn`. */
  readonly onWarning?: (message: string) => void;
  /** Takes each gap at its place in the order. */
  readonly onGap?: (gap: Gap) => void;
}

const DEFAULT_TIMEOUT = 5_000;
const DEFAULT_QUEUE: QueueLimits = { items: 65_536, bytes: 64 * 1024 * 1024 };

/** The options with their defaults, checked. */
export interface Settings {
  /** Opens a byte stream with the TLS that was asked for, if any. */
  readonly dial: Dial;
  readonly protocol: 2 | 3 | undefined;
  readonly credentials: Credentials | undefined;
  readonly clientName: string;
  readonly timeout: number;
  readonly keyPrefix: Uint8Array | null;
  readonly flags: FlagsPolicy;
  readonly queue: QueueLimits;
  readonly database: number;
  readonly onError: (error: unknown) => void;
  readonly onWarning: (message: string) => void;
  readonly onGap: (gap: Gap) => void;
}

/**
 * Fills in the defaults, and what the URL says.
 *
 * @throws {TypeError} when an option is not what it must be
 */
export function resolveOptions(url: ServerUrl, options: ConnectOptions): Settings {
  const { protocol, timeout = DEFAULT_TIMEOUT, flags = "require", keyPrefix } = options;
  if (protocol !== undefined && protocol !== 2 && protocol !== 3) {
    throw invalid("protocol", protocol, "2 or 3");
  }
  if (!(timeout > 0 && timeout <= 2 ** 31 - 1)) {
    throw invalid("timeout", timeout, "a number of milliseconds above 0");
  }
  if (flags !== "require" && flags !== "warn" && flags !== "ignore") {
    throw invalid("flags", flags, '"require", "warn" or "ignore"');
  }
  const clientName = options.clientName ?? "keywatch";
  if (!/^[!-~]*$/.test(clientName)) {
    throw invalid("clientName", clientName, "printable ASCII without spaces");
  }
  const queue = { ...DEFAULT_QUEUE, ...options.queue };
  for (const [name, most] of Object.entries(queue)) {
    if (!(most >= 1)) throw invalid(`queue.${name}`, most, "a number of at least 1");
  }
  const username = options.username ?? url.username;
  const password = options.password ?? url.password;
  if (username !== undefined && password === undefined) {
    throw new TypeError(`Cannot log in as "${username}": no password is given`);
  }
  checkTls(url, options.tls);
  return {
    dial: dialWithTls(options.dial ?? dial, url.tls ? options.tls ?? {} : undefined),
    protocol,
    credentials: password === undefined
      ? undefined
      : { ...(username === undefined ? {} : { username }), password },
    clientName,
    timeout,
    keyPrefix: typeof keyPrefix === "string" ? new TextEncoder().encode(keyPrefix) : keyPrefix ??
      null,
    flags,
    queue,
    database: url.database ?? 0,
    onError: options.onError ?? ((error) => console.error("keywatch: a handler failed:", error)),
    onWarning: options.onWarning ?? ((message) => console.warn(`keywatch: ${message}`)),
    onGap: options.onGap ?? (() => {}),
  };
}

function invalid(name: string, value: unknown, expected: string): TypeError {
  return new TypeError(`Cannot use the option ${name}: ${String(value)} is not ${expected}`);
}
