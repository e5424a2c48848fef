/**
 * Keeps a copy of all `user:*` hashes in memory as the server has them: subscribe first, then
 * load a snapshot, then read each key again of which a notification comes; and the snapshot once
 * more after each gap.
 *
 * That order makes it right without any lock. What changes while the snapshot is being loaded is
 * either in it already or has its notification waiting, and reading a key once too often does no
 * harm.
 *
 * `notify-keyspace-events KA`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

type User = Record<string, string>;

/** What is told of the copy. */
export interface Observer {
  /** A snapshot was loaded: at the start, or because of a gap. */
  loaded(users: ReadonlyMap<string, User>, reason: string): unknown;
  /** A user has changed, or is gone: then null. */
  changed(key: string, user: User | null): unknown;
}

/** Keeps a copy until `options.signal` ends it. */
export async function keepCopy(
  url: string,
  redis: Redis,
  observer: Observer,
  options: ConnectOptions = {},
): Promise<void> {
  const users = new Map<string, User>();

  async function read(key: string): Promise<User | null> {
    const user = await redis.type(key) === "hash" ? { ...await redis.hGetAll(key) } : {};
    // A hash without fields does not exist.
    if (Object.keys(user).length === 0) {
      users.delete(key);
      return null;
    }
    users.set(key, user);
    return user;
  }
  async function load(reason: string): Promise<void> {
    const keys = new Set(users.keys());
    for await (const found of redis.scanIterator({ MATCH: "user:*" })) {
      for (const key of found) keys.add(key);
    }
    for (const key of keys) await read(key);
    await observer.loaded(users, reason);
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyspace("user:*");
  await load("start");
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await load(`gap, ${item.reason}`);
    else await observer.changed(item.key, await read(item.key));
  }
}

if (import.meta.main) {
  await keepCopy(REDIS_URL, await openRedis(), {
    loaded: (users, reason) => console.log(`${reason}: loaded ${users.size} users`),
    changed: (key, user) => console.log(`${key} is now ${user ? JSON.stringify(user) : "gone"}`),
  });
}
