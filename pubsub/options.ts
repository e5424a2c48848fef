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
import type { Flush, Gap, RolledBack } from "./gap.ts";
import type { HeartbeatOptions, HeartbeatTimes } from "./heartbeat.ts";
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
 * The limits of a queue, and what it drops when it is full.
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
export interface QueueOptions {
  /** The maximum number of items. Default: 65,536. */
  readonly items?: number | undefined;
  /** The maximum size in bytes, of the channels and payloads. Default: 67,108,864 (64 MiB). */
  readonly bytes?: number | undefined;
  /**
   * Which notifications a full queue drops: the oldest one, the new one, or with `coalesce` all but the
   * newest of each key, then the oldest. Default: `drop-oldest`.
   */
  readonly overflow?: Overflow | undefined;
}

/**
 * Options of {@linkcode connect}: how to connect, and how to deliver notifications and reports.
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
  /**
   * Delivers only notifications of keys with this prefix, and removes it from `key`. Channels and
   * patterns still name the whole key; one that can match no key with the prefix is rejected.
   */
  readonly keyPrefix?: string | Uint8Array | undefined;
  /**
   * When connections are checked. Every `interval`, the flags and the role of the server are checked
   * too, in RESP2 on a second connection.
   */
  readonly heartbeat?: HeartbeatOptions | undefined;
  /**
   * How many attempts to reconnect may fail in a row before everything is closed. A connection that is
   * lost within 5 s counts as a failed attempt. With 0, the first loss closes everything. Rejected in
   * clusters, where a node is left when the others no longer name it as a primary. Default: unlimited.
   */
  readonly maxAttempts?: number | undefined;
  /**
   * How long `connect` retries if no server is reachable yet, in ms; `true` retries without a limit. For
   * containers that start together. Attempts follow each other with backoff, and the first failure is a
   * warning. Errors that a retry cannot fix, such as a wrong password, are thrown immediately. Default:
   * `false`.
   */
  readonly waitOnFirstConnect?: boolean | number | undefined;
  /**
   * How many connections to servers and sentinels may be established at the same time, including their
   * handshakes; further ones wait. No address is connected to twice at the same time. Default: 100.
   */
  readonly maxConnecting?: number | undefined;
  /**
   * What to do if a channel can deliver nothing, because `notify-keyspace-events` blocks it or the server
   * has no such database. `require` rejects the subscription. `warn` calls `onWarning`. `ignore` does not
   * check. `merge` adds the missing letters; no other policy changes the configuration of a server. If
   * the server does not show its flags or databases, the channel is subscribed. Servers are checked again
   * after each connect, and their flags every `heartbeat.interval`. If letters are missing then, `onError`
   * or with `warn` `onWarning` is called, and a gap begins. Default: `require`.
   */
  readonly flags?: FlagsPolicy | undefined;
  /** The limits of the queue of each consumer, and what a full queue drops. */
  readonly queue?: QueueOptions | undefined;
  /**
   * Watches only this node of a cluster, without the notifications of other nodes. Without it, `connect`
   * watches the whole cluster, and `KeyspaceNotifications.connect` throws. Rejected with sentinels and
   * with options for clusters. Default: `false`.
   */
  readonly singleNode?: boolean | undefined;
  /**
   * Maps an address that cluster nodes or sentinels announce to the one to connect to, for servers behind
   * NAT or port forwarding. If it throws, the server is not connected to. Addresses of URLs are not
   * mapped, so it is rejected where there are no others: by `KeyspaceNotifications.connect` with one URL,
   * and with `singleNode`. Default: the announced address.
   */
  readonly addressMap?: ((address: TcpAddress) => TcpAddress) | undefined;
  /**
   * Called with what a handler throws. Also called if a server no longer delivers anything on a channel,
   * or refuses a channel after a reconnect. Default: `console.error`.
   */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Called for non-fatal warnings. Default: `console.warn`. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /**
   * Called for each gap when it is received, in order with the calls of a `handler` that returns no
   * promise. Earlier notifications may still wait in the queue of the merged stream, of a `batchHandler`,
   * or of a `handler` whose promise is pending. A gap of what a queue dropped is reported in the order of
   * that queue. `listen({ gaps: true })` has all gaps in order.
   */
  readonly onGap?: ((gap: Gap) => void) | undefined;
  /**
   * Reports when all keys of a server or of a database are discarded, for which servers emit no
   * notification: as an item of `listen({ flushes: true })`, and to `onFlush`. Requires permission for
   * `CLIENT TRACKING`; without it, `onWarning` is called once. In RESP2 it also requires permission for
   * `CLIENT ID` and `INFO`, and a second connection to each server. Default: `false`.
   */
  readonly flushes?: boolean | undefined;
  /**
   * Called for each flush when it is received. Earlier notifications may still wait, as for `onGap`.
   * Rejected without `flushes`.
   */
  readonly onFlush?: ((flush: Flush) => void) | undefined;
  /**
   * Also subscribes to a replica, and delivers its events if the connection to the primary is lost or
   * another node becomes the primary, so that there is no gap. Only for sentinels and clusters; in a
   * cluster, a failover is a gap. Requires permission for `ROLE`, `INFO`, `CONFIG GET` and `CLIENT TRACKING`. Also requires the same `notify-keyspace-events` on
   * the primary and its replicas, with `g` if it has `x` or `e`. `onWarning` says what is missing. See
   * `docs/standby.md`. Default: `false`.
   */
  readonly standby?: boolean | undefined;
  /**
   * Called with the notifications that a failover has undone, when the new primary begins. Earlier
   * notifications may still wait, as for `onGap`. Rejected without `standby`, and for a cluster.
   */
  readonly onRolledBack?: ((item: RolledBack) => void) | undefined;
  /**
   * Called with the status whenever the state of a server changes. Changes of several nodes of a cluster
   * at the same time cause one call.
   */
  readonly onStatus?: ((status: Status) => void) | undefined;
  /**
   * Logs neither gaps that nobody listens for nor servers that are lost for more than a second. Without
   * it, they are logged with `console.warn`, at most once a second, unless there is an `onGap`, a listener
   * for `gap`, or a loop with gaps. Default: `false`.
   */
  readonly quiet?: boolean | undefined;
  /**
   * Called with a line for everything that happens to connections and subscriptions. The lines contain no
   * passwords. Default: `console.error` if the environment variable `KEYWATCH_DEBUG` is `1`.
   */
  readonly debug?: ((line: string) => void) | undefined;
}

