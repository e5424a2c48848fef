/**
 * A cache in memory that forgets what changes on the server: a product when it or its price changes,
 * and everything when the configuration changes, after a flush, or after a gap.
 *
 * While the connection is known to be lost, the cache is not used. A connection that hangs is
 * detected by `PING` (option `heartbeat`, 20 s by default). Until then, answers may be old.
 *
 * `notify-keyspace-events KA`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

/** Returns a function that reads products through the cache, until `options.signal` aborts. */
export async function openCache(
  url: string,
  redis: Redis,
  tell: (line: string) => unknown,
  options: ConnectOptions = {},
): Promise<(id: string) => Promise<string | null>> {
  // Promises, not values: a product that changes while it is loaded must not be kept.
  const products = new Map<string, Promise<string | null>>();
  const forget = (id: string, why: string) =>
    void (products.delete(id) && tell(`${why} · forgot product ${id}`));
  const forgetAll = (why: string) => {
    products.clear();
    tell(`${why} · forgot everything`);
  };
  const notifications = await connect(url, {
    ...options,
    flushes: true,
    onFlush: () => forgetAll("flush"),
    onGap: ({ reason }) => forgetAll(reason),
  });
  await notifications.subscribeKeyspace("product:*", {
    handler: ({ key, eventType }) => forget(key.slice("product:".length), `${eventType} ${key}`),
  });
  await notifications.subscribeKeyspace("price:*", {
    handler: ({ key, eventType }) => forget(key.slice("price:".length), `${eventType} ${key}`),
  });
  await notifications.subscribeKeyspace("config:*", {
    handler: ({ key, eventType }) => forgetAll(`${eventType} ${key}`),
  });

  async function load(id: string): Promise<string | null> {
    const [name, price] = await redis.mGet([`product:${id}`, `price:${id}`]);
    return name == null ? null : `${name}, ${price ?? "no price"}`;
  }
  return (id) => {
    if (!notifications.health().ok) return load(id);
    const known = products.get(id);
    if (known) return known;
    const loading = load(id);
    products.set(id, loading);
    loading.catch(() => products.delete(id));
    return loading;
  };
}

if (import.meta.main) {
  const get = await openCache(REDIS_URL, await openRedis(), console.log);
  console.log(`product 7 is ${await get("7")}`);
  setInterval(() => get("7").catch(console.error), 50); // Only after a change is this a round trip.
}
