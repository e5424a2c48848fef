import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { watchLocks } from "../../examples/lock_monitor.ts";
import { handleOnce } from "../../examples/only_once.ts";
import { bridge, consume } from "../../examples/reliable_bridge.ts";
import { Tool } from "../cli/tool.ts";
import { sleep, until } from "../servers/mod.ts";
import { Stage } from "./stage.ts";

/** Longer than any test. */
const LONG = 600_000;

/** A consumer that is never done. */
const HANGING = [
  Deno.execPath(),
  "run",
  "--allow-all",
  fileURLToPath(new URL("hanging_consumer.ts", import.meta.url)),
];

Deno.test("lock_monitor reports who took, gave back and lost a lock, and what it did not see", async () => {
  await using stage = await Stage.open("Kg$x");
  const { url, redis } = stage;
  const events: string[] = [];
  const upTo = (count: number) => until(`${count} are reported`, () => events.length === count);
  const take = (lock: string, holder: string, ttl: number) =>
    redis.set(`lock:${lock}`, holder, { NX: true, PX: ttl });
  await take("a", "before", LONG);
  await stage.watch((options) => {
    return watchLocks(url, redis, (line) => {
      if (!line.endsWith("caught up")) events.push(line);
    }, options);
  });
  await upTo(1);
  await take("b", "Ana", LONG);
  await upTo(2);
  assertEquals(await take("b", "Ben", LONG), null);
  await redis.del("lock:b");
  await upTo(3);
  await take("b", "Ben", LONG);
  await upTo(4);
  // A server that is interrupted for longer than this deletes the key at once.
  await redis.pExpire("lock:b", 100);
  await upTo(5);

  await stage.behindTheirBacks(["DEL", "lock:a"], ["SET", "lock:c", "Cem", "PX", LONG]);
  await upTo(7);
  assertEquals(events.map((line) => line.replace(/\d+ ms/, "… ms")), [
    "lock:a taken by before",
    "lock:b taken by Ana",
    "lock:b released · held by Ana for … ms",
    "lock:b taken by Ben",
    "lock:b expired · held by Ben for … ms",
    "lock:a ended in the gap · held by before for … ms",
    "lock:c taken by Cem",
  ]);
});

Deno.test("only_once has each event handled by one of many instances, and a gap of one by another", async () => {
  await using stage = await Stage.open("Ex");
  const { url, redis } = stage;
  const handled: string[] = [];
  const gaps: string[] = [];
  const tell = (line: string) => {
    const [, key] = /^(.+) expired · handled by .$/.exec(line) ?? [];
    if (key === undefined) gaps.push(line);
    else handled.push(key);
  };
  const ends: (() => Promise<void>)[] = [];
  for (const name of ["a", "b", "c"]) {
    ends.push(
      await stage.watch((options) =>
        // The claims themselves expire in between.
        handleOnce(url, redis, name, tell, { hold: 3_000, ...options })
      ),
    );
  }
  const keys = Array.from({ length: 30 }, (_, i) => `key:${i}`);
  await Promise.all(keys.map((key) => redis.set(key, "", { PX: 1 })));
  await until("all are handled", () => handled.length >= keys.length);
  await until("all claims have gone", async () => await redis.dbSize() === 0);
  await sleep(100);
  assertEquals(handled.toSorted(), keys.toSorted());
  assertEquals(await redis.dbSize(), 0, "claims are not claimed");

  await ends[0]!();
  await redis.set("without a", "", { PX: 1 });
  await until("another instance handles it", () => handled.at(-1) === "without a");
  await stage.behindTheirBacks();
  await until("both say that they had a gap", () => gaps.length === 2);
  assertStringIncludes(gaps.sort()[0]!, "b has a gap of");
});

Deno.test("reliable_bridge hands on what a consumer left when it died, and reports gaps", async () => {
  await using stage = await Stage.open("Ex");
  const { url, redis, signal } = stage;
  const endBridge = await stage.watch((options) => bridge(url, redis, options));
  const expire = (key: string) => redis.set(key, "", { PX: 1 });
  await expire("first");
  await until("it is in the stream", async () => await redis.xLen("events") === 2);

  {
    // A consumer that is killed between taking an entry and being done with it.
    await using consumer = Tool.run([], { program: [...HANGING, url] });
    assertEquals(await consumer.line(), "taken");
    consumer.kill("SIGKILL");
    await consumer.exited();
  }
  assert((await redis.xPending("events", "workers")).pending > 0);

  const handled: string[] = [];
  let failures = 1;
  const consuming = consume(
    await stage.client(),
    "the living",
    ({ kind, key, event, reason }) => {
      if (key === "fails once" && failures-- > 0) throw new Error("as it should for this test");
      handled.push(kind === "gap" ? `gap: ${reason}` : `${event} ${key}`);
    },
    { patience: 200, signal },
  );
  await until("it has taken over", () => handled.length === 2);
  await expire("fails once");
  await until("it was tried again", () => handled.length === 3);
  await until("all is done", async () => {
    return (await redis.xPending("events", "workers")).pending === 0;
  });

  await stage.behindTheirBacks();
  await until("the gap is in the stream", () => handled.length === 4);
  // Between a notification and the stream the bridge dies; the next one can only tell that.
  await endBridge();
  await redis.set("unseen", "", { PX: 1 });
  await until("it has expired", async () => await redis.exists("unseen") === 0);
  await stage.watch((options) => bridge(url, redis, options));
  await until("the next bridge has reported", () => handled.length === 5);
  await expire("last");
  await until("the last has come", () => handled.length === 6);
  assertEquals(handled, [
    "gap: the bridge was started",
    "expired first",
    "expired fails once",
    "gap: disconnected",
    "gap: the bridge was started",
    "expired last",
  ]);
  stage.end();
  await consuming;
});
