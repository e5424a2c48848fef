import type { ConnectOptions, TcpAddress } from "../pubsub/mod.ts";

/**
 * What becomes of phantoms, notifications that a slot on its way to another node makes although
 * nothing happens to the keys: they are left out, or delivered with
 * `migration` set. What is not certainly a phantom is delivered unmarked in
 * either case.
 *
 * @example
 * ```ts no-run
 * import { connect, type MigrationPolicy } from "@keywatch/keywatch/cluster";
 *
 * const migrations: MigrationPolicy = "mark";
 * const notifications = await connect("redis://localhost:7000", { migrations });
 * ```
 */
export type MigrationPolicy = "hide" | "mark";

/**
 * How to watch a cluster: what {@linkcode ConnectOptions} says, and what only clusters have. Of those,
 * `maxAttempts` does not count: a node is left when the others know it as a primary no more.
 *
 * @example
 * ```ts
 * import type { ClusterOptions } from "@keywatch/keywatch/cluster";
 *
 * const options: ClusterOptions = {
 *   refreshInterval: 5_000, // ms
 *   addressMap: ({ port }) => ({ hostname: "cluster.example", port }),
 * };
 * ```
 */
export interface ClusterOptions extends ConnectOptions {
  /**
   * How long after an answer about the topology to ask again, in ms. Default 10,000. It is asked
   * besides whenever a connection is lost or events come from a node that should not send them.
   */
  readonly refreshInterval?: number;
  /**
   * Where to dial a node in place of the address it announces: for clusters behind NAT or port
   * forwarding. By default it is dialled at that address.
   */
  readonly addressMap?: (address: TcpAddress) => TcpAddress;
  /** What becomes of notifications that only a slot on the move has made. Default `hide`. */
  readonly migrations?: MigrationPolicy;
  /**
   * Watch a replica of each shard in place of its primary. They tell what they copy, a little later,
   * and some events by other names: what `expired`, `evicted`, `hexpired`, `spop`, `incrbyfloat` or
   * `hincrbyfloat` is on the primary is `del`, `hdel`, `srem`, `set` or `hset` there. Their own
   * `notify-keyspace-events` counts. A shard without a replica that follows is not covered. What slots
   * on the move have made cannot be told apart there, and is delivered. Default `false`.
   */
  readonly replicas?: boolean;
}

const DEFAULT_REFRESH_INTERVAL = 10_000;

/**
 * The interval that the options say.
 *
 * @throws {TypeError} when it is none
 */
export function refreshIntervalOf(
  { refreshInterval = DEFAULT_REFRESH_INTERVAL }: ClusterOptions,
): number {
  if (refreshInterval > 0 && refreshInterval <= 2 ** 31 - 1) return refreshInterval;
  throw new TypeError(
    `Cannot use the option refreshInterval: ${refreshInterval} is not a number of milliseconds`,
  );
}

/**
 * What the options say of phantoms.
 *
 * @throws {TypeError} when it is neither
 */
export function migrationsOf({ migrations = "hide" }: ClusterOptions): MigrationPolicy {
  if (migrations === "hide" || migrations === "mark") return migrations;
  throw new TypeError(
    `Cannot use the option migrations: ${String(migrations)} is not "hide" or "mark"`,
  );
}
