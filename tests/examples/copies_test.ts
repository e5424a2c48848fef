import { assertEquals } from "@std/assert";
import { openCache } from "../../examples/cache_invalidation.ts";
import { keepCopies, openDatabase } from "../../examples/database_cache.ts";
import { keepCopy } from "../../examples/snapshot_stream.ts";
import { watchStock } from "../../examples/stock_alerts.ts";
import type { Redis } from "../../examples/redis.ts";
import { until } from "../servers/mod.ts";
import { Stage, watchers } from "./stage.ts";

Deno.test("cache_invalidation answers from memory until something changes, and reads again after a gap", async () => {
  await using stage = await Stage.open("KA");
  const { url, redis, server } = stage;
  const forgotten: string[] = [];
  await redis.mSet({ "product:7": "Lamp", "price:7": "19", "product:8": "Chair" });
  const { signal } = stage;
  const read = await openCache(url, redis, (line) => forgotten.push(line), { signal });
  const reads = async () => {
    const info = await redis.info("commandstats");
    return Number(/cmdstat_mget:calls=(\d+)/.exec(info)?.[1] ?? 0);
  };
  const get = async () => [await read("7"), await read("8")];

  assertEquals(await get(), ["Lamp, 19", "Chair, no price"]);
  assertEquals(await get(), ["Lamp, 19", "Chair, no price"]);
  assertEquals(await reads(), 2, "what is known is not read again");

  await redis.set("product:7", "Lantern");
  await until("it is forgotten", () => forgotten.length === 1);
  assertEquals(await get(), ["Lantern, 19", "Chair, no price"]);
  await redis.set("price:8", "49");
  await until("it is forgotten", () => forgotten.length === 2);
  assertEquals(await get(), ["Lantern, 19", "Chair, 49"]);
  assertEquals(await reads(), 4, "what has not changed is not read again");

  await redis.hSet("config:shop", "currency", "CHF");
  await until("all is forgotten", () => forgotten.length === 3);
  assertEquals(await get(), ["Lantern, 19", "Chair, 49"]);
  assertEquals(await reads(), 6);

  await stage.behindTheirBacks(["SET", "product:8", "Stool"]);
  await until("it is back", async () => forgotten.length === 4 && await watchers(server) === 1);
  assertEquals(await get(), ["Lantern, 19", "Stool, 49"]);

  await redis.flushAll();
  await until("all is forgotten", () => forgotten.length === 5);
  assertEquals(await get(), [null, null]);
  assertEquals(forgotten, [
    "set product:7 · forgot product 7",
    "set price:8 · forgot product 8",
    "hset config:shop · forgot everything",
    "disconnected · forgot everything",
    "flush · forgot everything",
  ]);
});

Deno.test("cache_invalidation keeps nothing that changed while it was read, nor while it is cut off", async () => {
  await using stage = await Stage.open("KA");
  const { url, redis } = stage;
  const forgotten: string[] = [];
  await redis.set("product:7", "old");
  // Its first answer is under way until it may come.
  let come = () => {};
  const underWay = new Promise<void>((resolve) => come = resolve);
  let reads = 0;
  const slow = {
    async mGet(keys: string[]) {
      const values = await redis.mGet(keys);
      if (reads++ === 0) await underWay;
      return values;
    },
  } as unknown as Redis;
  const { signal } = stage;
  const read = await openCache(url, slow, (line) => forgotten.push(line), { signal });
  const reading = read("7");
  await until("it has been read", () => reads === 1);
  await redis.set("product:7", "new");
  await until("the change is reported", () => forgotten.length === 1);
  come();
  assertEquals(await reading, "old, no price");
  assertEquals(await read("7"), "new, no price");
  assertEquals(reads, 2);

  // While the server is away, each question goes there, in vain; what is in memory would be there.
  await stage.kill();
  await until("nothing comes from memory", () => read("7").then(() => false, () => true));
});

