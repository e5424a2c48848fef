import { assert, assertEquals } from "@std/assert";
import { startWorker } from "../../dev/examples/worker.ts";
import * as module from "../../examples/durable_object/worker.ts";
import { until } from "../servers/mod.ts";
import { Stage, watchers } from "./stage.ts";

Deno.test("durable_object keeps what comes in workerd, and the gaps, also that of its own restart", async () => {
  await using stage = await Stage.open("KA");
  const { redis } = stage;
  const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
  try {
    let url: string;
    const get = async (path: string) => await fetch(url + path);
    const items = async (): Promise<module.Item[]> => await (await get("/")).json();
    const shown = async () =>
      (await items()).map((item) =>
        item.kind === "gap" ? `gap: ${item.reason}` : `${item.event} ${item.key}`
      );
    const upTo = (last: string) =>
      until(`it has kept ${last}`, async () => (await shown()).at(-1) === last);

    {
      await using worker = await startWorker(folder, stage.url);
      url = worker.url;
      const health = await get("/health");
      assertEquals([health.status, (await health.json()).ok], [200, true]);
      assertEquals(await items(), []);
      await redis.set("a", "1");
      await redis.del("a");
      await upTo("del a");
      await stage.behindTheirBacks(["SET", "b", "unseen"]);
      await upTo("gap: disconnected");
      await redis.set("c", "3");
      await upTo("set c");
    }
    const before = Date.now();
    await redis.set("d", "unseen");
    {
      await using worker = await startWorker(folder, stage.url);
      url = worker.url;
      await upTo("gap: restarted");
      await redis.set("e", "5");
      await upTo("set e");
      assertEquals(await shown(), [
        "set a",
        "del a",
        "gap: disconnected",
        "set c",
        "gap: restarted",
        "set e",
      ]);
      const gap = (await items())[4]!;
      assert(gap.kind === "gap" && gap.from <= before && before <= gap.to, JSON.stringify(gap));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("durable_object is brought back by its alarm, without any request", async () => {
  await using stage = await Stage.open("KA");
  const { redis, server } = stage;
  const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
  try {
    {
      await using worker = await startWorker(folder, stage.url, 200);
      await (await fetch(worker.url)).text();
      await until("it watches", async () => await watchers(server) === 1);
    }
    await until("it is gone", async () => await watchers(server) === 0);
    await using worker = await startWorker(folder, stage.url, 200);
    await until("it watches again", async () => await watchers(server) === 1);
    await redis.set("a", "");
    await until("it has kept what came", async () => {
      return (await (await fetch(worker.url)).text()).includes('"key":"a"');
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("durable_object says why it is not well", async () => {
  await using stage = await Stage.open("");
  const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
  try {
    await using worker = await startWorker(folder, stage.url);
    const health = await fetch(`${worker.url}/health`);
    const { ok, reason } = await health.json();
    assertEquals([health.status, ok], [503, false]);
    assert(reason.startsWith("MissingFlagsError: "), reason);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("durable_object's settings for wrangler name what there is", async () => {
  const file = new URL("../../examples/durable_object/wrangler.jsonc", import.meta.url);
  const text = (await Deno.readTextFile(file)).replace(/^ *\/\/.*$/gm, "");
  const { main, alias, durable_objects, migrations, vars } = JSON.parse(text);
  for (const path of [main, ...Object.values<string>(alias)]) await Deno.stat(new URL(path, file));
  const [{ name, class_name }] = durable_objects.bindings;
  assertEquals([name, Object.keys(vars)], ["WATCHER", ["REDIS_URL"]]);
  assertEquals(migrations[0].new_sqlite_classes, [class_name]);
  assert(class_name in module);
});
