import { assert, assertEquals } from "@std/assert";
import { hashSlot } from "../../../cluster/mod.ts";
import { fenceOf, slotOfFence } from "../../../cluster/migration/fence.ts";

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
