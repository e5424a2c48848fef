import type { ServerTarget } from "./connection/address.ts";
import type { Credentials } from "./connection/handshake.ts";
import type { TlsOptions } from "./connection/transport.ts";

/**
 * A primary that sentinels monitor, as the target of `connect` in place of a URL.
 *
 * The options `username`, `password` and `credentials` of {@linkcode connect} apply only to the servers.
 * The credentials of the sentinels are `sentinelCredentials`, or those of their URLs.
 *
 * @example
 * ```ts no-run
 * import { connect, type SentinelTarget } from "@keywatch/keywatch";
 *
 * const target: SentinelTarget = {
 *   sentinels: ["redis://10.0.0.1:26379", "redis://10.0.0.2:26379"],
 *   name: "mymaster",
 *   database: 2,
 * };
 * await using notifications = await connect(target, { password: "the servers' password" });
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export interface SentinelTarget {
  /**
   * The URLs of sentinels: `redis://[[user]:password@]host[:port]`, `rediss://` for TLS, or `valkey://`
   * and `valkeys://`. The default port is 26379. One sentinel is enough if it can be reached when the
   * program connects, because it names the others.
   */
  readonly sentinels: readonly ServerTarget[];
  /** The name of the primary, as `SENTINEL MASTERS` lists it. */
  readonly name: string;
  /** The database of subscriptions without the option `db`. Default: 0. */
  readonly database?: number | undefined;
  /** Whether to connect to the servers over TLS. Default: as for the sentinels. */
  readonly tls?: boolean | undefined;
  /**
   * The user and password for the sentinels, or a function that returns them. Overrides those of their
   * URLs.
   */
  readonly sentinelCredentials?:
    | Credentials
    | (() => Credentials | Promise<Credentials>)
    | undefined;
  /** The TLS options for the sentinels. Default: the option `tls` of `connect`, without `serverName`. */
  readonly sentinelTls?: TlsOptions | undefined;
}

/** Returns whether a target of `connect` names sentinels, well-formed or not. */
export function isSentinelTarget<Target>(
  target: Target | SentinelTarget,
): target is SentinelTarget {
  return typeof target === "object" && target !== null && "sentinels" in target;
}
