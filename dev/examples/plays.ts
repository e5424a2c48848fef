import { claim, offer } from "../../examples/coupon_closing.ts";
import { addPoints } from "../../examples/daily_leaderboard.ts";
import { schedule } from "../../examples/delayed_tasks.ts";
import { setScheduled, setWithCopy } from "../../examples/expired_values.ts";
import { placeOrder, settle } from "../../examples/order_timeout.ts";
import type { Redis } from "../../examples/redis.ts";
import { logIn } from "../../examples/session_expiry.ts";
import { live } from "./life.ts";
import { sleep, type TestServer } from "../../tests/servers/mod.ts";

/** What happens on a private server while an example watches it. */
export interface Play {
  /** The server's `notify-keyspace-events`. Null for a server that does not know `CONFIG`. */
  readonly flags: string | null;
  /** Whether it is a cluster in place of one server. */
  readonly cluster?: true;
  /** What the example must have printed at the end, each in some line. */
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

/** Longer than any example runs, in ms. */
const LONG = 600_000;

/** As long as an example may take to handle what has happened, in ms. */
const A_MOMENT = 300;

/**
 * Kills the connection of the example, and sends commands before it can be back: the example misses
 * their events.
 */
async function cutOff(redis: Redis, ...commands: string[]): Promise<void> {
  await sleep(A_MOMENT);
  console.log(`-- connection killed; meanwhile: ${commands.join("; ") || "nothing"}`);
  const all = ["CLIENT KILL TYPE pubsub", ...commands];
  await Promise.all(all.map((command) => redis.sendCommand(command.split(" "))));
}

/** The plays of the examples, by the name of their file. */
export const PLAYS: Readonly<Record<string, Play>> = {
  expired: {
    flags: "Ex",
    act: async (redis) => {
      await redis.set("greeting", "hello", { PX: 100 });
      await cutOff(redis);
    },
    shows: ["greeting expired in database 0", "disconnected for"],
  },
  one_connection: {
    flags: "KA",
    act: async (redis) => {
      await redis.set("greeting", "hello");
      await cutOff(redis);
    },
    shows: ["set greeting", "from here on, everything is missed"],
  },
  session_expiry: {
    flags: "Exg",
    act: async (redis) => {
      await logIn(redis, "f00d", "Ana", 100);
      await logIn(redis, "cafe", "Ben", LONG);
      await redis.del("session:cafe");
      await logIn(redis, "beef", "Cem", LONG);
      await cutOff(redis, "DEL session:beef");
    },
    shows: ["Ana was logged out", "Ben was logged out", "disconnected · 1 missed · caught up"],
  },
  cache_invalidation: {
    flags: "KA",
    act: async (redis) => {
      for (const key of ["product:7", "price:7", "config:currency"]) {
        await redis.set(key, "new");
        // Until it has been read and is in the cache again.
        await sleep(A_MOMENT);
      }
      await cutOff(redis, "SET product:7 newer");
      await sleep(A_MOMENT);
      await redis.flushAll();
    },
    shows: [
      ...["set product:7 · forgot product 7", "set price:7 · forgot product 7"],
      ...["set config:currency · forgot everything", "disconnected · forgot everything"],
      "flush · forgot everything",
    ],
  },
  lock_monitor: {
    flags: "Kg$x",
    act: async (redis) => {
      await redis.set("lock:report", "worker 1", { NX: true, PX: LONG });
      await sleep(150);
      await redis.del("lock:report");
      await redis.set("lock:invoice", "worker 2", { NX: true, PX: 100 });
      await redis.set("lock:mail", "worker 3", { NX: true, PX: LONG });
      await cutOff(redis, "DEL lock:mail");
    },
    shows: [
      ...["lock:report taken by worker 1", "lock:report released", "lock:invoice expired"],
      ...["lock:mail ended in the gap", "disconnected · 0 locks held · caught up"],
    ],
  },
  order_timeout: {
    flags: "Ex",
    act: async (redis) => {
      await placeOrder(redis, "1001", 200);
      await placeOrder(redis, "1002", 200);
      await settle(redis, "1002", "paid");
      await placeOrder(redis, "1003", 1_000);
      await cutOff(redis, "DEL order:1003:unpaid");
    },
    shows: ["order 1001 was not paid in time · cancelled", "disconnected · 1 missed · caught up"],
  },
  coupon_closing: {
    flags: "Ex",
    act: async (redis) => {
      await offer(redis, "SUMMER", 2, 200);
      for (const user of ["Ana", "Ben", "Cem"]) await claim(redis, "SUMMER", user);
      await offer(redis, "WINTER", 2, LONG);
      await cutOff(redis, "DEL coupon:WINTER");
    },
    shows: [
      "coupon SUMMER is closed · claimed by Ana, Ben",
      "coupon WINTER is closed · claimed by nobody",
      "disconnected · 1 missed · caught up",
    ],
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
      await redis.set("product:9", "not in the database");
      await cutOff(redis, "DEL product:7");
      await sleep(A_MOMENT);
      await redis.flushAll();
    },
    shows: [
      ...['wrote product:7 · {"name":"Lamp"', "wrote product:8 · {", "deleted product:9"],
      ...["disconnected · compared 2 products · caught up", "flush · compared 2 products"],
    ],
  },
  delayed_tasks: {
    flags: "Ex",
    act: async (redis) => {
      await schedule(redis, "b", "and then this", 200);
      await schedule(redis, "a", "first this", 100);
      await schedule(redis, "c", "this in the gap", LONG);
      await cutOff(redis, "DEL task:c");
    },
    shows: [
      ...["task a is due · first this", "task b is due · and then this"],
      ...["task c is due · this in the gap", "disconnected · 1 missed · caught up"],
    ],
  },
  stock_alerts: {
    flags: "KA",
    act: async (redis) => {
      await redis.set("stock:lamp", 12);
      await redis.decrBy("stock:lamp", 5);
      await redis.hSet("config:shop", "currency", "EUR");
      // It reads the value after the notification, so quick changes look like one.
      await sleep(A_MOMENT);
      await redis.hSet("config:shop", "currency", "CHF");
      await cutOff(redis, "SET stock:lamp 20", "SET stock:chair 3");
    },
    shows: [
      ...["stock:lamp is low · 7 left", "config:shop currency · was EUR, is CHF"],
      ...["stock:chair is low · 3 left", "disconnected · compared 3 keys · caught up"],
    ],
  },
  daily_leaderboard: {
    flags: "Ex",
    act: async (redis) => {
      // Days of a second, so that one ends while you look.
      for (const [player, points] of [["Ana", 30], ["Ben", 50]] as const) {
        await addPoints(redis, player, points, 1_000);
      }
      await redis.zAdd("leaderboard:0", { score: 70, value: "Cem" });
      await cutOff(redis, "SADD leaderboard:days 0");
    },
    shows: ["winners: Ben (50), Ana (30)", "day 0 is over · winners: Cem (70)", "· caught up"],
  },
  expired_values: {
    flags: "Ex",
    act: async (redis) => {
      await setWithCopy(redis, "cart:1", "two lamps", 100);
      await setScheduled(redis, "cart:2", "a chair", 100);
      await setWithCopy(redis, "cart:3", "(a picture)", 100, { owner: "Ana" });
      await setWithCopy(redis, "cart:4", "a table", LONG);
      await cutOff(redis, "DEL cart:4");
    },
    shows: [
      ...['cart:1 expired · its copy is {"value":"two lamps"}', "its value was a chair"],
      ...['its copy is {"owner":"Ana"}', 'its copy is {"value":"a table"}'],
      "disconnected · caught up",
    ],
  },
  only_once: {
    flags: "Ex",
    act: async (redis) => {
      for (const key of ["one", "two", "three"]) await redis.set(key, "", { PX: 100 });
      await cutOff(redis);
    },
    shows: [
      ...["one expired · handled by", "two expired · handled by", "three expired · handled by"],
      "instances without a gap handle it",
    ],
  },
  reliable_bridge: {
    flags: "Ex",
    act: async (redis) => {
      await redis.set("cart:1", "", { PX: 100 });
      await cutOff(redis);
    },
    shows: [
      ...["gap · the bridge was started · check the keys", "expired cart:1 · handled"],
      "gap · disconnected · check the keys",
    ],
  },
  health_endpoint: {
    flags: "KA",
    act: (redis) => cutOff(redis),
    shows: ["/health, /status and /metrics", "disconnected for", "· ready"],
  },
  durable_object: {
    flags: "KA",
    act: async (redis) => {
      await redis.set("greeting", "hello", { PX: 100 });
      await cutOff(redis);
    },
    shows: ["/ and /health", '"event":"expired","key":"greeting"', '"reason":"disconnected"'],
  },
  early_filtering: {
    flags: "Kgx",
    act: async (redis) => {
      for (let i = 0; i < 100; i++) await redis.set(`page:${i}`, "", { PX: LONG });
      await redis.set("session:cafe", "", { PX: 100 });
      await cutOff(redis, "DEL session:none");
    },
    shows: [
      ...["the server needs notify-keyspace-events gxK", "disconnected for"],
      "expired cafe · 2 received, 1 handled",
    ],
  },
  cluster_nodes: {
    flags: "Kg$x",
    cluster: true,
    act: async (_redis, servers) => {
      const all = (...command: string[]) =>
        // A key belongs to one node. The others refuse it.
        Promise.all(servers.map((server) => server.command(...command).catch(() => {})));
      for (const name of ["ana", "ben", "eve"]) {
        await all("SET", `session:${name}`, "", "PX", "200");
      }
      await all("SET", "session:kim", "");
      await sleep(A_MOMENT);
      console.log("-- connections killed; meanwhile: DEL session:kim");
      await Promise.all([all("CLIENT", "KILL", "TYPE", "pubsub"), all("DEL", "session:kim")]);
    },
    shows: [
      ...["watching 127.0.0.1:", "set session:ana in slot 7403", "expired session:eve"],
      ...["disconnected · counted slots", "caught up · 0 sessions"],
    ],
  },
  discover_node_redis: {
    flags: "",
    cluster: true,
    shows: ["owns 0-5460", "owns 5461-10922", "user:1 is in slot 10778 of 127.0.0.1:"],
  },
  discover_sockets: {
    flags: "",
    cluster: true,
    shows: ["replicas: 0-5460", "replicas: 10923-16383"],
  },
  managed_service: {
    flags: null,
    act: async (redis) => {
      await redis.set("greeting", "hello", { PX: 100 });
      await cutOff(redis);
    },
    shows: ["flags unknown · notifications arrive", "greeting expired", "disconnected for"],
  },
  snapshot_stream: {
    flags: "KA",
    act: async (redis) => {
      await redis.hSet("user:1", { name: "Ana" });
      await redis.hSet("user:1", { name: "Anna" });
      await cutOff(redis, "HSET user:2 name Ben");
    },
    shows: ['hset user:1 · {"name":"Anna"}', "disconnected · loaded 2 users · caught up"],
  },
};
