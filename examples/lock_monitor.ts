/**
 * Reports who takes, releases and loses locks, and for how long each was held. A lock is
 * `lock:<name>`, made by `SET lock:<name> <holder> NX PX <ttl>`. If it expires, its holder has died or
 * was too slow, and may now work at the same time as the next one.
 *
 * What happened to a lock in a gap is unknown. After the gap, the locks that exist are compared with
 * those that were seen.
 *
 * `notify-keyspace-events Kg$x`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

/** Reports events of locks until `options.signal` aborts. */
export async function watchLocks(
  url: string,
  redis: Redis,
  tell: (line: string) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  const held = new Map<string, { holder: string | null; since: number }>();
  function taken(lock: string, holder: string | null, since: number): void {
    // The notification of a lock that a comparison has found may still arrive.
    if (held.get(lock)?.holder === holder) return;
    held.set(lock, { holder, since });
    tell(`${lock} taken by ${holder ?? "somebody"}`);
  }
  function ended(lock: string, how: string, at: number): void {
    const { holder = null, since = at } = held.get(lock) ?? {};
    held.delete(lock);
    tell(`${lock} ${how} · held by ${holder ?? "somebody"} for ${Math.max(0, at - since)} ms`);
  }
  async function compare(reason: string): Promise<void> {
    const found = new Map<string, string | null>();
    for await (const locks of redis.scanIterator({ MATCH: "lock:*" })) {
      for (const lock of locks) found.set(lock, await redis.get(lock));
    }
    for (const [lock, { holder }] of [...held]) {
      if (found.get(lock) !== holder) ended(lock, "ended in the gap", Date.now());
    }
    for (const [lock, holder] of found) if (holder !== null) taken(lock, holder, Date.now());
    tell(`${reason} · ${held.size} locks held · caught up`);
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyspace("lock:*");
  await compare("started");
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await compare(item.reason);
    else if (item.eventType === "set") taken(item.key, await redis.get(item.key), item.timestamp);
    else if (item.eventType === "del") ended(item.key, "released", item.timestamp);
    else if (item.eventType === "expired") ended(item.key, "expired", item.timestamp);
  }
}

if (import.meta.main) await watchLocks(REDIS_URL, await openRedis(), console.log);
