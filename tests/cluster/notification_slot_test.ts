import { assertEquals } from "@std/assert";
import { slotOf } from "../../cluster/notification_slot.ts";
import { hashSlot } from "../../cluster/mod.ts";
import { KeyNotification } from "../../parse/mod.ts";

Deno.test("a notification's slot is that of the whole key, with its prefix", () => {
  const keys = ["k", "größe", "{tag}k", "k{tag}", "{}k", "}{"];
  for (const prefix of ["", "app:", "{app}:", "a{", "größe:"]) {
    for (const key of keys) {
      const notification = KeyNotification.tryParse("__keyevent@0__:set", prefix + key, {
        keyPrefix: prefix,
      })!;
      const bytes = prefix === "" ? null : new TextEncoder().encode(prefix);
      assertEquals(slotOf(notification, bytes), hashSlot(prefix + key), `${prefix} and ${key}`);
    }
  }
  const bytes = Uint8Array.of(0xff, 0x7b, 0xfe, 0x7d, 0x61);
  const notification = KeyNotification.tryParse("__keyevent@0__:set", bytes)!;
  assertEquals(slotOf(notification, null), hashSlot(bytes));
});
