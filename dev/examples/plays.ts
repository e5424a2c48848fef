import { claim, offer } from "../../examples/coupon_closing.ts";
import { addPoints } from "../../examples/daily_leaderboard.ts";
import { schedule } from "../../examples/delayed_tasks.ts";
import { setScheduled, setWithMetadata, setWithShadow } from "../../examples/expired_values.ts";
import { payOrder, placeOrder } from "../../examples/order_timeout.ts";
import type { Redis } from "../../examples/redis.ts";
import { logIn } from "../../examples/session_expiry.ts";
import { live } from "./life.ts";
import { sleep, type TestServer } from "../../tests/servers/mod.ts";

/** What happens on a private server while an example watches it. */
export interface Play {
  /** The server's `notify-keyspace-events`; without them it is one that does not know `CONFIG`. */
  readonly flags: string | null;
  /** Whether it is a cluster in place of one server. */
  readonly cluster?: true;
  /** What the example must have printed at the end, each of it in some line. */
  readonly shows: readonly string[];
  /**
   * What happens once it watches.
   *
   * @param redis a client of the server, or of a cluster's first node
   */
  act?(redis: Redis, servers: readonly TestServer[]): Promise<unknown>;
  /** In its place, what goes on until Ctrl-C, for somebody who looks at it in a browser. */
  live?(servers: readonly TestServer[], signal: AbortSignal): Promise<void>;
}

