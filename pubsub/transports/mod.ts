/**
 * Which transport this runtime has.
 *
 * @module
 */

import type { Dial } from "../transport.ts";

/**
 * Opens a TCP connection with what the runtime offers: Deno's own sockets in Deno, `node:net`
 * elsewhere. The other runtime's module is not loaded.
 *
 * @param address where to
 * @param options the signal that gives the attempt up
 * @returns the open connection
 * @throws the runtime's error when the connection cannot be made
 */
export const dial: Dial = async (address, options) => {
  const { dial } = "Deno" in globalThis ? await import("./deno.ts") : await import("./node.ts");
  return await dial(address, options);
};
