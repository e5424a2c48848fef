/**
 * Which transport this runtime has.
 *
 * @module
 */

import type { Dial } from "../transport.ts";

/**
 * Opens a connection with what the runtime offers. The modules of the others are not loaded.
 *
 * In Deno, TLS goes through `node:tls`: `Deno.connectTls` has no server name and cannot be given up,
 * `Deno.startTls` has no client certificate. They would read 0.8 to 0.95 GB/s where `node:tls` reads
 * 0.5 to 0.65 (Deno 2.9.6).
 *
 * @param address where to
 * @param options the signal that gives the attempt up, and how to speak TLS
 * @returns the open connection
 * @throws {UnsupportedError} when the runtime's sockets cannot do what was asked
 * @throws {ConnectError} when TLS cannot be agreed on
 * @throws the runtime's error when the connection cannot be made
 */
export const dial: Dial = async (address, options) => {
  const { dial } = "Deno" in globalThis && options.tls === undefined
    ? await import("./deno.ts")
    : await import("./node.ts");
  return await dial(address, options);
};
