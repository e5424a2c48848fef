/**
 * Keeps a cache in memory that forgets what changes on the server, by several patterns: a product
 * when it changes, a product when its price does, and everything when the configuration does.
 *
 * What changes in a gap is not known, so a gap forgets everything, and so does a flush. While the connection is known to
 * be lost, nothing is answered from memory; one that hangs without a word is found out by `PING`, and until
 * then (`heartbeat`, 20 s unless set) what is cached may be old.
 *
 * `notify-keyspace-events KA`
 *
 * @module
 */

import { connect } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

/** Reads products through memory. */
export class ProductCache implements AsyncDisposable {
  readonly #redis: Redis;
  /** The promises, not the values: what changes while it is being loaded must not be kept. */
  readonly #products = new Map<string, Promise<string | null>>();
  /** Whether it is told of changes now. */
  #current = false;
  /** Ends the subscription. */
  readonly #closing = new AbortController();

  private constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Subscribes, and then keeps what it loads. */
  static async open(
    url: string,
    redis: Redis,
    forgotten: (what: string, why: string) => unknown,
  ): Promise<ProductCache> {
    const cache = new ProductCache(redis);
    const products = cache.#products;
    const notifications = await connect(url, {
      signal: cache.#closing.signal,
      flushes: true,
      onFlush: () => {
        products.clear();
        forgotten("everything", "a flush");
      },
      onGap: ({ reason }) => {
        products.clear();
        forgotten("everything", reason);
      },
      onStatus: ({ state }) => {
        cache.#current = state === "ready";
      },
    });
    const forget = (key: string, why: string) => {
      if (products.delete(key)) forgotten(key, why);
    };
    await notifications.subscribeKeyspace("product:*", {
      handler: ({ key, eventType }) => forget(key, eventType),
    });
    await notifications.subscribeKeyspace("price:*", {
      handler: ({ key }) => forget(key.replace("price:", "product:"), "its price"),
    });
    await notifications.subscribeKeyspace("config:*", {
      handler: ({ key }) => {
        products.clear();
        forgotten("everything", key);
      },
    });
    cache.#current = notifications.health().ok;
    return cache;
  }

  /** A product, with its price, from memory if it has not changed since it was last loaded. */
  get(id: string): Promise<string | null> {
    if (!this.#current) return this.#load(id);
    const key = `product:${id}`;
    const known = this.#products.get(key);
    if (known) return known;
    const loading = this.#load(id);
    this.#products.set(key, loading);
    loading.catch(() => this.#products.delete(key));
    return loading;
  }

  async #load(id: string): Promise<string | null> {
    const [name, price] = await this.#redis.mGet([`product:${id}`, `price:${id}`]);
    return name == null ? null : `${name}, ${price ?? "no price"}`;
  }

  /** Ends the subscription, and forgets everything. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#current = false;
    this.#products.clear();
    return Promise.resolve();
  }
}

if (import.meta.main) {
  const cache = await ProductCache.open(REDIS_URL, await openRedis(), (what, why) => {
    console.log(`forgot ${what}: ${why}`);
  });
  console.log(`product 7 is ${await cache.get("7")}`);
  // Somebody asks for it again and again; only after a change does that cost a round trip.
  setInterval(() => cache.get("7"), 50);
}
