/**
 * Connections with what the runtime offers.
 *
 * @module
 */

import { readTls } from "../option_checks.ts";
import type { Address, DialOptions, Transport } from "../transport.ts";

/**
 * Opens a connection with what the runtime offers; what is done when there is no `dial` option. A
 * `dial` of your own may hand over to it.
 *
 * @param address where to
 * @param options the signal that gives the attempt up, and how to speak TLS
 * @returns the open connection
 * @throws {TypeError} when a certificate, the key or the server's name cannot be used
 * @throws {UnsupportedError} when the runtime's sockets cannot do what was asked
 * @throws {ConnectError} when TLS cannot be agreed on
 * @throws the runtime's error when the connection cannot be made
 *
 * @example
 * ```ts no-run
 * import { dial, KeyspaceNotifications } from "@keywatch/keywatch/pubsub";
 *
 * // Through a tunnel that ends here; the certificate is still checked for the server's name.
 * await using notifications = await KeyspaceNotifications.connect("rediss://redis.internal", {
 *   tls: { serverName: "redis.internal" },
 *   dial: (_address, options) => dial({ hostname: "127.0.0.1", port: 7001 }, options),
 * });
 * ```
 */
export async function dial(address: Address, options: DialOptions): Promise<Transport> {
  const { signal, tls } = options;
  // A `dial` of the caller's own may hand over options that were never checked.
  const checked = tls === undefined ? options : { signal, tls: readTls(tls) };
  // In the package for npm the runtime or the bundler chooses here, as its package.json says.
  const transport = await import("./runtime.ts");
  return await transport.dial(address, checked);
}
