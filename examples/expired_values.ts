/**
 * Gets the value of a key after it has expired. No notification contains it, so it has to be kept:
 *
 * - **A copy**: a hash beside the key, which lives a day longer. It has the value (a shadow key), or
 *   only what is needed after the end (metadata).
 * - **A schedule**: the key with the value does not expire. A sorted set has its deadline, and a
 *   second key expires then. No value can be lost, but readers must check the deadline.
 *
 * What was left behind is found at the start and after each gap. One instance takes each value.
 *
 * `notify-keyspace-events Ex`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

/** Sets a key for `ttl` ms, and a copy of the value or of something else. */
export async function setWithCopy(
  redis: Redis,
  key: string,
  value: string,
  ttl: number,
  copy: Record<string, string> = { value },
): Promise<void> {
  const later = ttl + 24 * 60 * 60 * 1_000;
  await redis.multi().set(key, value, { PX: ttl })
    .hSet(`copy:${key}`, copy).pExpire(`copy:${key}`, later).exec();
}

/** Sets a key that ends by the schedule after `ttl` ms. */
export async function setScheduled(
  redis: Redis,
  key: string,
  value: string,
  ttl: number,
): Promise<void> {
  await redis.multi().set(key, value)
    .zAdd("schedule", { score: Date.now() + ttl, value: key })
    .set(`wake:${key}`, "", { PX: ttl }).exec();
}

/** Reports values of expired keys until `options.signal` aborts. */
export async function reportValues(
  url: string,
  redis: Redis,
  tell: (line: string) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  async function endScheduled(key: string): Promise<void> {
    if (await redis.exists(`wake:${key}`) === 1 || await redis.zRem("schedule", key) !== 1) return;
    tell(`${key} expired · its value was ${await redis.getDel(key)}`);
  }
  async function takeCopy(key: string): Promise<void> {
    if (await redis.exists(key) === 1) return;
    const [copy] = await redis.multi().hGetAll(`copy:${key}`).del(`copy:${key}`).execTyped();
    if (Object.keys(copy).length > 0) tell(`${key} expired · its copy is ${JSON.stringify(copy)}`);
  }
  async function catchUp(reason: string): Promise<void> {
    for (const key of await redis.zRange("schedule", 0, -1)) await endScheduled(key);
    for await (const copies of redis.scanIterator({ MATCH: "copy:*" })) {
      for (const copy of copies) await takeCopy(copy.slice("copy:".length));
    }
    tell(`${reason} · caught up`);
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired");
  await catchUp("started");
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await catchUp(item.reason);
    else if (item.keyStartsWith("wake:")) await endScheduled(item.key.slice("wake:".length));
    else await takeCopy(item.key);
  }
}

if (import.meta.main) await reportValues(REDIS_URL, await openRedis(), console.log);
