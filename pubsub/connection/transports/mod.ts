import type { Address, Dial, DialOptions, Transport } from "../transport.ts";

/**
 * Opens a connection with the sockets of the runtime: the default of the option `dial`. A `dial` of
 * your own may call it.
 *
 * @param address where to
 * @param options the signal that ends the attempt, and how to speak TLS
 * @returns the open connection
 * @throws {UnsupportedError} if the runtime's sockets cannot do what was requested
 * @throws {ConnectError} if TLS cannot be agreed on, or a certificate or the key cannot be used
 * @throws the runtime's error if the connection cannot be made
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
  const transport = await load();
  return await transport.dial(address, options);
}

/** Loads the module for this runtime. In the package for npm, conditions choose it where they can. */
function load(): Promise<{ dial: Dial }> {
  if ("Deno" in globalThis) return import("./deno.ts");
  if (globalThis.navigator?.userAgent === "Cloudflare-Workers") return import("./cloudflare.ts");
  return import("./node.ts");
}
