import { DEFAULT_PORT, type ServerUrl } from "../pubsub/mod.ts";
import { parseNamedUrl } from "../pubsub/address.ts";
import { defaultsOf, type ServerDefaults } from "../pubsub/options.ts";
import type { Address } from "../pubsub/transport.ts";

/** Where to begin, and what holds for every node. */
export interface Seeds {
  /** Where some of the nodes are. Never empty. */
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
export function readSeeds(targets: readonly (string | URL)[]): Seeds {
  if (!Array.isArray(targets)) {
    throw new TypeError("Cannot connect: the seeds are no list; give [url, …]");
  }
  const urls = (targets as readonly (string | URL)[]).map((target, index) =>
    parseNamedUrl(
      targets.length === 1 ? "the server URL" : `the URL of seed ${index + 1}`,
      target,
      DEFAULT_PORT,
    )
  );
  const [first] = urls;
  if (first === undefined) throw new TypeError("Cannot connect: no seed is given");
  if (urls.some(({ tls }) => (tls ?? false) !== (first.tls ?? false))) {
    throw new TypeError(
      "Cannot tell whether the cluster speaks TLS: some of the seeds do, others do not; give " +
        "all URLs the schemes with TLS (rediss://, valkeys://), or none",
    );
  }
  const said = Object.assign(
    {},
    only(urls, "username", "user"),
    only(urls, "password", "password"),
    only(urls, "database", "database"),
  );
  return {
    addresses: urls.map(({ address }) => address),
    defaults: { ...defaultsOf(first), ...said },
  };
}

/** What the URLs say of one thing; nothing where none does. */
function only<Name extends "username" | "password" | "database">(
  urls: readonly ServerUrl[],
  name: Name,
  what: string,
): Pick<ServerUrl, Name> | undefined {
  const first = urls.find((url) => url[name] !== undefined);
  const other = urls.find((url) => url[name] !== undefined && url[name] !== first![name]);
  if (other === undefined) return first && { [name]: first[name] } as Pick<ServerUrl, Name>;
  // Called by their places: a host may be a piece of a password that is not percent-encoded.
  throw new TypeError(
    `Cannot use the seeds ${urls.indexOf(first!) + 1} and ${urls.indexOf(other) + 1}: each names ` +
      `another ${what}, and all nodes of a cluster share one`,
  );
}
