import { parseNamedUrl } from "../pubsub/address.ts";
import { type ConnectOptions, DEFAULT_PORT, type ServerUrl } from "../pubsub/mod.ts";
import { defaultsOf, type ServerDefaults } from "../pubsub/options.ts";
import {
  checkAtLeast,
  checkKinds,
  checkMilliseconds,
  checkUnused,
  invalid,
} from "../pubsub/option_checks.ts";
import type { Address } from "../pubsub/transport.ts";
import { DEFAULT_MAX_NODES } from "./discovery/topology_reply.ts";

/**
 * What becomes of migration artefacts, notifications that a slot migration causes although nothing
 * happens to the keys. `hide` drops them, and `mark` delivers them with `migration: true`; both deliver
 * what may be one with `migration: "maybe"`. `deliver` sets no fences on the servers: nothing is
 * dropped, and what comes of slots that seem to migrate has `migration: "maybe"`.
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
  /** What becomes of migration artefacts. Default `hide`. */
  readonly migrations?: MigrationPolicy;
}

const DEFAULT_REFRESH_INTERVAL = 10_000;

/** The options that only clusters have, with their defaults. */
export type ClusterSettings = Required<
  Pick<ClusterOptions, "refreshInterval" | "maxNodes" | "migrations">
>;

/**
 * Fills in the defaults of what only clusters have.
 *
 * @throws {TypeError} when an option is not what it must be
 */
export function resolveClusterOptions(options: ClusterOptions): ClusterSettings {
  checkKinds(options, { addressMap: "function" });
  const {
    refreshInterval = DEFAULT_REFRESH_INTERVAL,
    maxNodes = DEFAULT_MAX_NODES,
    migrations = "hide",
  } = options;
  checkMilliseconds("refreshInterval", refreshInterval);
  checkAtLeast(1, "maxNodes", maxNodes);
  if (migrations !== "hide" && migrations !== "mark" && migrations !== "deliver") {
    throw invalid("migrations", migrations, '"hide", "mark" or "deliver"');
  }
  return { refreshInterval, maxNodes, migrations };
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

/** The nodes to begin with, and what holds for every node. */
export interface SeedNodes {
  /** Their addresses; at least one. */
  readonly addresses: readonly Address[];
  /** What the URLs say of all nodes. */
  readonly defaults: ServerDefaults;
}

/**
 * Reads the URLs of some nodes of a cluster. What one of them says holds for all nodes, those too that
 * no URL names.
 *
 * @throws {TypeError} when there is none, one is malformed, or they contradict each other
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
      "Cannot connect: some of the seed nodes' URLs are for TLS, others are not; give all of them a " +
        "scheme with TLS (rediss://, valkeys://), or none",
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
