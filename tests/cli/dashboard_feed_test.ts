import { assert, assertEquals } from "@std/assert";
import { type Gap, KeyNotification, type Status } from "../../mod.ts";
import { Feed, kindOf, KINDS, SECONDS, seen, type SeenEvent } from "../../cli/dashboard/feed.ts";
import { formatMetrics, Totals } from "../../cli/dashboard/metrics.ts";
import { History, readFilter } from "../../cli/dashboard/history.ts";

function notification(event: string, key: string, timestamp: number): SeenEvent {
  return seen(KeyNotification.tryParse(`__keyspace@0__:${key}`, event, { timestamp })!);
}

const GAP: Gap = { kind: "gap", reason: "disconnected", node: "a:1", from: 1_000, to: 2_000 };

Deno.test("the dashboard's kinds are the classes of events", () => {
  const events = ["set", "hset", "rpush", "sadd", "zadd", "xadd", "del", "expired", "evicted"];
  assertEquals(events.map(kindOf), [
    "strings",
    "hashes",
    "lists",
    "sets",
    "sorted-sets",
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
  assertEquals([all.seconds.length, gaps(all.items)], [SECONDS, 2]);
  assertEquals(
    all.items.map(({ id }) => id),
    all.items.map(({ id }) => id).toSorted((a, b) => a - b),
  );
  assertEquals(all.items.length, 61);
  feed.event(notification("e".repeat(5_000), "k".repeat(5_000), 1));
  assert(JSON.stringify(feed.news()).length < 1_000, "long names are clipped");
});

Deno.test("the dashboard shows the busiest prefixes of keys", () => {
  const feed = new Feed();
  const now = Date.now();
  for (let i = 0; i < 30; i++) feed.event(notification("set", `user:${i}`, now));
  for (let i = 0; i < 10; i++) feed.event(notification("set", `cart:${i}`, now));
  assertEquals(feed.all().prefixes, [
    { name: "user:*", recent: 30, total: 30 },
    { name: "cart:*", recent: 10, total: 10 },
  ]);
});

function filterOf(text: string) {
  return readFilter(new URLSearchParams(text));
}

Deno.test("a page with a filter gets what is kept of earlier events, and what comes", () => {
  const history = new History<string>();
  const events = [["set", "user:1"], ["del", "user:1"], ["set", "cart:1"], ["hset", "user:2"]];
  for (const [event, key] of events) history.event(notification(event!, key!, 1_000));
  history.lasting(GAP);
  const shown = (feed: Feed) => {
    return feed.all().items.map((item) =>
      item.type === "event" ? `${item.event} ${item.key}` : "gap"
    );
  };
  const all = history.join("a", filterOf(""));
  assertEquals(shown(all).length, 5);
  const users = history.join("b", filterOf("pattern=user:*&event=set,h*"));
  assertEquals(shown(users), ["gap", "set user:1", "hset user:2"]);
  assertEquals(users.news().items, [], "a new page has it from all()");
  history.event(notification("set", "user:3", 2_000));
  history.event(notification("del", "user:3", 2_000));
  assertEquals(users.news().items.length, 1);
  const node = history.join("c", filterOf("node=b:1"));
  assertEquals(shown(node), [], "neither its events nor its gap");
  // Who has the same filter shares the feed.
  assertEquals(history.join("d", filterOf("event=set,h*&pattern=user:*")), users);
  assertEquals(history.size, 4);
  for (const reader of ["a", "b", "c", "d"]) history.leave(reader);
  assertEquals([history.size, [...history.feeds].length], [0, 1]);
});

Deno.test("metrics have the form of OpenMetrics", () => {
  const totals = new Totals();
  totals.event("strings");
  totals.gap("disconnected");
  const node = { node: 'a"b:1', state: "ready", messages: 3, bytes: 99 };
  const status = { nodes: [node], gaps: 1, dropped: 2, queued: 0 } as unknown as Status;
  const lines = formatMetrics(totals, status, { ok: false, reason: "" }).split("\n");
  for (
    const line of [
      "# TYPE keywatch_events counter",
      'keywatch_events_total{kind="strings"} 1',
      'keywatch_events_total{kind="lists"} 0',
      'keywatch_gaps_total{reason="disconnected"} 1',
      "keywatch_up 0",
      'keywatch_node_ready{node="a\\"b:1"} 1',
      'keywatch_node_messages_total{node="a\\"b:1"} 3',
      "keywatch_dropped_total 2",
    ]
  ) assert(lines.includes(line), line);
  assertEquals(lines.slice(-2), ["# EOF", ""]);
  for (const line of lines.slice(0, -2)) {
    assert(/^(# (TYPE|HELP) \w+ .+|\w+(\{\w+="(?:[^"\\]|\\.)*"\})? \d+)$/.test(line), line);
  }
});