Deno.test("database_cache puts the copies right, whatever happens to them", async () => {
  await using stage = await Stage.open("KA");
  const { url, redis } = stage;
  using database = openDatabase();
  const put = (id: string, name: string, price: number) =>
    database.prepare("INSERT OR REPLACE INTO product VALUES (?, ?, ?)").run(id, name, price);
  put("1", "Lamp", 1900);
  put("2", "Chair", 4900);
  const lamp = '{"name":"Lamp","price":1900}';
  const chair = '{"name":"Chair","price":4900}';
  await redis.set("product:9", "of a product that is gone");
  const written: string[] = [];
  const copies = async () => {
    const keys = (await redis.keys("product:*")).sort();
    return await Promise.all(keys.map(async (key) => `${key} ${await redis.get(key)}`));
  };
  const right = (expected: string[]) =>
    until(`the copies are ${expected}`, async () => {
      const found = await copies().catch(() => []);
      return found.join() === expected.join();
    });
  await stage.watch((options) => {
    return keepCopies(url, redis, database, (line) => {
      const [, key] = /^(?:wrote|deleted) (\S+)/.exec(line) ?? [];
      if (key !== undefined) written.push(key);
    }, options);
  });
  await right([`product:1 ${lamp}`, `product:2 ${chair}`]);
  assertEquals(written.length, 3);

  put("1", "Lamp", 1700);
  await redis.del("product:1");
  await redis.set("product:2", "somebody else's");
  await right(['product:1 {"name":"Lamp","price":1700}', `product:2 ${chair}`]);
  database.exec("DELETE FROM product WHERE id = '1'");
  await redis.del("product:1");
  await redis.lPush("product:3", "not even text");
  await right([`product:2 ${chair}`]);
  await redis.pExpire("product:2", 100);
  await until("what expired was written again", () => written.at(-1) === "product:2");
  await right([`product:2 ${chair}`]);

  put("4", "Table", 9900);
  await stage.behindTheirBacks(["SET", "product:2", "unseen"]);
  await right([`product:2 ${chair}`, 'product:4 {"name":"Table","price":9900}']);
  await redis.flushAll();
  await right([`product:2 ${chair}`, 'product:4 {"name":"Table","price":9900}']);
  const count = written.length;
  await redis.set("product:2", chair);
  await redis.del("product:4");
  await until("the last is right", () => written.length > count);
  assertEquals(written.slice(count), ["product:4"], "what is right is not written");
});

Deno.test("snapshot_stream's copy is what the server has, through changes and gaps", async () => {
  await using stage = await Stage.open("KA");
  const { url, redis, server } = stage;
  const copy = new Map<string, Record<string, string>>();
  const loads: string[] = [];
  await redis.hSet("user:before", { name: "Ana" });
  await stage.watch((options) =>
    keepCopy(url, redis, copy, (line) => {
      if (line.endsWith("caught up")) loads.push(line.split(" ")[0]!);
    }, options)
  );
  const same = () =>
    until("the copy is what the server has", async () => {
      const keys = await redis.keys("user:*");
      const there: [string, unknown][] = [];
      for (const key of keys.sort()) there.push([key, { ...await redis.hGetAll(key) }]);
      const here = [...copy].sort(([a], [b]) => a < b ? -1 : 1);
      return JSON.stringify(here) === JSON.stringify(there);
    });
  await same();
  for (let i = 0; i < 200; i++) {
    await redis.hSet(`user:${i % 20}`, { turn: String(i) });
    if (i % 3 === 0) await redis.del(`user:${(i * 7) % 20}`);
    if (i % 50 === 49) {
      await stage.behindTheirBacks(["DEL", "user:3"], ["HSET", "user:5", "turn", `unseen ${i}`]);
      await until("it is back", async () => await watchers(server) === 1);
    }
  }
  await same();
  await until("each gap had it load again", () => loads.length === 5);
  assertEquals(loads, ["started", ...Array(4).fill("disconnected")]);
});

Deno.test("stock_alerts reports each fall and each changed field, also those in a gap", async () => {
  await using stage = await Stage.open("KA");
  const { url, redis } = stage;
  const told: string[] = [];
  await redis.set("stock:door", 3);
  await redis.hSet("config:shop", { currency: "EUR", open: "9-17" });
  await stage.watch((options) =>
    watchStock(url, redis, 10, (line) => {
      if (!line.endsWith("caught up")) told.push(line);
    }, options)
  );
  const upTo = (count: number) => until(`${count} are reported`, () => told.length === count);
  await upTo(1);
  await redis.set("stock:lamp", 12);
  await redis.decrBy("stock:lamp", 3);
  await upTo(2);
  await redis.decr("stock:lamp");
  await redis.incrBy("stock:lamp", 20);
  await redis.hSet("config:shop", { currency: "CHF", open: "9-17" });
  await upTo(3);
  await redis.hDel("config:shop", "open");
  await upTo(4);

  await stage.behindTheirBacks(
    ["DECRBY", "stock:lamp", 25],
    ["HSET", "config:shop", "open", "8-18"],
    ["SET", "stock:door", 4],
  );
  await upTo(6);
  await redis.del("config:shop");
  await upTo(8);
  assertEquals([...told.slice(0, 4), ...told.slice(4, 6).sort(), ...told.slice(6).sort()], [
    "stock:door is low · 3 left",
    "stock:lamp is low · 9 left",
    "config:shop currency · was EUR, is CHF",
    "config:shop open · was 9-17, is unset",
    "config:shop open · was unset, is 8-18",
    "stock:lamp is low · 3 left",
    "config:shop currency · was CHF, is unset",
    "config:shop open · was 8-18, is unset",
  ]);
});
