/**
 * Closes coupons and other campaigns when their time is over, and settles them. `coupon:<id>` is a
 * key with a time to live, and it is the door: a claim goes through only while the key is there, so
 * nobody gets a coupon late, however late its notification comes. The notification is for what
 * follows: the closing, with the list of those who claimed.
 *
 * The set `coupons:open` tells after a gap, and at the start, what should have been closed
 * meanwhile, and `SMOVE` tells which instance was first to close it.
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

/** Offers a coupon to so many people, for `ttl` ms. */
export async function offer(redis: Redis, id: string, count: number, ttl: number): Promise<void> {
  await redis.multi()
    .sAdd("coupons:open", id)
    .set(`coupon:${id}`, String(count), { PX: ttl })
    .exec();
}

/** Claims a coupon: `claimed`, `claimed before`, `sold out` or `closed`. */
export async function claim(redis: Redis, id: string, user: string): Promise<string> {
  const keys = [`coupon:${id}`, `coupon:${id}:claims`];
  return String(await redis.eval(CLAIM, { keys, arguments: [user] }));
}

/** Calls `closed` for each coupon that closes, until it is closed itself by `options.signal`. */
export async function closeCoupons(
  url: string,
  redis: Redis,
  closed: (id: string, claims: string[]) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  async function close(id: string): Promise<void> {
    if (await redis.exists(`coupon:${id}`) === 1) return;
    if (await redis.sMove("coupons:open", "coupons:closed", id) !== 1) return;
    await closed(id, await redis.sMembers(`coupon:${id}:claims`));
  }
  async function catchUp(): Promise<void> {
    for (const id of await redis.sMembers("coupons:open")) await close(id);
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired");
  await catchUp();
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await catchUp();
    else if (item.keyStartsWith("coupon:")) await close(item.key.slice("coupon:".length));
  }
}

if (import.meta.main) {
  await closeCoupons(REDIS_URL, await openRedis(), (id, claims) => {
    console.log(`coupon ${id} is closed; claimed by ${claims.sort().join(", ") || "nobody"}`);
  });
}
