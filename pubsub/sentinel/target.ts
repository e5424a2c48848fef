import { readTarget } from "../connection/address.ts";
import { readCredentials } from "../connection/credentials.ts";
import type { ServerDefaults } from "../connection/options.ts";
import type { ConnectOptions } from "../options.ts";
import type { Secrets } from "../connection/secrets.ts";
import type { SentinelTarget } from "../sentinel_target.ts";
import { checkKnown, dialWithTls, tlsFor } from "../connection/option_checks.ts";
import { type Address, type Dial, formatAddress } from "../connection/transport.ts";
import { dial } from "../connection/transports/mod.ts";
import type { Credentials } from "../connection/handshake.ts";

/** The port sentinels listen on when a URL names none. */
const SENTINEL_PORT = 26379;

const OPTIONS: readonly (keyof SentinelTarget)[] = [
  "sentinels",
  "name",
  "database",
  "tls",
  "sentinelCredentials",
  "sentinelTls",
];

/** How to reach one sentinel. */
export interface SentinelServer {
  /** The sentinel, as `host:port`. */
  readonly node: string;
  /** Where it listens. */
  readonly address: Address;
  /** How to get there. */
  readonly dial: Dial;
  /** Says who to be; nobody when it gives nothing. */
  readonly credentials: () => Promise<Credentials | undefined>;
}

/** A target, checked. */
export interface SentinelSettings {
  /** The primary's name. */
  readonly name: string;
  /** The sentinels, in the order given. Never empty. */
  readonly sentinels: readonly SentinelServer[];
  /** What the target says of the servers. */
  readonly defaults: ServerDefaults;
}

/**
 * Checks a target.
 *
 * @param secrets takes the passwords
 * @throws {TypeError} when it is not what it must be
 */
export function readSentinelTarget(
  target: SentinelTarget,
  options: ConnectOptions,
  secrets: Secrets,
): SentinelSettings {
  checkKnown(target, OPTIONS);
  const { sentinels, name, database = 0, sentinelCredentials, sentinelTls } = target;
  if (!Array.isArray(sentinels) || sentinels.length === 0) {
    throw new TypeError("Cannot use the sentinels: none is given; list their URLs");
  }
  if (typeof name !== "string" || name === "") {
    throw new TypeError(
      "Cannot use the sentinels: the primary's name is missing; SENTINEL MASTERS lists those " +
        "they know",
    );
  }
  if (!Number.isInteger(database) || database < 0) {
    throw new TypeError(`Cannot use database ${database}: it is not a number of at least 0`);
  }
  // Called by their places: in a malformed URL even the host may be a piece of a password.
  const urls = sentinels.map((url, index) =>
    readTarget(`the URL of sentinel ${index + 1}`, url, SENTINEL_PORT)
  );
  const place = urls.findIndex(({ database }) => database !== undefined) + 1;
  if (place > 0) {
    throw new TypeError(
      `Cannot use sentinel ${place}: its URL names a database, and a sentinel has none; the ` +
        "target's own option is database",
    );
  }
  const secured = urls.filter((url) => url.tls).length;
  if (target.tls === undefined && secured > 0 && secured < urls.length) {
    throw new TypeError(
      "Cannot decide whether the servers use TLS: some of the sentinels do, others do not; say " +
        "so with tls: true or false",
    );
  }
  const { serverName: _ofTheServers, ...sameTls } = options.tls ?? {};
  const tls = sentinelTls !== undefined
    ? tlsFor(secured > 0, sentinelTls, "sentinelTls")
    : tlsFor(secured > 0, secured > 0 ? sameTls : undefined);
  return {
    name,
    sentinels: urls.map((url) => ({
      node: formatAddress(url.address),
      address: url.address,
      dial: dialWithTls(options.dial ?? dial, url.tls ? tls : undefined),
      credentials: readCredentials(sentinelCredentials, url.username, url.password, secrets),
    })),
    defaults: { database, tls: target.tls ?? secured > 0 },
  };
}
