import { assertEquals, assertMatch } from "@std/assert";
import { Browser, splitKeys } from "../../cli/top/browser.ts";
import { KeyNotification, type Status } from "../../mod.ts";

const STATUS = { nodes: [], gaps: 0, dropped: 0 } as unknown as Status;
const START = 1_000_000;

function notification(event: string, key: string): KeyNotification {
  return KeyNotification.tryParse(`__keyspace@0__:${key}`, event)!;
}

/** A browser that has seen some events in its first second. */
function open(): Browser {
  const browser = new Browser("*", START);
  const events: [event: string, key: string, count: number][] = [
    ["set", "user:1", 6],
    ["set", "cart:1", 4],
    ["del", "user:2", 2],
    ["hset", "board", 3],
  ];
  for (const [event, key, count] of events) {
    for (let i = 0; i < count; i++) browser.add(notification(event, key), START);
  }
  return browser;
}

function type(browser: Browser, typed: string, now = START + 2_000): boolean {
  return browser.type(splitKeys(typed), STATUS, now);
}

function names(browser: Browser, now = START + 2_000): [events: string[], keys: string[]] {
  const { view } = browser.look(STATUS, now, 24);
  return [view.events.map(({ name }) => name), view.prefixes.map(({ name }) => name)];
}

Deno.test("keys are distinguished, escape sequences too", () => {
  assertEquals(splitKeys("a\x1b[Aä\x1bOB\x1b[3~\x1b"), [
    "a",
    "\x1b[A",
    "ä",
    "\x1bOB",
    "\x1b[3~",
    "\x1b",
  ]);
});

Deno.test("s sorts by rate, total and name", () => {
  const browser = open();
  // Lately there were others.
  for (let i = 0; i < 5; i++) browser.add(notification("del", "board"), START + 9_000);
  const now = START + 10_000;
  assertEquals(names(browser, now), [["del", "set", "hset"], ["board", "user:*", "cart:*"]]);
  type(browser, "s", now);
  assertEquals(names(browser, now), [["set", "del", "hset"], ["board", "user:*", "cart:*"]]);
  type(browser, "s", now);
  assertEquals(names(browser, now), [["del", "hset", "set"], ["board", "cart:*", "user:*"]]);
  assertMatch(browser.look(STATUS, now, 24).footer, /s sorts \(name\)/);
  type(browser, "s", now);
  assertEquals(names(browser, now)[0], ["del", "set", "hset"]);
});

Deno.test("/ filters by a part of the name or a glob", () => {
  const browser = open();
  type(browser, "/SEx\x7ft");
  assertMatch(browser.look(STATUS, START + 2_000, 24).footer, /^\/SEt▏/);
  assertEquals(names(browser)[0], ["set", "hset"]);
  type(browser, "\r");
  // Typing is over: q is a key again, and the filter stays.
  assertMatch(browser.look(STATUS, START + 2_000, 24).footer, /^\/SEt {2}q quits/);
  type(browser, "\x1b");
  assertEquals(names(browser)[0].length, 3);
  type(browser, "/?set\r");
  assertEquals(names(browser), [["hset"], []]);
  type(browser, "/q\x1b");
  assertEquals(names(browser)[0].length, 3);
});

Deno.test("a pause holds the picture, and counts what is new", () => {
  const browser = open();
  type(browser, "p");
  for (let i = 0; i < 7; i++) browser.add(notification("zadd", "new"), START + 2_000);
  const look = browser.look(STATUS, START + 9_000, 24);
  assertEquals([look.view.total, look.view.events.length], [15, 3]);
  assertMatch(look.footer, /^PAUSED, 7 new .*space resumes/);
  type(browser, "p");
  assertEquals(browser.look(STATUS, START + 9_000, 24).view.total, 22);
});

Deno.test("a prefix is opened, counts from then on by key, and is left", () => {
  const browser = open();
  const selected = () => browser.look(STATUS, START + 2_000, 24).selected;
  names(browser);
  assertEquals(selected(), null);
  type(browser, "\x1b[B\x1b[B\x1b[B\x1b[B\x1b[B");
  assertEquals(selected(), 2);
  type(browser, "\x1b[A\x1b[A\x1b[A\x1b[A");
  assertEquals(selected(), 0);
  type(browser, "\r");
  for (const key of ["user:1", "user:1", "user:2", "cart:1", "user:a:b"]) {
    browser.add(notification("set", key), START + 2_000);
  }
  const { view, footer } = browser.look(STATUS, START + 4_000, 24);
  assertEquals([view.what, view.total], ["user:* of *", 4]);
  assertEquals(view.prefixes.map(({ name, total }) => [name, total]), [
    ["user:1", 2],
    ["user:2", 1],
    ["user:a:b", 1],
  ]);
  assertMatch(footer, /← back/);
  // A key cannot be opened.
  type(browser, "\x1b[B\r");
  assertEquals(browser.look(STATUS, START + 4_000, 24).view.what, "user:* of *");
  type(browser, "\x7f\x7f");
  assertEquals(browser.look(STATUS, START + 4_000, 24).view.total, 20);
});

Deno.test("q, Ctrl-C and Ctrl-D quit, q not while a filter is typed", () => {
  for (const key of ["q", "\x03", "\x04"]) assertEquals(type(open(), key), true);
  const browser = open();
  assertEquals(type(browser, "/q"), false);
  assertEquals(type(browser, "\x03"), true);
});
