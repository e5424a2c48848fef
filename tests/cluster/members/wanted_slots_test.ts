import { assertEquals } from "@std/assert";
import {
  hearRestores,
  readKnownNodes,
  slotOf,
  slotsOfChannels,
} from "../../../cluster/members/wanted_slots.ts";
import { hashSlot } from "../../../cluster/mod.ts";
import { KeyNotification } from "../../../parse/mod.ts";
import { ServerError } from "../../../resp/mod.ts";

const encoder = new TextEncoder();

/** Channels by name; those that end with an asterisk are patterns. */
function channels(...names: readonly string[]) {
  return names.map((name) => ({ bytes: encoder.encode(name), isPattern: name.endsWith("*") }));
}

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

Deno.test("the channels of exact keys bring events of their slots, others of any slot", () => {
  const slots = (...names: readonly string[]) => slotsOfChannels(channels(...names));
  assertEquals(
    slots("__keyspace@0__:a", "__keyspace@12__:{b}c", "__keyspace@0__:{b}"),
    new Set([
      hashSlot("a"),
      hashSlot("b"),
    ]),
  );
  assertEquals(slots("__subkeyspace@0__:a"), new Set([hashSlot("a")]));
  // A field of the key follows it.
  assertEquals(slots("__subkeyspaceitem@0__:a:b\nfield"), new Set([hashSlot("a:b")]));
  assertEquals(slots(), new Set());
  for (const name of ["__keyspace@0__:a*", "__keyevent@0__:set", "__subkeyevent@0__:hset", "x:y"]) {
    assertEquals(slots("__keyspace@0__:a", name), null, name);
  }
});

Deno.test("restores are heard by whoever hears deletions, unless events are chosen by name", () => {
  for (
    const [hears, ...names] of [
      [true, "__keyspace@0__:*"],
      [true, "__keyevent@0__:*"],
      [true, "__keyevent@0__:del", "__keyevent@0__:restore"],
      [false, "__keyevent@0__:del"],
      [false, "__keyevent@0__:del", "__keyevent@1__:restore"],
      [true, "__keyevent@0__:del", "__keyevent@*__:restore"],
    ] as const
  ) assertEquals(hearRestores(channels(...names)), hears, names.join(" "));
});

Deno.test("a node says how many others it knows", () => {
  assertEquals(readKnownNodes("cluster_state:ok\r\ncluster_known_nodes:7\r\n"), 7);
  for (
    const reply of ["cluster_state:ok", "cluster_known_nodes:x", null, new ServerError("NOPERM")]
  ) {
    assertEquals(readKnownNodes(reply), null);
  }
});
