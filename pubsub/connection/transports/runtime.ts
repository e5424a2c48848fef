/**
 * The transport of the runtime that this runs in.
 *
 * @module
 */

import type { Address, Dial, DialOptions, Transport } from "../transport.ts";

/** Opens a connection with what the runtime offers. */
export async function dial(address: Address, options: DialOptions): Promise<Transport> {
  const transport = await load();
  return await transport.dial(address, options);
}

/** The module for this runtime; the others are not loaded. */
function load(): Promise<{ dial: Dial }> {
  if ("Deno" in globalThis) return import("./deno.ts");
  if (globalThis.navigator?.userAgent === "Cloudflare-Workers") return import("./cloudflare.ts");
  return import("./node.ts");
}
