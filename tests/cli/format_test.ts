import { assertEquals } from "@std/assert";
import { formatGap, formatNodes, formatNotification } from "../../cli/format.ts";
import { printable } from "../../pubsub/connection/printable.ts";
import { printableBytes } from "../../cli/byte_text.ts";
import { painter } from "../../cli/style.ts";
import { KeyNotification } from "../../mod.ts";

Deno.test("a line is plain in a pipe and coloured on a terminal", () => {
  const timestamp = new Date(2026, 0, 2, 3, 4, 5, 6).getTime();
  const notification = KeyNotification.tryParse("__keyspace@2__:user:1", "expired", { timestamp })!;
  assertEquals(
    formatNotification(notification, painter(false)),
    "03:04:05.006  db2  expired       user:1",
  );
  assertEquals(
    formatNotification(notification, painter(true)),
    "\x1b[90m03:04:05.006  db2 \x1b[39m \x1b[31mexpired     \x1b[39m  user:1",
  );
});

Deno.test("the columns of a line stand under each other", () => {
  const line = (channel: string, event: string) =>
    formatNotification(KeyNotification.tryParse(channel, event)!, painter(false)).slice(14);
  assertEquals(line("__keyspace@0__:k", "set"), "db0  set           k");
  assertEquals(line("__keyspace@15__:k", "hincrbyfloat"), "db15 hincrbyfloat  k");
});

Deno.test("an event that is not known has the terminal's own colour", () => {
  const notification = KeyNotification.tryParse("__keyspace@0__:k", "my.event")!;
  assertEquals(
    formatNotification(notification, painter(true)).split("db0")[1],
    " \x1b[39m \x1b[0mmy.event    \x1b[0m  k",
  );
});

Deno.test("a gap says how much is missing, where that is known", () => {
  const from = new Date(2026, 0, 2, 3, 4, 5, 6).getTime();
  const gap = { kind: "gap", node: "a:1", from, to: from + 1000 } as const;
  const where = "from a:1, 03:04:05.006 to 03:04:06.006";
  assertEquals(
    formatGap({ ...gap, reason: "disconnected" }),
    `gap: notifications may be missing ${where} (disconnected)`,
  );
  assertEquals(
    formatGap({ ...gap, reason: "overflow", dropped: 1 }),
    `gap: 1 notification is missing ${where} (overflow)`,
  );
  assertEquals(
    formatGap({ ...gap, reason: "overflow", dropped: 1234 }),
    `gap: 1234 notifications are missing ${where} (overflow)`,
  );
});

Deno.test("a gap says which slots, where they are few ranges, and else how many", () => {
  const gap = { kind: "gap", node: "a:1", from: 0, to: 0, reason: "failover" } as const;
  const where = (...slots: [first: number, last: number][]) =>
    formatGap({ ...gap, slots: slots.map(([first, last]) => ({ first, last })) }).split(", ")[1];
  assertEquals(where([0, 5460]), "5461 slots (0-5460)");
  assertEquals(where([7, 7]), "1 slot (7)");
  assertEquals(where([0, 1], [3, 4], [6, 7], [9, 9]), "7 slots");
});

Deno.test("the servers that are watched are named as long as they are few", () => {
  const nodes = (...names: string[]) => formatNodes(names.map((node) => ({ node })));
  assertEquals(nodes("a:1"), "a:1");
  assertEquals(nodes("a:1", "b:1", "c:1"), "3 nodes (a:1, b:1, c:1)");
  assertEquals(nodes("a:1", "b:1", "c:1", "d:1"), "4 nodes (a:1, b:1, c:1, …)");
});

Deno.test("a line names the subkeys", () => {
  const notification = KeyNotification.tryParse("__subkeyspace@0__:h", "hset|1:a,2:b\n")!;
  assertEquals(
    formatNotification(notification, painter(false)).slice(14),
    "db0  hset          h  a b\\n",
  );
});

Deno.test("what would drive a terminal is escaped", () => {
  assertEquals(
    printable("a\r\n\t\u0007\u009b\u202e\u{e0041}"),
    "a\\r\\n\\t\\x07\\x9b\\u{202e}\\u{e0041}",
  );
  assertEquals(printableBytes(Uint8Array.of(0x61, 0xff, 0x0a)), "a\\xff\\n");
  assertEquals(printable("产品 ключ 🗝"), "产品 ключ 🗝");
});
