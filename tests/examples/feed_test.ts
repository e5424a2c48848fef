import { assert, assertEquals } from "@std/assert";
import { type Gap, KeyNotification } from "@keywatch/keywatch";
import { Feed, kindOf, KINDS } from "../../examples/dashboard/feed.ts";

function notification(event: string, key: string, timestamp: number): KeyNotification {
  return KeyNotification.tryParse(`__keyspace@0__:${key}`, event, { timestamp })!;
}

const GAP: Gap = { kind: "gap", reason: "disconnected", node: "a:1", from: 1_000, to: 2_000 };

Deno.test("the dashboard's kinds are the classes of events", () => {
  const events = ["set", "hset", "rpush", "sadd", "zadd", "xadd", "del", "expired", "evicted"];
  assertEquals(events.map(kindOf), [
    "strings",
    "hashes",
    "lists",
    "sets",
    "sets",
    "streams",
    "generic",
    "expired",
    "evicted",
  ]);
  assertEquals(["new", "keymiss", "of a module", "__proto__"].map(kindOf), Array(4).fill("other"));
});

Deno.test("the dashboard counts by second and kind, and reports news once", () => {
  const feed = new Feed();
  for (const [event, time] of [["set", 1_000], ["set", 1_999], ["del", 1_500], ["set", 2_000]]) {
    feed.event(notification(event as string, "a", time as number));
  }
  const counts = (of: Record<string, number>) => KINDS.map((kind) => of[kind] ?? 0);
  const seconds = [[1, counts({ strings: 2, generic: 1 })], [2, counts({ strings: 1 })]];
  const { seconds: told, items, events } = feed.news();
  assertEquals([told, items.length, events], [seconds, 4, 4] as unknown[]);
  const none = feed.news();
  assertEquals([none.seconds, none.items, none.events], [[], [], 4] as unknown[]);
  feed.event(notification("set", "b", 2_500));
  assertEquals(feed.news().seconds, [[2, counts({ strings: 2 })]] as never);
  assertEquals(feed.all().seconds.length, 2);
});

Deno.test("the dashboard keeps little of much, says how much it left out, and no gap", () => {
  const feed = new Feed();
  feed.gap(GAP);
  for (let i = 0; i < 10_000; i++) feed.event(notification("set", `key:${i}`, i * 1_000));
  feed.gap(GAP);
  const news = feed.news();
  const gaps = (items: readonly { type: string }[]) =>
    items.filter(({ type }) => type === "gap").length;
  assertEquals([news.events, news.items.length, news.skipped, gaps(news.items)], [
    10_000,
    60,
    9_942,
    2,
  ]);
  const all = feed.all();
  assertEquals([all.seconds.length, gaps(all.items)], [300, 2]);
  assertEquals(
    all.items.map(({ id }) => id),
    all.items.map(({ id }) => id).toSorted((a, b) => a - b),
  );
  assertEquals(all.items.length, 61);
  feed.event(notification("e".repeat(5_000), "k".repeat(5_000), 1));
  assert(JSON.stringify(feed.news()).length < 1_000, "long names are clipped");
});