const DEFAULT_HEARTBEAT: HeartbeatTimes = {
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
  waitOnFirstConnect: null,
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
  standby: null,
  onRolledBack: null,
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
  "standby",
  "onRolledBack",
);

/**
 * Checks that all options exist, and those that no attempt to connect needs.
 *
 * @throws {TypeError} if one does not, or is not what it must be
 */
export async function checkNames(options: ConnectOptions): Promise<void> {
  checkKinds(options, KINDS);
  const more = [...Object.keys(KINDS), ...CLUSTER_ONLY];
  await checkOptionNames(options, more, Object.keys(DEFAULT_HEARTBEAT));
  const { waitOnFirstConnect: wait = false } = options;
  if (typeof wait !== "boolean") checkAtLeast(0, "waitOnFirstConnect", wait);
  await rejectUnknown(options.queue, [...Object.keys(DEFAULT_QUEUE), "overflow"], "queue.");
}

/** The options with their defaults, checked. */
export interface Settings extends OpenSettings {
  readonly heartbeat: HeartbeatTimes;
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
  /** Whether a replica stands by. */
  readonly standby: boolean;
  readonly onRolledBack: (item: RolledBack) => void;
  readonly onStatus: (status: Status) => void;
  /** All listeners, of whom those in the options are the first. */
  readonly reports: Reports;
  readonly quiet: boolean;
  readonly debug: ((line: string) => void) | undefined;
}

/**
 * Checks the options of a standby.
 *
 * @throws {TypeError} when one is not what it must be
 */
export function checkStandby(options: ConnectOptions): void {
  checkKinds(options, { standby: "boolean", onRolledBack: "function" });
  if (options.standby) return;
  checkUnused(options, ["onRolledBack"], "standby: false", "nothing is known of it then");
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
  const { flags = "require", flushes = false, standby = false } = options;
  if (!flushes) {
    checkUnused(options, ["onFlush"], "flushes: false", "no flush is reported then");
  }
  checkStandby(options);
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
    "rolled-back": options.onRolledBack,
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
    standby,
    onRolledBack: (item) => reports.emit("rolled-back", item),
    onStatus: (status) => reports.emit("status", status),
    reports,
    quiet: options.quiet ?? false,
    debug: options.debug && shielded(options.debug),
  };
}

/** Returns the defaults, overridden by what is given. */
function filled<T extends object>(
  defaults: T,
  given: { readonly [Name in keyof T]?: T[Name] | undefined } = {},
): T {
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
