/**
 * Which transport this runtime has.
 *
 * @module
 */

import type { Address, Dial, DialOptions, Transport } from "../transport.ts";

/**
 * Opens a connection with what the runtime offers; what is done when there is no `dial` option. A
 * `dial` of your own may hand over to it.
 *
 * @param address where to
 * @param options the signal that gives the attempt up, and how to speak TLS
 * @returns the open connection
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
  const transport = await load(options.tls !== undefined);
  return await transport.dial(address, options);
}

/**
 * The module for this runtime; the others are not loaded.
 *
 * In Deno, TLS goes through `node:tls`: `Deno.connectTls` has no server name and cannot be given up,
 * `Deno.startTls` has no client certificate. They would read 0.8 to 0.95 GB/s where `node:tls` reads
 * 0.5 to 0.65 (Deno 2.9.6).
 */
function load(overTls: boolean): Promise<{ dial: Dial }> {
  if ("Deno" in globalThis && !overTls) return import("./deno.ts");
  if (globalThis.navigator?.userAgent === "Cloudflare-Workers") return import("./cloudflare.ts");
  return import("./node.ts");
}
