import type { ConnectOptions } from "../pubsub/mod.ts";
import {
  checkAtLeast,
  checkKinds,
  checkMilliseconds,
  checkOneOf,
} from "../pubsub/connection/option_checks.ts";
import { checkUnused } from "../pubsub/connection/option_checks.ts";
import { checkStandby } from "../pubsub/options.ts";

/**
 * What to do with migration artefacts: spurious notifications that a slot migration causes although
 * nothing happens to the keys.
 *
 * `hide` drops them, and `mark` delivers them with `migration: true`. Both deliver a notification that
 * may be one with `migration: "maybe"`. `deliver` subscribes to no fences and drops nothing;
 * notifications of slots that seem to migrate have `migration: "maybe"`.
 *
 * @example
 * ```ts no-run
 * import { connect, type MigrationPolicy } from "@keywatch/keywatch/cluster";
 *
 * const migrations: MigrationPolicy = "mark";
 * const notifications = await connect("redis://localhost:7000", { migrations });
 * ```
 */
export type MigrationPolicy = "hide" | "mark" | "deliver";

/**
 * Options for a cluster, in addition to {@linkcode ConnectOptions}. Two of the latter are rejected:
 * `maxAttempts`, because a node is left when the others no longer name it as a primary, and
 * `singleNode`.
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
   * The time from one refresh of the topology to the next, in ms, varied by up to a tenth. Each refresh
   * sends a command to up to five nodes, so above 200 nodes the interval grows in proportion: 50,000 with
   * 1,000 nodes. The topology is also refreshed when a connection is lost, when a node emits events of
   * slots that it does not own, and when a node knows further nodes. While a node cannot be reached or
   * nodes disagree, it is refreshed more often, with backoff. Default: 10,000.
   */
  readonly refreshInterval?: number | undefined;
  /**
   * How many nodes a cluster may have, including replicas. A reply that names more is rejected with a
   * {@linkcode TopologyError}, because each of its primaries would be connected to. Default: 1,000.
   */
  readonly maxNodes?: number | undefined;
  /**
   * What to do with migration artefacts. `hide` drops them, `mark` delivers them with `migration: true`,
   * and `deliver` subscribes to no fences and drops nothing. Default: `hide`.
   */
  readonly migrations?: MigrationPolicy | undefined;
}

const DEFAULT_REFRESH_INTERVAL = 10_000;

/** The options that only clusters have, with their defaults. */
export interface ClusterSettings {
  readonly refreshInterval: number;
  /** Undefined for the default of `discoverTopology`, so that this does not load it. */
  readonly maxNodes: number | undefined;
  readonly migrations: MigrationPolicy;
}

/**
 * Fills in the defaults of the options that only clusters have.
 *
 * @throws {TypeError} if an option is invalid
 */
export function resolveClusterOptions(options: ClusterOptions): ClusterSettings {
  checkKinds(options, { addressMap: "function" });
  checkStandby(options);
  const { refreshInterval = DEFAULT_REFRESH_INTERVAL, maxNodes, migrations = "hide" } = options;
  checkMilliseconds("refreshInterval", refreshInterval);
  if (maxNodes !== undefined) checkAtLeast(1, "maxNodes", maxNodes);
  checkOneOf(["hide", "mark", "deliver"], "migrations", migrations);
  if (migrations === "deliver") {
    checkUnused(options, ["standby"], 'migrations: "deliver"', "it needs fences");
  }
  return { refreshInterval, maxNodes, migrations };
}
