/**
 * Watches from a Worker. A Durable Object holds the connection, because a Worker ends with its
 * request. It keeps the latest notifications and gaps: `/` returns them, `/health` returns the state.
 *
 * The platform may evict the object, and an alarm brings it back. The object stores until when it has
 * missed nothing, so after a restart it reports that gap itself.
 *
 * `npx wrangler dev` runs it with `wrangler.jsonc`. `notify-keyspace-events KA`. Everybody who can
 * reach the Worker can read the keys, so put authentication in front of it.
 *
 * @module
 */

import { connect, type Health, type KeyspaceNotificationsInterface } from "@keywatch/keywatch";

/** How long after an alarm the next one comes, in ms. */
const ALARM = 30_000;
/** If `health()` is ok, a `PING` was answered within this time, in ms. */
const HEARTBEAT = 20_000;
/** How many items are kept. */
const KEPT = 100;

/** A notification or a gap as it is kept. */
export type Item =
  | { kind: "event"; event: string; key: string; at: number }
  | { kind: "gap"; reason: string; from: number; to: number };

// The types of Workers that this uses. `wrangler types` has all of them.
interface State {
  readonly storage: {
    get<T>(key: string): Promise<T | undefined>;
    put(entries: Record<string, unknown>): Promise<void>;
    setAlarm(time: number): Promise<void>;
  };
  blockConcurrencyWhile(work: () => Promise<void>): void;
}

/** What `wrangler.jsonc` binds. */
export interface Env {
  readonly WATCHER: { getByName(name: string): { fetch(request: Request): Promise<Response> } };
  readonly REDIS_URL: string;
}

/** The Durable Object. */
export class Watcher {
  readonly #storage: State["storage"];
  readonly #url: string;
  #items: Item[] = [];
  /** Nothing was missed until this time. */
  #seen: number | undefined;
  #watching: Promise<void> | null = null;
  #health = (): Health => ({ ok: false, reason: "not started" });

  constructor(state: State, { REDIS_URL }: Env) {
    const { storage } = state;
    this.#storage = storage;
    this.#url = REDIS_URL;
    state.blockConcurrencyWhile(async () => {
      this.#items = await storage.get<Item[]>("items") ?? [];
      this.#seen = await storage.get<number>("seen");
    });
  }

  /** Begins to watch, unless it watches. Each request and each alarm calls it. */
  async #start(): Promise<void> {
    await this.#storage.setAlarm(Date.now() + ALARM);
    await (this.#watching ??= this.#watch().catch((error) => this.#stop(error)));
  }

  #stop(reason: unknown): void {
    this.#watching = null;
    this.#health = () => ({ ok: false, reason: String(reason) });
  }

  async #watch(): Promise<void> {
    const notifications = await connect(this.#url);
    try {
      await notifications.subscribeKeyspace("*");
    } catch (error) {
      await notifications.close();
      throw error;
    }
    const [from, to] = [this.#seen, Date.now()];
    if (from !== undefined) await this.#keep({ kind: "gap", reason: "restarted", from, to });
    this.#health = () => notifications.health();
    // It continues after the request, because the object lives longer.
    this.#read(notifications).then(() => this.#stop("closed"), (error) => this.#stop(error));
  }

  async #read(notifications: KeyspaceNotificationsInterface): Promise<void> {
    for await (const item of notifications.listen({ gaps: true })) {
      if (item.kind === "gap") {
        const { kind, reason, from, to } = item;
        await this.#keep({ kind, reason, from, to });
      } else {
        const { eventType: event, key, timestamp: at } = item;
        await this.#keep({ kind: "event", event, key, at });
      }
    }
  }

  async #keep(item: Item): Promise<void> {
    console.log(item.kind === "gap" ? `gap · ${item.reason}` : `${item.event} ${item.key}`);
    this.#items = [...this.#items, item].slice(-KEPT);
    this.#seen = item.kind === "gap" ? item.to : item.at;
    await this.#storage.put({ items: this.#items, seen: this.#seen });
  }

  /** Answers `/` and `/health`. */
  async fetch(request: Request): Promise<Response> {
    await this.#start();
    if (new URL(request.url).pathname !== "/health") return Response.json(this.#items);
    const health = this.#health();
    return Response.json(health, { status: health.ok ? 200 : 503 });
  }

  /** Comes every half minute, also after the object was evicted. */
  async alarm(): Promise<void> {
    if (this.#health().ok) {
      this.#seen = Math.max(this.#seen ?? 0, Date.now() - HEARTBEAT);
      await this.#storage.put({ seen: this.#seen });
    }
    await this.#start();
  }
}

/** The Worker: one object for all requests. */
export default {
  fetch(request: Request, { WATCHER }: Env): Promise<Response> {
    return WATCHER.getByName("redis").fetch(request);
  },
};
