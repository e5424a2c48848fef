import { assert, assertEquals } from "@std/assert";
import {
  fenceOf,
  oppositesOf,
  slotOfFence,
  slotsOfChannels,
} from "../../../cluster/members/watched_slots.ts";
import { hashSlot } from "../../../cluster/mod.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Channels by name; those that end with an asterisk are patterns. */
function channels(...names: readonly string[]) {
  return names.map((name) => ({ bytes: encoder.encode(name), isPattern: name.endsWith("*") }));
}

Deno.test("each slot has a fence of its own that lies in it, named like a notifications' channel", () => {
  const names = new Set<string>();
  for (let slot = 16_383; slot >= 0; slot--) {
    const fence = fenceOf(slot);
    assertEquals(slotOfFence(fence), slot);
    names.add(new TextDecoder().decode(fence));
  }
  assertEquals(names.size, 16_384);
  for (const name of names) assert(/^__keyspace@0__:\{\d+\}$/.test(name), name);
  const [name] = names;
  assertEquals(hashSlot(name!), 16_383);
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

Deno.test("channels of events have opposites, except where both come anyway", () => {
  for (
    const [names, opposites] of [
      [["__keyspace@0__:k", "__keyspace@0__:del", "__keyspace@0__:*"], []],
      [["__keyevent@0__:set", "__keyevent@0__:expired"], []],
      [["__keyevent@0__:del"], ["__keyevent@0__:restore"]],
      [["__keyevent@0__:restore"], ["__keyevent@0__:del"]],
      [["__keyevent@0__:del", "__keyevent@0__:restore"], []],
      [["__keyevent@0__:del", "__keyevent@1__:restore"], [
        "__keyevent@0__:restore",
        "__keyevent@1__:del",
      ]],
      [["__keyevent@0__:del", "__keyevent@0__:*"], []],
      [["__keyevent@0__:d*"], ["__keyevent@0__:restore"]],
      [["__keyevent@*"], []],
      [["*"], []],
    ] as const
  ) {
    const found = oppositesOf(channels(...names)).map(({ bytes }) => decoder.decode(bytes));
    assertEquals(found, [...opposites], names.join(" "));
  }
  const [pattern] = oppositesOf([{ bytes: encoder.encode("__keyevent@*__:del"), isPattern: true }]);
  assertEquals(decoder.decode(pattern!.bytes), "__keyevent@*__:restore");
  assert(pattern!.isPattern);
});
