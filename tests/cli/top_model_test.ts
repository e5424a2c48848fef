import { assert, assertEquals } from "@std/assert";
import { TopModel } from "../../cli/top/model.ts";
import { PrefixTree } from "../../cli/top/prefix_tree.ts";
import { SlidingCount } from "../../cli/top/sliding_count.ts";
import { type Gap, KeyNotification, type NodeStatus, type Status } from "../../mod.ts";

Deno.test("what happened is counted by seconds, and forgotten after them", () => {
  const count = new SlidingCount(5);
  for (const second of [0, 0, 1, 3, 3, 3]) count.add(second);
  assertEquals(count.each(4, 4), [2, 1, 0, 3]);
  assertEquals(count.before(4, 2), 3);
  assertEquals(count.each(5, 4), [1, 0, 3, 0]);
  assertEquals(count.each(6, 4), [0, 3, 0, 0]);
  assertEquals(count.each(1_000_000, 4), [0, 0, 0, 0]);
  assertEquals(count.total, 6);
  // The running second is not among those before it, nor are those that are forgotten.
  count.add(1_000_000);
  assertEquals(count.before(1_000_000, 4), 0);
  assertEquals(count.each(1_000_001, 10), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
});

Deno.test("before the first second there was nothing", () => {
  const count = new SlidingCount(61);
  count.add(0);
  assertEquals(count.each(1, 3), [0, 0, 1]);
});

/** The names of the rows, the busiest first, once these keys came in the second before. */
function prefixes(...keys: string[]): string[] {
  const tree = new PrefixTree(6);
  for (const key of keys) tree.add(key, 0);
  return tree.rows(1, 1).sort((a, b) => b.total - a.total).map(({ name }) => name);
}

const many = (count: number, key: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => key(i));

Deno.test("keys are distinguished by their prefixes", () => {
  assertEquals(prefixes("user:1", "user:2", "user:ana", "order:1"), ["user:*", "order:*"]);
  assertEquals(prefixes("a/b/c", "a/b/d", "a/b/e", "a/x/y"), ["a/b/*", "a/x/*"]);
  assertEquals(prefixes("stock", "stock", "config"), ["stock", "config"]);
});

Deno.test("parts that name one thing are not prefixes", () => {
  assertEquals(prefixes("user:1:name", "user:2:name", "user:{3}:cart"), ["user:*"]);
  const uuid = () => crypto.randomUUID();
  assertEquals(prefixes(`session:${uuid()}:data`, `session:${uuid()}:data`), ["session:*"]);
  assertEquals(prefixes(uuid(), uuid(), "12345"), ["*"]);
  // These are words.
  assertEquals(prefixes("cafe:1", "deadbeef:1"), ["cafe:*", "deadbeef:*"]);
});

Deno.test("a deep prefix shows if it distinguishes keys", () => {
  const keys = [
    ...many(20, (i) => `app:cart:${i}`),
    ...many(30, (i) => `app:user:name${i}`),
    ...many(10, (i) => `app:${i}`),
  ];
  assertEquals(prefixes(...keys), ["app:user:*", "app:cart:*", "app:*"]);
});

Deno.test("names of which there are very many belong together, and the busy ones stay", () => {
  const keys = many(2000, (i) => i % 2 === 0 ? "busy:1" : `n${i}x:1`);
  assertEquals(prefixes(...keys), ["busy:*", "*"]);
  assertEquals(prefixes(...many(1000, (i) => `k${i}x`)), ["*"]);
});

Deno.test("nothing is lost of the sum, whatever is remembered", () => {
  const tree = new PrefixTree(6);
  for (let i = 0; i < 5000; i++) tree.add(`p${i % 97}q:${i % 31}r:${i}`, 0);
  const rows = tree.rows(1, 1);
  assertEquals(rows.reduce((sum, { total }) => sum + total, 0), 5000);
  assertEquals(rows.reduce((sum, { recent }) => sum + recent, 0), 5000);
});

Deno.test("keys of any making do not fill the memory", () => {
  const tree = new PrefixTree(6);
  for (let i = 0; i < 20_000; i++) tree.add(`p${i}q:${i % 91}r:${i % 87}s:t:u:v:${i}`, 0);
  for (let i = 0; i < 20_000; i++) tree.add(`k${i}x`, 0);
  assert(tree.size <= 1 + 16 + 16 ** 2 + 16 ** 3, `${tree.size}`);
});

Deno.test("a prefix that becomes busy later is learned", () => {
  const tree = new PrefixTree(6);
  for (let i = 0; i < 1600; i++) tree.add(`old${String.fromCharCode(97 + i % 16)}:x`, 0);
  for (let i = 0; i < 100; i++) tree.add("young:x", 100);
  const names = tree.rows(101, 5).filter(({ recent }) => recent > 0).map(({ name }) => name);
  assertEquals(names, ["young:*"]);
});

function node(name: string, more: Partial<NodeStatus> = {}): NodeStatus {
  return { node: name, state: "ready", ...more } as NodeStatus;
}

function status(...nodes: NodeStatus[]): Status {
  return { state: "ready", nodes, gaps: 0, queued: 0, queuedBytes: 0, dropped: 0 };
}

function notification(key: string, event: string, from?: string): KeyNotification {
  const one = KeyNotification.tryParse(`__keyspace@0__:${key}`, event)!;
  one.node = from;
  return one;
}

Deno.test("rates are means of the last seconds that are over", () => {
  const start = 1_000_500;
  const model = new TopModel("*", start);
  for (let ms = 0; ms < 20_000; ms += 100) {
    model.add(notification("user:1", ms % 200 === 0 ? "set" : "del"), start + ms);
  }
  const view = model.view(status(node("a:1")), start + 20_050);
  assertEquals([view.rate, view.mean, view.peak, view.total], [10, 10, 10, 200]);
  assertEquals(view.seconds, [...Array(40).fill(0), ...Array(20).fill(10)]);
  assertEquals(view.events, [
    { name: "del", rate: 5, total: 100 },
    { name: "set", rate: 5, total: 100 },
  ]);
  assertEquals(view.prefixes, [{ name: "user:*", prefix: "user:", rate: 10, total: 200 }]);
  assertEquals(view.nodes[0]!.rate, 10);
  const later = model.view(status(node("a:1")), start + 90_000);
  assertEquals([later.rate, later.mean, later.peak, later.total], [0, 0, 0, 200]);
});

Deno.test("in a summary rates are means of the whole time", () => {
  const model = new TopModel("*", 1_000);
  for (let i = 0; i < 40; i++) model.add(notification("user:1", "set"), 1_000 + i);
  const { rate, rateName, events, prefixes, nodes } = model.summary(status(node("a:1")), 21_000);
  assertEquals([rate, rateName, events[0]!.rate, prefixes[0]!.rate], [2, "mean", 2, 2]);
  assertEquals(nodes[0]!.rate, 2);
});

Deno.test("in its first seconds a rate is the mean of those there were", () => {
  const model = new TopModel("*", 0);
  for (let i = 0; i < 6; i++) model.add(notification("k", "set"), 100);
  assertEquals(model.view(status(node("a:1")), 900).rate, 0, "the first second is not over");
  assertEquals(model.view(status(node("a:1")), 1000).rate, 6);
  assertEquals(model.view(status(node("a:1")), 2999).rate, 3);
});

Deno.test("each node of a cluster has its own rate", () => {
  const model = new TopModel("*", 0);
  for (let i = 0; i < 4; i++) model.add(notification("k", "set", "a:1"), 0);
  model.add(notification("k", "set", "b:1"), 0);
  const { nodes } = model.view(status(node("a:1"), node("b:1"), node("c:1")), 1000);
  assertEquals(nodes.map(({ rate }) => rate), [4, 1, 0]);
});

Deno.test("the last gaps and news are remembered, the latest first, and no more than so many", () => {
  const model = new TopModel("*", 0);
  for (let i = 0; i < 200; i++) {
    model.addGap({ kind: "gap", reason: "overflow", node: "a:1", from: i, to: i } as Gap);
    model.addNote(`${i}`);
  }
  const { gaps, notes } = model.view(status(node("a:1")), 0);
  assertEquals([gaps[0]!.from, notes[0]], [199, "199"]);
  assert(gaps.length <= 50 && notes.length <= 50);
});

Deno.test("events whose names somebody makes up do not fill the memory", () => {
  const model = new TopModel("*", 0);
  for (let i = 0; i < 10_000; i++) model.add(notification("k", `made-up-${i}`), 0);
  const { events, total } = model.view(status(node("a:1")), 1000);
  assert(events.length <= 201, `${events.length}`);
  assertEquals(events.reduce((sum, row) => sum + row.total, 0), total);
});
