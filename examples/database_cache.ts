/**
 * Keeps `product:<id>` on the server equal to the rows of a database (SQLite). A program that changes
 * the database deletes the key, and this example writes it again. It also corrects keys that
 * somebody else changed, or that expired or were evicted.
 *
 * It compares before it writes. So its own write causes one more notification and then nothing, and
 * after a gap or a flush it compares everything.
 *
 * `notify-keyspace-events KA`
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

/** Opens a database with an empty table `product`. */
export function openDatabase(): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE product (id TEXT PRIMARY KEY, name TEXT, price INTEGER) STRICT");
  return database;
}

/** Keeps the copies right until `options.signal` aborts. */
export async function keepCopies(
  url: string,
  redis: Redis,
  database: DatabaseSync,
  tell: (line: string) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  const rowOf = database.prepare("SELECT name, price FROM product WHERE id = ?");
  async function compare(key: string): Promise<void> {
    const row = rowOf.get(key.slice("product:".length));
    const right = row === undefined ? null : JSON.stringify(row);
    const type = await redis.type(key);
    const copy = type === "string" ? await redis.get(key) : null;
    if (copy === right && (right !== null || type === "none")) return;
    await (right === null ? redis.del(key) : redis.set(key, right));
    tell(right === null ? `deleted ${key}` : `wrote ${key} · ${right}`);
  }
  async function compareAll(reason: string): Promise<void> {
    const rows = database.prepare("SELECT id FROM product").all();
    const keys = new Set(rows.map(({ id }) => `product:${id}`));
    for await (const found of redis.scanIterator({ MATCH: "product:*" })) {
      for (const key of found) keys.add(key);
    }
    for (const key of keys) await compare(key);
    tell(`${reason} · compared ${keys.size} products · caught up`);
  }

  await using notifications = await connect(url, { ...options, flushes: true });
  await notifications.subscribeKeyspace("product:*");
  await compareAll("started");
  for await (const item of notifications.listen({ gaps: true, flushes: true })) {
    if (item.kind === "gap") await compareAll(item.reason);
    else if (item.kind === "flush") await compareAll("flush");
    else await compare(item.key);
  }
}

if (import.meta.main) {
  using database = openDatabase();
  database.exec("INSERT INTO product VALUES ('7', 'Lamp', 1900), ('8', 'Chair', 4900)");
  await keepCopies(REDIS_URL, await openRedis(), database, console.log);
}
