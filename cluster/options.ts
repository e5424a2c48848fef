import { parseNamedUrl } from "../pubsub/connection/address.ts";
import { DEFAULT_PORT } from "../pubsub/connection/address.ts";
import type { ConnectOptions, ServerUrl } from "../pubsub/mod.ts";
import { defaultsOf, type ServerDefaults } from "../pubsub/connection/options.ts";
import {
  checkAtLeast,
  checkKinds,
  checkMilliseconds,
  checkOneOf,
  checkUnused,
} from "../pubsub/connection/option_checks.ts";
import type { Address } from "../pubsub/connection/transport.ts";

/**
 * What to do with migration artefacts: spurious notifications that a slot migration causes although
 * nothing happens to the keys. `hide` drops them, and `mark` delivers them with `migration: true`; both
 * deliver what may be one with `migration: "maybe"`. `deliver` sets no fences on the servers: nothing
 * is dropped, and notifications of slots that seem to migrate have `migration: "maybe"`.
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
   * The time from one refresh of the topology to the next, in ms, give or take a tenth. Default 10,000.
   * Each refresh sends a command to up to five nodes, so above 200 nodes the interval is longer in
   * proportion: 50,000 with 1,000 nodes. The topology is also refreshed when a connection is lost or a
   * node emits events of slots that it does not own. While a node cannot be reached or nodes disagree,
   * it is refreshed more often, with backoff.
   */
  readonly refreshInterval?: number;
  /**
   * How many nodes a cluster may have, including replicas. A reply that names more is rejected with a
   * {@linkcode TopologyError}, because each primary in it would be connected to. Default 1,000.
   */
  readonly maxNodes?: number;
  /** What to do with migration artefacts. Default `hide`. */
  readonly migrations?: MigrationPolicy;
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
  const { refreshInterval = DEFAULT_REFRESH_INTERVAL, maxNodes, migrations = "hide" } = options;
  checkMilliseconds("refreshInterval", refreshInterval);
  if (maxNodes !== undefined) checkAtLeast(1, "maxNodes", maxNodes);
  checkOneOf(["hide", "mark", "deliver"], "migrations", migrations);
  return { refreshInterval, maxNodes, migrations };
}

/**
 * Checks that no option is given that a cluster does not support.
 *
 * @throws {TypeError} if one is
 */
export function checkForCluster(options: ClusterOptions): void {
  // A cluster retries without end.
  if (options.maxAttempts !== Infinity) {
    checkUnused(
      options,
      ["maxAttempts"],
      "a cluster",
      "a node is left when the others no longer name it as a primary",
    );
  }
  checkUnused(
    options,
    ["singleNode"],
    "several URLs or ClusterKeyspaceNotifications",
    "they watch the whole cluster; give connect one URL for one node",
  );
}

/** The nodes to begin with, and what holds for every node. */
export interface SeedNodes {
  /** Their addresses; at least one. */
  readonly addresses: readonly Address[];
  /** What the URLs say of all nodes. */
  readonly defaults: ServerDefaults;
}

/**
 * Reads the URLs of some nodes of a cluster. What one of them says holds for all nodes, also for those
 * that no URL names.
 *
 * @throws {TypeError} if there is none, one is malformed, or they contradict each other
 */
export function readSeedNodes(targets: readonly (string | URL)[]): SeedNodes {
  if (!Array.isArray(targets)) {
    throw new TypeError("Cannot connect: the seed nodes are not a list; give [url, …]");
  }
  const urls = (targets as readonly (string | URL)[]).map((target, index) =>
    parseNamedUrl(
      targets.length === 1 ? "the server URL" : `the URL of seed node ${index + 1}`,
      target,
      DEFAULT_PORT,
    )
  );
  const [first] = urls;
  if (first === undefined) throw new TypeError("Cannot connect: no seed node is given");
  if (urls.some(({ tls }) => (tls ?? false) !== (first.tls ?? false))) {
    throw new TypeError(
      "Cannot connect: some of the seed nodes' URLs are for TLS, others are not; give all of them " +
        "the same scheme",
    );
  }
  return {
    addresses: urls.map(({ address }) => address),
    defaults: {
      ...defaultsOf(first),
      ...shared(urls, "username", "user"),
      ...shared(urls, "password", "password"),
      ...shared(urls, "database", "database"),
    },
  };
}

/** What the URLs say of one thing; nothing where none does. */
function shared(
  urls: readonly ServerUrl[],
  name: "username" | "password" | "database",
  what: string,
): Partial<ServerUrl> {
  const naming = urls.filter((url) => url[name] !== undefined);
  const [first] = naming;
  if (first === undefined) return {};
  const other = naming.find((url) => url[name] !== first[name]);
  if (other === undefined) return { [name]: first[name] };
  // Called by their places: a host may be a piece of a password that is not percent-encoded.
  throw new TypeError(
    `Cannot use the seed nodes ${urls.indexOf(first) + 1} and ${
      urls.indexOf(other) + 1
    }: each names ` +
      `another ${what}, and all nodes of a cluster share one`,
  );
}
