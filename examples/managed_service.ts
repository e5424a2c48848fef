/**
 * Watches a managed service that has no `CONFIG`. The flags are set in a console or a parameter
 * group, and the client cannot read them: `status()` says `unknown`.
 *
 * Whether notifications are on can only be tested. This example sets a key, waits for its
 * notification on the connection that watches, and says what to do if none arrives.
 *
 * It also requests the password for each connection, as for tokens that expire. A URL with
 * `rediss://` uses TLS.
 *
 * @module
 */

import { env } from "node:process";
import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

const ADVICE = "set notify-keyspace-events to KEA: in a parameter group (ElastiCache, MemoryDB), " +
  "under Advanced settings (Azure), or in the configuration of the instance (Memorystore, Aiven)";

/** Reports keys that expire until `options.signal` aborts. */
export async function watchManaged(
  url: string,
  redis: Redis,
  tell: (line: string) => unknown,
  { patience = 5_000, ...options }: ConnectOptions & { patience?: number } = {},
): Promise<void> {
  await using notifications = await connect(url, options);
  {
    const key = `keywatch:probe:${crypto.randomUUID()}`;
    await using _ = await notifications.subscribeKeyspace(key, { events: ["set"] });
    await redis.set(key, "", { PX: 60_000 });
    const found = await notifications.getMessage({ timeout: patience });
    const flags = notifications.status().nodes[0]?.flags;
    tell(`flags ${flags} · ${found ? "notifications arrive" : `nothing arrives · ${ADVICE}`}`);
  }
  await notifications.subscribeKeyevent("expired");
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind !== "gap") tell(`${item.key} expired`);
    else tell(`${item.reason} for ${item.to - item.from} ms · connected with a new password`);
  }
}

if (import.meta.main) {
  const credentials = () => {
    // A program whose password is a token would fetch a new one here.
    console.log("a password is requested");
    return { username: env["REDIS_USER"] ?? "default", password: env["REDIS_PASSWORD"] ?? "" };
  };
  const options = env["REDIS_PASSWORD"] === undefined ? {} : { credentials };
  await watchManaged(REDIS_URL, await openRedis(), console.log, options);
}
