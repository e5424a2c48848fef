import { assertEquals } from "@std/assert";
import { formatNotification, printable } from "../../cli/format.ts";
import { KeyNotification } from "../../mod.ts";

Deno.test("a line is plain in a pipe and coloured on a terminal", () => {
  const timestamp = new Date(2026, 0, 2, 3, 4, 5, 6).getTime();
  const notification = KeyNotification.tryParse("__keyspace@2__:user:1", "expired", { timestamp })!;
  assertEquals(
    formatNotification(notification, { color: false }),
    "03:04:05.006  db2  expired       user:1",
  );
  assertEquals(
    formatNotification(notification, { color: true }),
    "\x1b[90m03:04:05.006\x1b[39m  \x1b[90mdb2\x1b[39m  \x1b[31mexpired     \x1b[39m  user:1",
  );
});

Deno.test("a line names the subkeys", () => {
  const notification = KeyNotification.tryParse("__subkeyspace@0__:h", "hset|1:a,2:b\n")!;
  assertEquals(
    formatNotification(notification, { color: false }).slice(14),
    "db0  hset          h  a b\\n",
  );
});

Deno.test("what would drive a terminal is escaped", () => {
  assertEquals(
    printable("a\r\n\t\u0007\u009b\u202e\u{e0041}"),
    "a\\r\\n\\t\\x07\\x9b\\u{202e}\\u{e0041}",
  );
  assertEquals(printable(Uint8Array.of(0x61, 0xff, 0x0a)), "a\\xff\\n");
  assertEquals(printable("产品 ключ 🗝"), "产品 ключ 🗝");
});