/** The plays of the examples that watch one server, by the name of their file. */
export const PLAYS: Readonly<Record<string, Play>> = {
  expired: {
    flags: "Ex",
    act: (redis) => redis.set("greeting", "hello", { PX: 100 }),
    shows: ["greeting has expired in database 0"],
  },
  one_connection: {
    flags: "KA",
    act: (redis) => redis.set("greeting", "hello"),
    shows: ["set greeting"],
  },
  session_expiry: {
    flags: "Exg",
    act: async (redis) => {
      await logIn(redis, "f00d", "Ana", 100);
      await logIn(redis, "cafe", "Ben", 60_000);
      await redis.del("session:cafe");
    },
    shows: ["Ana has been logged out", "Ben has been logged out"],
  },
  cache_invalidation: {
    flags: "KA",
    act: async (redis) => {
      for (const key of ["product:7", "price:7", "config:currency"]) {
        await redis.set(key, "new");
        // Until it has been asked for and kept again.
        await sleep(300);
      }
    },
    shows: ["forgot product:7: set", "forgot product:7: its price", "forgot everything: config:"],
  },
  lock_monitor: {
    flags: "Kg$x",
    act: async (redis) => {
      await redis.set("lock:report", "worker 1", { NX: true, PX: 60_000 });
      await sleep(150);
      await redis.del("lock:report");
      await redis.set("lock:invoice", "worker 2", { NX: true, PX: 100 });
    },
    shows: ["lock:report given back", "lock:invoice taken", "lock:invoice expired after"],
  },
  order_timeout: {
    flags: "Ex",
    act: async (redis) => {
      await placeOrder(redis, "1001", 200);
      await placeOrder(redis, "1002", 200);
      await payOrder(redis, "1002");
    },
    shows: ["order 1001 was not paid in time: cancelled"],
  },
  coupon_closing: {
    flags: "Ex",
    act: async (redis) => {
      await offer(redis, "SUMMER", 2, 300);
      for (const user of ["Ana", "Ben", "Cem"]) await claim(redis, "SUMMER", user);
    },
    shows: ["coupon SUMMER is closed; claimed by Ana, Ben"],
  },
  dashboard: {
    flags: "KA",
    cluster: true,
    live,
    shows: ["http://127.0.0.1:"],
  },
  database_cache: {
    flags: "KA",
    act: async (redis) => {
      await redis.set("product:7", "something else");
      await redis.del("product:8");
      await redis.set("product:9", "nothing of the database's");
    },
    shows: ['product:7 is now {"name":"Lamp"', "product:8 is now {", "product:9 is now gone"],
  },
  delayed_tasks: {
    flags: "Ex",
    act: async (redis) => {
      await schedule(redis, "b", "and then this", 300);
      await schedule(redis, "a", "first this", 100);
    },
    shows: ["task a: first this", "task b: and then this"],
  },
  stock_alerts: {
    flags: "KA",
    act: async (redis) => {
      await redis.set("stock:lamp", 12);
      await redis.decrBy("stock:lamp", 5);
      await redis.hSet("config:shop", "currency", "EUR");
      // Until it has looked: of changes in quick succession it tells as of one.
      await sleep(300);
      await redis.hSet("config:shop", "currency", "CHF");
    },
    shows: ["only 7 of lamp left", "shop.currency: EUR is now CHF"],
  },
  daily_leaderboard: {
    flags: "Ex",
    act: async (redis) => {
      // Days of a second, so that one ends while you look.
      for (const [player, points] of [["Ana", 30], ["Ben", 50]] as const) {
        await addPoints(redis, player, points, 1_000);
      }
    },
    shows: ["is over; it was won by"],
  },
  expired_values: {
    flags: "Ex",
    act: async (redis) => {
      await setWithShadow(redis, "cart:1", "two lamps", 100);
      await setScheduled(redis, "cart:2", "a chair", 100);
      await setWithMetadata(redis, "cart:3", "(a picture)", 100, { owner: "Ana" });
    },
    shows: ['it was "two lamps"', 'it was "a chair"', 'it was {"owner":"Ana"}'],
  },
  only_once: {
    flags: "Ex",
    act: async (redis) => {
      for (const key of ["one", "two", "three"]) await redis.set(key, "", { PX: 100 });
    },
    shows: ["one has expired: handled by", "two has expired: h", "three has expired: h"],
  },
  reliable_bridge: {
    flags: "Ex",
    act: (redis) => redis.set("cart:1", "", { PX: 100 }),
    shows: ["a gap: the bridge was started", "cart:1 expired"],
  },
  health_endpoint: {
    flags: "KA",
    act: () => Promise.resolve(),
    shows: ["/health, /status and /metrics"],
  },
  durable_object: {
    flags: "KA",
    act: async (redis) => {
      await redis.set("greeting", "hello", { PX: 100 });
      await redis.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]);
    },
    shows: ["/ and /health", '"event":"expired","key":"greeting"', '"reason":"disconnected"'],
  },
  early_filtering: {
    flags: "Kgx",
    act: async (redis) => {
      for (let i = 0; i < 100; i++) await redis.set(`page:${i}`, "", { PX: 60_000 });
      await redis.set("session:cafe", "", { PX: 100 });
    },
    shows: ["needs notify-keyspace-events gxK", "session cafe has ended; 2 received, 2 handled"],
  },
  cluster_nodes: {
    flags: "Kg$x",
    cluster: true,
    act: async (_redis, servers) => {
      for (const server of servers) {
        for (const key of ["session:ana", "session:ben", "session:eve", "session:kim"]) {
          // Each of them belongs to one node; the others say so.
          await server.command("SET", key, "", "PX", 200).catch(() => {});
        }
      }
    },
    shows: [
      "watching 127.0.0.1:",
      "set session:ana, slot 7403",
      "expired session:eve",
      "; 0 sess",
    ],
  },
  discover_node_redis: {
    flags: "",
    cluster: true,
    shows: ["owns 0-5460", "owns 5461-10922", "user:1 is in slot 10778, of 127.0.0.1:"],
  },
  discover_sockets: {
    flags: "",
    cluster: true,
    shows: ["replicas: 0-5460", "replicas: 10923-16383"],
  },
  managed_service: {
    flags: null,
    act: (redis) => redis.set("greeting", "hello", { PX: 100 }),
    shows: ["its flags: unknown", "notifications come", "greeting has expired"],
  },
  snapshot_stream: {
    flags: "KA",
    act: async (redis) => {
      await redis.hSet("user:1", { name: "Ana" });
      await redis.hSet("user:1", { name: "Anna" });
      await redis.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]);
    },
    shows: ['user:1 is now {"name":"Anna"}', "gap, disconnected: loaded 1 users"],
  },
};
