/**
 * Has the value of a key after it has expired, which no notification tells and no server keeps, in
 * three ways. Each value is handed on once, by whichever instance takes it.
 *
 * - A **shadow**: a second key with the same value that lives a day longer. Simple; twice the
 *   memory.
 * - A **schedule**: the value is in a key that does not expire by itself, and a sorted set has its
 *   deadline. No value can be lost, but whoever reads it before its time must look at the deadline.
 * - **Metadata**: a hash beside the key, of just what is needed after its end, a day longer too.
 *
 * What expired in a gap is found by what was left behind.
 *
 * `notify-keyspace-events Ex`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

const DAY = 24 * 60 * 60 * 1_000;

/** Sets a key for `ttl` ms, with a shadow. */
export async function setWithShadow(
  redis: Redis,
  key: string,
  value: string,
  ttl: number,
): Promise<void> {
  await redis.multi()
    .set(key, value, { PX: ttl })
    .set(`shadow:${key}`, value, { PX: ttl + DAY })
    .exec();
}

/** Sets a key that the schedule ends after `ttl` ms. */
export async function setScheduled(
  redis: Redis,
  key: string,
  value: string,
  ttl: number,
): Promise<void> {
  await redis.multi()
    .set(key, value)
    .zAdd("schedule", { score: Date.now() + ttl, value: key })
    // Its end wakes whoever watches.
    .set(`wake:${key}`, "", { PX: ttl })
    .exec();
}

/** Sets a key for `ttl` ms, and beside it what is to be known after its end. */
export async function setWithMetadata(
  redis: Redis,
  key: string,
  value: string,
  ttl: number,
  metadata: Record<string, string>,
): Promise<void> {
  await redis.multi()
    .set(key, value, { PX: ttl })
    .hSet(`meta:${key}`, metadata)
    .pExpire(`meta:${key}`, ttl + DAY)
    .exec();
}

/** Calls `ended` with what is left of each key that expires, until `options.signal` ends it. */
export async function rememberValues(
  url: string,
  redis: Redis,
  ended: (key: string, left: string | Record<string, string>) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  async function remember(key: string): Promise<void> {
    // It may have been set anew meanwhile.
    if (await redis.exists(key) === 1) return;
    const value = await redis.getDel(`shadow:${key}`);
    if (value !== null) await ended(key, value);
    const [metadata] = await redis.multi().hGetAll(`meta:${key}`).del(`meta:${key}`).execTyped();
    if (Object.keys(metadata).length > 0) await ended(key, { ...metadata });
  }
  async function end(key: string): Promise<void> {
    if (await redis.exists(`wake:${key}`) === 1 || await redis.zRem("schedule", key) !== 1) return;
    const value = await redis.getDel(key);
    if (value !== null) await ended(key, value);
  }
  async function catchUp(): Promise<void> {
    // A minute more, for clocks that differ: `end` knows whose time is over.
    const due = await redis.zRangeByScore("schedule", 0, Date.now() + 60_000);
    for (const key of due) await end(key);
    for (const prefix of ["shadow:", "meta:"]) {
      for await (const keys of redis.scanIterator({ MATCH: `${prefix}*` })) {
        for (const key of keys) await remember(key.slice(prefix.length));
      }
    }
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired");
  await catchUp();
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await catchUp();
    else if (item.keyStartsWith("wake:")) await end(item.key.slice("wake:".length));
    else await remember(item.key);
  }
}

if (import.meta.main) {
  await rememberValues(REDIS_URL, await openRedis(), (key, left) => {
    console.log(`${key} has ended; it was ${JSON.stringify(left)}`);
  });
}
