/**
 * Cancels orders that are not paid in time. The key `order:<id>:unpaid` expires at the deadline. The
 * order itself, the hash `order:<id>`, does not expire.
 *
 * A notification only says when to look. The script checks again, in one step, whether the time has
 * passed and the order is unpaid. So a late payment, a second instance or a forged message do no harm.
 * The sorted set `orders:unpaid` has all deadlines. It is read at the start and after each gap.
 *
 * `notify-keyspace-events Ex`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

const SETTLE = `
  if ARGV[2] == "cancelled" and redis.call("EXISTS", KEYS[2]) == 1 then return 0 end
  redis.call("ZREM", KEYS[3], ARGV[1])
  if redis.call("HGET", KEYS[1], "status") ~= "unpaid" then return 0 end
  redis.call("HSET", KEYS[1], "status", ARGV[2])
  redis.call("DEL", KEYS[2])
  return 1`;

/** Marks an unpaid order as paid, or as cancelled if its time has passed. Returns whether it did. */
export async function settle(redis: Redis, id: string, as: "paid" | "cancelled"): Promise<boolean> {
  const keys = [`order:${id}`, `order:${id}:unpaid`, "orders:unpaid"];
  return await redis.eval(SETTLE, { keys, arguments: [id, as] }) === 1;
}

/** Places an order, which must be paid within `time` ms. */
export async function placeOrder(redis: Redis, id: string, time: number): Promise<void> {
  await redis.multi()
    .hSet(`order:${id}`, "status", "unpaid")
    .zAdd("orders:unpaid", { score: Date.now() + time, value: id })
    .set(`order:${id}:unpaid`, "", { PX: time })
    .exec();
}

/** Cancels orders until `options.signal` aborts. */
export async function cancelOrders(
  url: string,
  redis: Redis,
  tell: (line: string) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  async function cancel(id: string): Promise<boolean> {
    const isCancelled = await settle(redis, id, "cancelled");
    if (isCancelled) tell(`order ${id} was not paid in time · cancelled`);
    return isCancelled;
  }
  async function catchUp(reason: string): Promise<void> {
    let count = 0;
    // A minute more, because clocks differ. The script decides by the key.
    const due = await redis.zRangeByScore("orders:unpaid", 0, Date.now() + 60_000);
    for (const id of due) if (await cancel(id)) count++;
    tell(`${reason} · ${count} missed · caught up`);
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired", { keys: "order:*:unpaid" });
  await catchUp("started");
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await catchUp(item.reason);
    else await cancel(item.key.slice("order:".length, -":unpaid".length));
  }
}

if (import.meta.main) await cancelOrders(REDIS_URL, await openRedis(), console.log);
