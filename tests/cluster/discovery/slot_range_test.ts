import { assertEquals } from "@std/assert";
import { countSlots, formatSlots, includesSlot, slotRanges } from "../../../cluster/mod.ts";

Deno.test("slots are the fewest ranges, and ranges are read as people write them", () => {
  const picked = (...slots: number[]) => slotRanges((slot) => slots.includes(slot));
  const cases: [number[], string][] = [
    [[], ""],
    [[0], "0"],
    [[16_383], "16383"],
    [[0, 1, 2, 5], "0-2,5"],
    [[7, 16_382, 16_383], "7,16382-16383"],
  ];
  for (const [slots, text] of cases) {
    const ranges = picked(...slots);
    assertEquals(formatSlots(ranges), text);
    assertEquals(countSlots(ranges), slots.length);
    for (const slot of [0, 1, 3, 5, 6, 7, 16_382, 16_383]) {
      assertEquals(includesSlot(ranges, slot), slots.includes(slot));
    }
  }
  assertEquals(formatSlots(slotRanges(() => true)), "0-16383");
});
