/**
 * Alerts when stock runs low, and when a configuration changes: once each time a stock falls below
 * the threshold, and for each field of a configuration with what it was and what it is.
 *
 * Each notification only says where to look; what is told comes from the value there, laid against
 * the last that was seen. So a gap costs at most what came and went within it: after it, everything
 * is looked at, and what differs is told.
 *
 * `notify-keyspace-events KA`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

/** What is told. */
export interface Alerts {
  /** The stock of an item, `stock:<item>`, has fallen below the threshold. */
  low(item: string, left: number): unknown;
  /** A field of a configuration, the hash `config:<name>`, has changed; null where there is none. */
  changed(name: string, field: string, before: string | null, after: string | null): unknown;
}

/**
 * Watches until it is closed by `options.signal`. At the start it tells what is low, and only notes
 * the configuration.
 */
export async function watchStock(
  url: string,
  redis: Redis,
  threshold: number,
  alerts: Alerts,
  options: ConnectOptions = {},
): Promise<void> {
  const low = new Set<string>();
  const settings = new Map<string, Record<string, string>>();

  async function lookAtStock(key: string): Promise<void> {
    const left = Number(await redis.get(key) ?? Infinity);
    if (left >= threshold) low.delete(key);
    else if (!low.has(key)) {
      low.add(key);
      await alerts.low(key.slice("stock:".length), left);
    }
  }
  async function lookAtConfig(key: string, tell: Alerts["changed"]): Promise<void> {
    const before = settings.get(key) ?? {};
    const after = { ...await redis.hGetAll(key) };
    settings.set(key, after);
    for (const field of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const [was, is] = [before[field] ?? null, after[field] ?? null];
      if (was !== is) await tell(key.slice("config:".length), field, was, is);
    }
  }
  async function look(key: string, tell: Alerts["changed"] = alerts.changed): Promise<void> {
    await (key.startsWith("stock:") ? lookAtStock(key) : lookAtConfig(key, tell));
  }
  async function lookAtAll(tell: Alerts["changed"] = alerts.changed): Promise<void> {
    const keys = new Set([...low, ...settings.keys()]);
    for (const MATCH of ["stock:*", "config:*"]) {
      for await (const found of redis.scanIterator({ MATCH })) {
        found.forEach((key) => keys.add(key));
      }
    }
    for (const key of keys) await look(key, tell);
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyspace("stock:*");
  await notifications.subscribeKeyspace("config:*");
  await lookAtAll(() => {});
  for await (const item of notifications.listen({ gaps: true })) {
    await (item.kind === "gap" ? lookAtAll() : look(item.key));
  }
}

if (import.meta.main) {
  await watchStock(REDIS_URL, await openRedis(), 10, {
    low: (item, left) => console.log(`only ${left} of ${item} left`),
    changed: (name, field, before, after) =>
      console.log(`${name}.${field}: ${before ?? "unset"} is now ${after ?? "unset"}`),
  });
}
