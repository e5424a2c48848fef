/**
 * Closes coupons when they expire, and lists who claimed them. A claim succeeds only while
 * the key `coupon:<id>` exists. So nobody gets a coupon late, even if its notification is late.
 *
 * The set `coupons:open` is compared with the keys at the start and after each gap. `SMOVE` succeeds
 * for one instance only, and that one closes the coupon.
 *
 * `notify-keyspace-events Ex`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

const CLAIM = `
  if redis.call("EXISTS", KEYS[1]) == 0 then return "closed" end
  if redis.call("SISMEMBER", KEYS[2], ARGV[1]) == 1 then return "claimed before" end
  if redis.call("SCARD", KEYS[2]) >= tonumber(redis.call("GET", KEYS[1])) then return "sold out" end
  redis.call("SADD", KEYS[2], ARGV[1])
  return "claimed"`;

/** Offers `count` coupons for `ttl` ms. */
export async function offer(redis: Redis, id: string, count: number, ttl: number): Promise<void> {
  await redis.multi().sAdd("coupons:open", id).set(`coupon:${id}`, `${count}`, { PX: ttl }).exec();
}

/** Claims a coupon. Returns `claimed`, `claimed before`, `sold out` or `closed`. */
export async function claim(redis: Redis, id: string, user: string): Promise<string> {
  const keys = [`coupon:${id}`, `coupon:${id}:claims`];
  return String(await redis.eval(CLAIM, { keys, arguments: [user] }));
}

/** Closes coupons until `options.signal` aborts. */
export async function closeCoupons(
  url: string,
  redis: Redis,
  tell: (line: string) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  async function close(id: string): Promise<boolean> {
    if (await redis.exists(`coupon:${id}`) === 1) return false;
    if (await redis.sMove("coupons:open", "coupons:closed", id) !== 1) return false;
    const claims = await redis.sMembers(`coupon:${id}:claims`);
    tell(`coupon ${id} is closed · claimed by ${claims.sort().join(", ") || "nobody"}`);
    return true;
  }
  async function catchUp(reason: string): Promise<void> {
    let count = 0;
    for (const id of await redis.sMembers("coupons:open")) if (await close(id)) count++;
    tell(`${reason} · ${count} missed · caught up`);
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired", { keys: "coupon:*" });
  await catchUp("started");
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await catchUp(item.reason);
    else await close(item.key.slice("coupon:".length));
  }
}

if (import.meta.main) await closeCoupons(REDIS_URL, await openRedis(), console.log);
