import type { ConnectOptions, TcpAddress } from "../pubsub/mod.ts";

/** How to watch a cluster: what {@linkcode ConnectOptions} says, and what only clusters have. */
export interface ClusterOptions extends ConnectOptions {
  /**
   * How long after an answer about the topology to ask again, in ms. Default 10,000. It is asked
   * besides whenever a connection is lost or events come from a node that should not send them.
   */
  readonly refreshInterval?: number;
  /**
   * Where to dial a node in place of the address it announces: for clusters behind NAT or port
   * forwarding.
   */
  readonly addressMap?: (address: TcpAddress) => TcpAddress;
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
