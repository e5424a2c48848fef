/**
 * Watches a managed service without `CONFIG`: the flags are set in a console or parameter group.
 * Nothing fails for that; what the server does not tell counts as unknown, and `status()` says so.
 *
 * Whether notifications are on can then only be tried. This touches a key of its own and waits for
 * the notification of it, on the very connection that the others will come on, and says what to do
 * if none comes.
 *
 * Also shown: a password that is asked for at each connect, as for tokens that expire, and TLS by
 * the URL (`rediss://…`).
 *
 * @module
 */

import { env } from "node:process";
import { connect, type ConnectOptions, type KeyNotification } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

/** What to do where nothing comes. */
export const ADVICE: string =
  "No notification came of a key that was just set: notifications are off. Set " +
  "notify-keyspace-events to KEA, in a parameter group (ElastiCache, MemoryDB), under advanced " +
  "settings (Azure), or in the instance's configuration (Memorystore, Aiven and others)";

/** Whether notifications of a key that is set come within `patience` ms, and what the flags are. */
export async function probe(
  url: string,
  redis: Redis,
  patience: number = 5_000,
  options: ConnectOptions = {},
): Promise<{ flags: string | null; comes: boolean }> {
  await using notifications = await connect(url, options);
  const key = `keywatch:probe:${crypto.randomUUID()}`;
  await notifications.subscribeKeyspace(key);
  const { flags = null } = notifications.status().nodes[0] ?? {};
  await redis.set(key, "", { PX: 60_000 });
  return { flags, comes: await notifications.getMessage({ timeout: patience }) !== null };
}

/** Calls `handle` for each key that expires, until `options.signal` ends it. */
export async function watchManaged(
  url: string,
  handle: (notification: KeyNotification) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired");
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") console.warn(`events of ${item.to - item.from} ms may be missing`);
    else await handle(item);
  }
}

if (import.meta.main) {
  // Where the password is a token that expires, this would fetch a new one.
  const password = env["REDIS_PASSWORD"];
  const options: ConnectOptions = password === undefined ? {} : {
    credentials: () => ({ username: env["REDIS_USER"] ?? "default", password }),
  };
  const { flags, comes } = await probe(REDIS_URL, await openRedis(), 5_000, options);
  console.log(`the server says of its flags: ${flags}`);
  console.log(comes ? "notifications come" : ADVICE);
  await watchManaged(REDIS_URL, ({ key }) => console.log(`${key} has expired`), options);
}
