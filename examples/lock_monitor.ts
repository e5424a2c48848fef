/**
 * Tells who takes, gives back and loses locks, and how long each was held: `lock:<name>`, made by
 * `SET lock:<name> <holder> NX PX <ttl>`. One that expires was never given back: its holder died,
 * or was slower than it thought and may now work beside the next one.
 *
 * What happened to a lock in a gap cannot be told any more; how things stand after it can, by a look
 * at the locks that there are.
 *
 * `notify-keyspace-events Kg$x`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

/** What happened to a lock: `unseen` is whatever ended it in a gap. */
export interface LockEvent {
  readonly what: "taken" | "given back" | "expired" | "unseen";
  readonly lock: string;
  /** Who held it when it was asked for; null if it was gone by then. */
  readonly holder: string | null;
  /** For how long it was seen held, in ms. */
  readonly held?: number;
}

/** Calls `tell` for each event of a lock, until it is closed by `options.signal`. */
export async function watchLocks(
  url: string,
  redis: Redis,
  tell: (event: LockEvent) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  const held = new Map<string, { holder: string | null; since: number }>();
  function taken(lock: string, holder: string | null, since: number): void {
    // A lock that a look has found may have its notification still to come.
    if (held.get(lock)?.holder === holder) return;
    held.set(lock, { holder, since });
    tell({ what: "taken", lock, holder });
  }
  function ended(lock: string, what: LockEvent["what"], at: number): void {
    const { holder = null, since = at } = held.get(lock) ?? {};
    held.delete(lock);
    tell({ what, lock, holder, held: Math.max(0, at - since) });
  }
  async function look(): Promise<void> {
    const found = new Map<string, string | null>();
    for await (const locks of redis.scanIterator({ MATCH: "lock:*" })) {
      for (const lock of locks) found.set(lock, await redis.get(lock));
    }
    const now = Date.now();
    for (const [lock, { holder }] of [...held]) {
      if (found.get(lock) !== holder) ended(lock, "unseen", now);
    }
    for (const [lock, holder] of found) {
      if (holder !== null && !held.has(lock)) taken(lock, holder, now);
    }
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyspace("lock:*");
  await look();
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await look();
    else if (item.eventType === "set") taken(item.key, await redis.get(item.key), item.timestamp);
    else if (item.eventType === "del") ended(item.key, "given back", item.timestamp);
    else if (item.eventType === "expired") ended(item.key, "expired", item.timestamp);
  }
}

if (import.meta.main) {
  await watchLocks(REDIS_URL, await openRedis(), ({ what, lock, holder, held }) => {
    const time = held === undefined ? "" : ` after ${held} ms`;
    console.log(`${lock} ${what}${time}, holder ${holder ?? "unknown"}`);
  });
}
