import type { ConnectOptions } from "../pubsub/mod.ts";
import { ONLY_ANNOUNCED } from "../pubsub/options.ts";
import {
  checkAtLeast,
  checkKinds,
  checkMilliseconds,
  checkUnused,
  invalid,
} from "../pubsub/option_checks.ts";
import { DEFAULT_MAX_NODES } from "./discovery/topology_reply.ts";

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
 * How to watch a cluster: what {@linkcode ConnectOptions} says, and what only clusters have. Two of the
 * former are rejected: `maxAttempts`, because a node is left when the others know it as a primary no
 * more, and `singleNode`.
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
   * How long after an answer about the topology to ask again, in ms, give or take a tenth. Default
   * 10,000. Up to five nodes are asked each time, so above 200 nodes it is longer in proportion: 50,000
   * with 1,000 nodes. It is asked besides whenever a connection is lost or events come from a node that
   * should not send them, and more often, with backoff, for as long as a node cannot be connected to or
   * nodes disagree.
   */
  readonly refreshInterval?: number;
  /**
   * How many nodes a cluster may have, replicas among them. An answer that names more is refused with a
   * {@linkcode TopologyError}: each primary in it would be connected to. Default 1,000.
   */
  readonly maxNodes?: number;
  /**
   * What becomes of notifications that only a slot on the move has made. Default `hide`. `MIGRATE`
   * deletes each key where it was: such a `del` can be told from any other only where `restore` is
   * subscribed beside it, as on `__keyspace@…`, or by `subscribeKeyevent("restore")`. With `replicas`
   * none can be told, so the two cannot be combined.
   */
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

/** The options that only clusters have, with their defaults. */
export interface ClusterSettings {
  readonly refreshInterval: number;
  readonly maxNodes: number;
  readonly migrations: MigrationPolicy;
  readonly replicas: boolean;
}

/**
 * Fills in the defaults of what only clusters have.
 *
 * @throws {TypeError} when an option is not what it must be
 */
export function resolveClusterOptions(options: ClusterOptions): ClusterSettings {
  checkKinds(options, { addressMap: "function", replicas: "boolean" });
  const {
    refreshInterval = DEFAULT_REFRESH_INTERVAL,
    maxNodes = DEFAULT_MAX_NODES,
    migrations = "hide",
  } = options;
  checkMilliseconds("refreshInterval", refreshInterval);
  checkAtLeast(1, "maxNodes", maxNodes);
  if (migrations !== "hide" && migrations !== "mark") {
    throw invalid("migrations", migrations, '"hide" or "mark"');
  }
  const { replicas = false } = options;
  if (replicas) {
    checkUnused(
      options,
      ["migrations"],
      "replicas",
      "what slots on the move make is delivered there",
    );
  }
  return { refreshInterval, maxNodes, migrations, replicas };
}

/**
 * Sees that no option is given that a cluster has no use for.
 *
 * @throws {TypeError} when one is
 */
export function checkForCluster({ maxAttempts, singleNode }: ClusterOptions): void {
  // To try without end is what a cluster does.
  const attempts = maxAttempts === Infinity ? undefined : maxAttempts;
  checkUnused(
    { maxAttempts: attempts },
    ["maxAttempts"],
    "a cluster",
    "a node is left when the others know it as a primary no more",
  );
  checkUnused(
    { singleNode },
    ["singleNode"],
    "several URLs or ClusterKeyspaceNotifications",
    "they watch the whole cluster; give connect one URL for one node",
  );
}

/** The options without those that only matter where a cluster is found. */
export function withoutClusterOptions(options: ClusterOptions): ConnectOptions {
  const rest: Record<string, unknown> = { ...options };
  for (const name of ONLY_ANNOUNCED) delete rest[name];
  return rest;
}
