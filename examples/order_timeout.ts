/**
 * Cancels orders that are not paid in time. The order itself, the hash `order:<id>`, has no time to
 * live; a key beside it has, `order:<id>:unpaid`, and its end is the signal to look at the order.
 *
 * An order is never cancelled because of a message alone: the script looks again whether its time
 * is over and whether it is still unpaid, in one step, so that a payment in the last moment, a
 * second instance or a forged message do no harm. What a gap swallowed, and what ended while nobody
 * watched, is found in the sorted set `orders:unpaid`, by deadline.
 *
 * `notify-keyspace-events Ex`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

const PAY = `
  if redis.call("HGET", KEYS[1], "status") ~= "unpaid" then return 0 end
  redis.call("HSET", KEYS[1], "status", "paid")
  redis.call("DEL", KEYS[2])
  redis.call("ZREM", KEYS[3], ARGV[1])
  return 1`;

const CANCEL = `
  if redis.call("EXISTS", KEYS[2]) == 1 then return 0 end
  redis.call("ZREM", KEYS[3], ARGV[1])
  if redis.call("HGET", KEYS[1], "status") ~= "unpaid" then return 0 end
  redis.call("HSET", KEYS[1], "status", "cancelled")
  return 1`;

async function settle(redis: Redis, script: string, id: string): Promise<boolean> {
  const keys = [`order:${id}`, `order:${id}:unpaid`, "orders:unpaid"];
  return await redis.eval(script, { keys, arguments: [id] }) === 1;
}

/** Places an order that wants to be paid within `time` ms. */
export async function placeOrder(redis: Redis, id: string, time: number): Promise<void> {
  await redis.multi()
    .hSet(`order:${id}`, "status", "unpaid")
    .zAdd("orders:unpaid", { score: Date.now() + time, value: id })
    .set(`order:${id}:unpaid`, "", { PX: time })
    .exec();
}

/** Pays an order. Whether it was still possible. */
export async function payOrder(redis: Redis, id: string): Promise<boolean> {
  return await settle(redis, PAY, id);
}

/** Calls `cancelled` for each order it cancels, until it is closed by `options.signal`. */
export async function cancelOrders(
  url: string,
  redis: Redis,
  cancelled: (id: string) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  async function cancel(id: string): Promise<void> {
    if (await settle(redis, CANCEL, id)) await cancelled(id);
  }
  async function catchUp(): Promise<void> {
    // A minute more, for clocks that differ: the script knows whose time is over.
    const due = await redis.zRangeByScore("orders:unpaid", 0, Date.now() + 60_000);
    for (const id of due) await cancel(id);
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired");
  await catchUp();
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await catchUp();
    const id = item.kind === "gap" ? null : /^order:(.+):unpaid$/.exec(item.key)?.[1];
    if (id) await cancel(id);
  }
}

if (import.meta.main) {
  await cancelOrders(REDIS_URL, await openRedis(), (id) => {
    console.log(`order ${id} was not paid in time: cancelled`);
  });
}
