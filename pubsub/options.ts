import { toBytes } from "../bytes/to_bytes.ts";
import { type AddressMap, checkedMap } from "./connection/address.ts";
import {
  checkOptionNames,
  HEARTBEAT_MS,
  type OpenOptions,
  type OpenSettings,
  resolveOpenOptions,
  type ServerDefaults,
  shielded,
} from "./connection/options.ts";
import type { ConnectTurns } from "./connect_turns.ts";
import type { Flush, Gap } from "./gap.ts";
import type { HeartbeatOptions } from "./heartbeat.ts";
import {
  checkAtLeast,
  checkKinds,
  checkMilliseconds,
  checkOneOf,
  checkUnused,
  invalid,
  type Kind,
  kindOf,
  rejectUnknown,
} from "./connection/option_checks.ts";
import type { Overflow, QueueLimits } from "./queue.ts";
import { Reports } from "./reports.ts";
import { Secrets } from "./connection/secrets.ts";
import type { FlagsPolicy } from "./flags.ts";
import type { Status } from "./status.ts";
import type { TcpAddress } from "./connection/transport.ts";

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
export interface ConnectOptions extends OpenOptions {
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
  /** How much may wait to be read, per consumer. Default 65,536 items and 64 MiB. */
  readonly queue?: QueueOptions;
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
  /**
   * Takes each gap at its place among what is received, in order with the calls of a `handler` that
   * returns no promise. Earlier notifications may still wait: for the merged stream, for a
   * `batchHandler`, or for a `handler` whose promise is pending. Only a gap of what such a queue has
   * dropped is taken at its place in that queue. `listen({ gaps: true })` has all gaps at their places.
   */
  readonly onGap?: (gap: Gap) => void;
  /**
   * Have servers report when all their keys, or those of a database, are discarded, which no
   * notification says: as an item of `listen({ flushes: true })`, and to `onFlush`. It takes the right
   * to `CLIENT TRACKING`, without which `onWarning` says so once. In RESP2 it also takes the right to
   * `CLIENT ID` and to `INFO`, and a second connection to each server. Default `false`.
   */
  readonly flushes?: boolean;
  /**
   * Takes each flush at its place among what is received. Earlier notifications may still wait, as for
   * `onGap`. Only with `flushes`.
   */
  readonly onFlush?: (flush: Flush) => void;
  /**
   * Takes how things stand, whenever the state of a server changes; once for all nodes of a cluster
   * that change at the same time.
   */
  readonly onStatus?: (status: Status) => void;
  /**
   * Log nothing of gaps that nobody listens for, and of servers that are lost for more than a second.
   * Default `false`: with neither `onGap`, nor a listener for `gap`, nor a loop with gaps,
   * `console.warn` says so, at most once a second.
   */
  readonly quiet?: boolean;
  /**
   * Takes a line for whatever happens to connections and subscriptions, without passwords. Default: with
   * the environment variable `KEYWATCH_DEBUG=1` `console.error`, otherwise none.
   */
  readonly debug?: (line: string) => void;
}

