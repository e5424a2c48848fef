/**
 * Reports when the stock of an item falls below a threshold, and when a field of a configuration
 * changes.
 *
 * A notification only says where to look. The report compares the value with the last one that was
 * seen. So after a gap, everything is compared, and what has changed is reported. Only a change that
 * was undone within the gap is missed.
 *
 * `notify-keyspace-events KA`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

/** Watches `stock:<item>` and the hashes `config:<name>` until `options.signal` aborts. */
export async function watchStock(
  url: string,
  redis: Redis,
  threshold: number,
  tell: (line: string) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  const stocks = new Map<string, number>();
  const settings = new Map<string, Record<string, string>>();

  async function lookAtStock(key: string): Promise<void> {
    const before = stocks.get(key) ?? Infinity;
    const left = Number(await redis.get(key) ?? Infinity);
    stocks.set(key, left);
    if (left < threshold && before >= threshold) tell(`${key} is low · ${left} left`);
  }
  async function lookAtConfig(key: string): Promise<void> {
    const before = settings.get(key);
    const after = { ...await redis.hGetAll(key) };
    settings.set(key, after);
    for (const field of Object.keys({ ...before, ...after })) {
      const [was = "unset", is = "unset"] = [before?.[field], after[field]];
      if (was !== is && hasStarted) tell(`${key} ${field} · was ${was}, is ${is}`);
    }
  }
  const look = (key: string) => key.startsWith("stock:") ? lookAtStock(key) : lookAtConfig(key);
  async function lookAtAll(reason: string): Promise<void> {
    const keys = new Set([...stocks.keys(), ...settings.keys()]);
    for (const MATCH of ["stock:*", "config:*"]) {
      for await (const found of redis.scanIterator({ MATCH })) {
        for (const key of found) keys.add(key);
      }
    }
    for (const key of keys) await look(key);
    tell(`${reason} · compared ${keys.size} keys · caught up`);
  }

  let hasStarted = false;
  await using notifications = await connect(url, options);
  await notifications.subscribeKeyspace("stock:*");
  await notifications.subscribeKeyspace("config:*");
  await lookAtAll("started");
  hasStarted = true;
  for await (const item of notifications.listen({ gaps: true })) {
    await (item.kind === "gap" ? lookAtAll(item.reason) : look(item.key));
  }
}

if (import.meta.main) await watchStock(REDIS_URL, await openRedis(), 10, console.log);
