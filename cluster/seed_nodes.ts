import { DEFAULT_PORT, readTarget, type ServerTarget } from "../pubsub/connection/address.ts";
import { checkUnused } from "../pubsub/connection/option_checks.ts";
import type { ServerDefaults } from "../pubsub/connection/options.ts";
import type { Address } from "../pubsub/connection/transport.ts";
import type { ServerUrl } from "../pubsub/mod.ts";
import type { ClusterOptions } from "./options.ts";

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
export function readSeedNodes(targets: readonly ServerTarget[]): SeedNodes {
  if (!Array.isArray(targets)) {
    throw new TypeError("Cannot connect: the seed nodes are not a list; give [url, …]");
  }
  const urls = (targets as readonly ServerTarget[]).map((target, index) =>
    readTarget(
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
      ...first,
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
  checkUnused(options, ["onRolledBack"], "a cluster", "its failovers are gaps");
  checkUnused(
    options,
    ["singleNode"],
    "several URLs or ClusterKeyspaceNotifications",
    "they watch the whole cluster; give connect one URL for one node",
  );
}
