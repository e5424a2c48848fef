import type { Credentials } from "./connection/handshake.ts";
import type { TlsOptions } from "./connection/transport.ts";

/**
 * A primary that sentinels watch over, as `connect` takes it in place of a URL.
 *
 * Who has the password of the servers need not have that of the sentinels: the option `password` of
 * {@linkcode connect} is for the servers alone, and what stands here for the sentinels alone.
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
   * Where the sentinels listen: `redis://[[user]:password@]host[:port]`, with `rediss://` for TLS, or
   * `valkey://` and `valkeys://`.
   * The port is 26379 unless named. Those that can be reached name the others, which take over when
   * none of these is left; so one is enough, as long as it lives when the connection is made.
   */
  readonly sentinels: readonly (string | URL)[];
  /** The name under which the sentinels know the primary, as `SENTINEL MASTERS` lists it. */
  readonly name: string;
  /** The database whose keys are watched unless a subscription says otherwise. Default 0. */
  readonly database?: number;
  /** Whether the servers are spoken with over TLS. Default: as the sentinels are. */
  readonly tls?: boolean;
  /** Who to be with the sentinels; goes before what their URLs say. */
  readonly sentinelCredentials?: Credentials | (() => Credentials | Promise<Credentials>);
  /** TLS with the sentinels. Default: the option `tls`, without its `serverName`. */
  readonly sentinelTls?: TlsOptions;
}

/** Whether a target of `connect` is one of sentinels, well-formed or not. */
export function isSentinelTarget<Target>(
  target: Target | SentinelTarget,
): target is SentinelTarget {
  return typeof target === "object" && target !== null && "sentinels" in target;
}
