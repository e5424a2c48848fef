/**
 * Watches from a Worker: a Durable Object holds the connection, because a Worker by itself ends with
 * its request, and keeps what came last, gaps too. `/` has it as JSON, `/health` says how it stands.
 *
 * A Durable Object can be put away or moved at any time. An alarm brings it back, and since nobody
 * else could, it reports that gap itself: from when it last knew that it missed nothing, which it
 * writes down, until it watches again.
 *
 * `npx wrangler dev` runs it here, `npx wrangler deploy` at Cloudflare; `wrangler.jsonc` has what it
 * needs. `notify-keyspace-events KA`. Anyone who can reach the Worker can read the keys: put an
 * authentication before it, such as Cloudflare Access.
 *
 * @module
 */

import { connect, type Health, type KeyspaceNotificationsInterface } from "@keywatch/keywatch";

/** How long after an alarm to set the next, in ms. */
const ALARM = 30_000;
/** `health()` being well means that a `PING` was answered since then, in ms. */
const HEARTBEAT = 20_000;
/** How many items are kept. */
const KEPT = 100;

/** A notification or gap as it is kept. */
export type Item =
  | { kind: "event"; event: string; key: string; at: number }
  | { kind: "gap"; reason: string; from: number; to: number };

// What this uses of the types of Workers, which `wrangler types` has in full.
interface Storage {
  get<T>(key: string): Promise<T | undefined>;
  put(entries: Record<string, unknown>): Promise<void>;
  setAlarm(time: number): Promise<void>;
}
interface State {
  readonly storage: Storage;
  blockConcurrencyWhile(work: () => Promise<void>): void;
}
interface Namespace {
  getByName(name: string): { fetch(request: Request): Promise<Response> };
}

/** What `wrangler.jsonc` binds. */
export interface Env {
  readonly WATCHER: Namespace;
  readonly REDIS_URL: string;
}

/** The Durable Object. */
export class Watcher {
  readonly #storage: Storage;
  readonly #url: string;
  #items: Item[] = [];
  #notifications: KeyspaceNotificationsInterface | null = null;
  #starting: Promise<void> | null = null;
  #problem = "it has not been started";

  constructor(state: State, { REDIS_URL }: Env) {
    this.#storage = state.storage;
    this.#url = REDIS_URL;
    state.blockConcurrencyWhile(async () => {
      this.#items = await state.storage.get<Item[]>("items") ?? [];
    });
  }

  /** Watches if it does not; called by each request and each alarm. */
  async #start(): Promise<void> {
    await this.#storage.setAlarm(Date.now() + ALARM);
    if (this.#notifications) return;
    this.#starting ??= this.#connect().finally(() => this.#starting = null);
    await this.#starting;
  }

  async #connect(): Promise<void> {
    try {
      const notifications = await connect(this.#url);
      await notifications.subscribeKeyspace("*");
      this.#notifications = notifications;
      const seen = await this.#storage.get<number>("seen");
      const to = Date.now();
      if (seen !== undefined) {
        await this.#keep({ kind: "gap", reason: "restarted", from: seen, to });
      }
      // It goes on when the request is over: the object, not the request, lives as long.
      this.#read(notifications).catch((error) => this.#problem = String(error)).finally(() => {
        this.#notifications = null;
      });
    } catch (error) {
      this.#problem = String(error);
    }
  }

  async #read(notifications: KeyspaceNotificationsInterface): Promise<void> {
    for await (const item of notifications.listen({ gaps: true })) {
      const { kind } = item;
      if (kind === "gap") {
        const { reason, from, to } = item;
        await this.#keep({ kind, reason, from, to });
      } else {
        const { eventType, key, timestamp } = item;
        await this.#keep({ kind: "event", event: eventType, key, at: timestamp });
      }
    }
  }

  async #keep(item: Item): Promise<void> {
    this.#items = [...this.#items, item].slice(-KEPT);
    const seen = item.kind === "gap" ? item.to : item.at;
    await this.#storage.put({ items: this.#items, seen });
  }

  #health(): Health {
    return this.#notifications?.health() ?? { ok: false, reason: this.#problem };
  }

  /** Answers `/` and `/health`. */
  async fetch(request: Request): Promise<Response> {
    await this.#start();
    if (new URL(request.url).pathname !== "/health") return Response.json(this.#items);
    const health = this.#health();
    return Response.json(health, { status: health.ok ? 200 : 503 });
  }

  /** Comes every half minute, also after the object was put away. */
  async alarm(): Promise<void> {
    if (this.#health().ok) {
      const seen = await this.#storage.get<number>("seen") ?? 0;
      await this.#storage.put({ seen: Math.max(seen, Date.now() - HEARTBEAT) });
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
