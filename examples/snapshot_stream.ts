/**
 * Keeps a copy of all `user:*` hashes in memory: subscribe first, then load all users, then read each
 * user again when a notification of it arrives. After a gap, load all users again.
 *
 * This order needs no lock. A change during the load is either loaded or has a notification that
 * waits. Reading a key once too often does no harm.
 *
 * `notify-keyspace-events KA`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

/** Keeps the copy until `options.signal` aborts. */
export async function keepCopy(
  url: string,
  redis: Redis,
  users: Map<string, Record<string, string>>,
  tell: (line: string) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  async function read(key: string): Promise<void> {
    const user = await redis.type(key) === "hash" ? { ...await redis.hGetAll(key) } : {};
    // A hash without fields does not exist.
    if (Object.keys(user).length > 0) users.set(key, user);
    else users.delete(key);
  }
  async function load(reason: string): Promise<void> {
    const keys = new Set(users.keys());
    for await (const found of redis.scanIterator({ MATCH: "user:*" })) {
      for (const key of found) keys.add(key);
    }
    for (const key of keys) await read(key);
    tell(`${reason} · loaded ${users.size} users · caught up`);
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyspace("user:*");
  await load("started");
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await load(item.reason);
    else {
      await read(item.key);
      tell(`${item.eventType} ${item.key} · ${JSON.stringify(users.get(item.key) ?? "gone")}`);
    }
  }
}

if (import.meta.main) await keepCopy(REDIS_URL, await openRedis(), new Map(), console.log);
