/**
 * The client for ordinary commands, such as `SET` and `HGET`, that the examples use beside the
 * library: node-redis. Any other does as well; outside of Deno it is the package `redis`.
 *
 * @module
 */

import { parseUrl } from "@keywatch/keywatch";
import { env } from "node:process";
import { createClient, type RedisClientType } from "npm:@redis/client@6.3.1";

/** The server that the examples speak to: `$REDIS_URL`, or the one on this machine. */
export const REDIS_URL: string = env["REDIS_URL"] ?? "redis://localhost:6379";

// deno-lint-ignore ban-types -- how that package writes "no modules, functions, scripts"
export type Redis = RedisClientType<{}, {}, {}, 3, {}>;

/** Connects a client. */
export async function openRedis(url: string = REDIS_URL): Promise<Redis> {
  // That client knows no valkey://, and repeats a malformed URL with its password.
  parseUrl(url);
  const redisUrl = url.replace(/^valkey/i, "redis");
  return await createClient({ url: redisUrl, RESP: 3 }).on(
    "error",
    ({ message }) => console.error(message),
  )
    .connect();
}
