/**
 * Keeps `product:<id>` on the server as the database has it: SQLite holds the truth, the server a
 * copy that many read. Whoever changes the database deletes the copy, as ever; this fills it again,
 * and puts right what somebody else wrote there, evicted or let expire.
 *
 * It compares before it writes. So what it writes itself makes one more notification and then
 * nothing, a notification too many does no harm, and after a gap or a flush, as at the start, it is
 * enough to compare everything.
 *
 * `notify-keyspace-events KA`
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

const PREFIX = "product:";

/** A database of products. */
export class Products implements Disposable {
  readonly #database: DatabaseSync;

  constructor(file: string = ":memory:") {
    this.#database = new DatabaseSync(file);
    this.#database.exec(
      "CREATE TABLE IF NOT EXISTS product (id TEXT PRIMARY KEY, name TEXT, price INTEGER) STRICT",
    );
  }

  /** The ids of all products. */
  ids(): string[] {
    return this.#database.prepare("SELECT id FROM product").all().map(({ id }) => String(id));
  }

  /** A product as the server is to have it; null if there is none. */
  text(id: string): string | null {
    const row = this.#database.prepare("SELECT name, price FROM product WHERE id = ?").get(id);
    return row === undefined ? null : JSON.stringify(row);
  }

  /** Puts a product into the database, or changes it. */
  put(id: string, name: string, price: number): void {
    this.#database.prepare("INSERT OR REPLACE INTO product VALUES (?, ?, ?)").run(id, name, price);
  }

  /** Takes a product out of the database. */
  remove(id: string): void {
    this.#database.prepare("DELETE FROM product WHERE id = ?").run(id);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

/** Keeps the copies right, until it is closed by `options.signal`. */
export async function keepCopies(
  url: string,
  redis: Redis,
  products: Products,
  written: (key: string, text: string | null) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  async function compare(key: string): Promise<void> {
    const right = products.text(key.slice(PREFIX.length));
    const type = await redis.type(key);
    const copy = type === "string" ? await redis.get(key) : null;
    if (copy === right && (right !== null || type === "none")) return;
    await (right === null ? redis.del(key) : redis.set(key, right));
    await written(key, right);
  }
  async function compareAll(): Promise<void> {
    const keys = new Set(products.ids().map((id) => PREFIX + id));
    for await (const some of redis.scanIterator({ MATCH: `${PREFIX}*` })) {
      for (const key of some) keys.add(key);
    }
    for (const key of keys) await compare(key);
  }

  await using notifications = await connect(url, { ...options, flushes: true });
  await notifications.subscribeKeyspace(`${PREFIX}*`);
  await compareAll();
  for await (const item of notifications.listen({ gaps: true, flushes: true })) {
    if (item.kind === "gap" || item.kind === "flush") await compareAll();
    else await compare(item.key);
  }
}

if (import.meta.main) {
  using products = new Products();
  products.put("7", "Lamp", 1900);
  products.put("8", "Chair", 4900);
  await keepCopies(REDIS_URL, await openRedis(), products, (key, text) => {
    console.log(`${key} is now ${text ?? "gone"}`);
  });
}