const DEFAULT_HEARTBEAT: HeartbeatOptions = {
  interval: HEARTBEAT_MS,
  timeout: 5_000,
  busyInterval: 100,
};
const DEFAULT_MAX_CONNECTING = 100;
const DEFAULT_QUEUE: QueueLimits = { items: 65_536, bytes: 67_108_864 };
/** The type of each option of its own; null for those that are examined in another way. */
const KINDS: {
  readonly [Name in Exclude<keyof ConnectOptions, keyof OpenOptions>]-?: Kind | null;
} = {
  keyPrefix: null,
  maxAttempts: null,
  maxConnecting: null,
  flags: null,
  queue: "object",
  singleNode: "boolean",
  addressMap: "function",
  onError: "function",
  onWarning: "function",
  onGap: "function",
  flushes: "boolean",
  onFlush: "function",
  onStatus: "function",
  quiet: "boolean",
  debug: "function",
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

/**
 * Checks that all options exist.
 *
 * @throws {TypeError} if one does not
 */
export async function checkNames(options: ConnectOptions): Promise<void> {
  checkKinds(options, KINDS);
  const more = [...Object.keys(KINDS), ...CLUSTER_ONLY];
  await checkOptionNames(options, more, Object.keys(DEFAULT_HEARTBEAT));
  await rejectUnknown(options.queue, [...Object.keys(DEFAULT_QUEUE), "overflow"], "queue.");
}

/** The options with their defaults, checked. */
export interface Settings extends OpenSettings {
  readonly heartbeat: HeartbeatOptions;
  readonly maxAttempts: number;
  readonly maxConnecting: number;
  /** When a connection may be made; at once if left out. */
  readonly turns?: ConnectTurns;
  readonly keyPrefix: Uint8Array | null;
  readonly addressMap: AddressMap;
  readonly flags: FlagsPolicy;
  readonly queue: QueueLimits;
  readonly overflow: Overflow;
  readonly database: number;
  readonly onError: (error: unknown) => void;
  readonly onWarning: (message: string) => void;
  readonly onGap: (gap: Gap) => void;
  /** Whether it was said that flushes cannot be observed; null if they are not to be. */
  readonly flushes: { hasWarned: boolean } | null;
  readonly onFlush: (flush: Flush) => void;
  readonly onStatus: (status: Status) => void;
  /** All listeners, of whom those in the options are the first. */
  readonly reports: Reports;
  readonly quiet: boolean;
  readonly debug: ((line: string) => void) | undefined;
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
  const { flags = "require", flushes = false } = options;
  if (!flushes) {
    checkUnused(options, ["onFlush"], "flushes: false", "no flush is reported then");
  }
  const { maxAttempts = Infinity, maxConnecting = DEFAULT_MAX_CONNECTING } = options;
  checkAtLeast(0, "maxAttempts", maxAttempts);
  checkAtLeast(1, "maxConnecting", maxConnecting);
  checkOneOf(["require", "warn", "ignore", "merge"], "flags", flags);
  const { overflow = "drop-oldest" } = options.queue ?? {};
  checkOneOf(["drop-oldest", "drop-newest", "coalesce"], "queue.overflow", overflow);
  const queue = filled(DEFAULT_QUEUE, options.queue);
  for (const [name, most] of Object.entries(queue)) checkAtLeast(1, `queue.${name}`, most);
  const { database = 0 } = target;
  const settings = resolveOpenOptions(target, options, secrets);
  const reports = new Reports({
    gap: options.onGap,
    flush: options.onFlush,
    status: options.onStatus,
    warning: options.onWarning,
    error: options.onError,
  });
  const heartbeat = filled(DEFAULT_HEARTBEAT, options.heartbeat);
  for (const [name, ms] of Object.entries(heartbeat)) checkMilliseconds(`heartbeat.${name}`, ms);
  return {
    ...settings,
    heartbeat,
    maxAttempts,
    maxConnecting,
    keyPrefix: readPrefix(options.keyPrefix),
    addressMap: checkedMap(options.addressMap),
    flags,
    queue,
    overflow,
    database,
    onError: (error) => reports.emit("error", error),
    onWarning: (message) => reports.emit("warning", message),
    onGap: (gap) => reports.emit("gap", gap),
    flushes: flushes ? { hasWarned: false } : null,
    onFlush: (flush) => reports.emit("flush", flush),
    onStatus: (status) => reports.emit("status", status),
    reports,
    quiet: options.quiet ?? false,
    debug: options.debug && shielded(options.debug),
  };
}

/** Returns the defaults, overridden by what is given. */
function filled<T extends object>(defaults: T, given: Partial<T> = {}): T {
  const values = { ...defaults };
  for (const name of Object.keys(defaults) as (keyof T)[]) {
    values[name] = given[name] ?? values[name];
  }
  return values;
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
