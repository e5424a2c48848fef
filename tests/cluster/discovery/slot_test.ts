import { assertEquals, assertThrows } from "@std/assert";
import { countSlots, formatSlots, hashSlot, includesSlot } from "../../../cluster/mod.ts";
import { slotRanges } from "../../../cluster/discovery/slot.ts";
import { falseBytes } from "../../false_bytes.ts";
import { Random } from "../../random.ts";
import { startServer } from "../../servers/mod.ts";

Deno.test("a slot is that of the hash tag, where there is one", () => {
  assertEquals(hashSlot("123456789"), 12739);
  assertEquals(hashSlot(""), 0);
  assertEquals(hashSlot("{user:1}:name"), hashSlot("user:1"));
  assertEquals(hashSlot("a{b}c{d}"), hashSlot("b"));
  assertEquals(hashSlot("a{{b}}"), hashSlot("{b"));
});

Deno.test("a slot is that of the whole key where a brace is missing, or nothing is between them", () => {
  // As CLUSTER KEYSLOT says.
  const slots = {
    "a{}b{c}": 7353,
    "a{b": 13340,
    "a}b{": 6027,
    "}{": 12793,
    "{}": 15257,
    "{}b": 6680,
  };
  for (const [key, slot] of Object.entries(slots)) {
    assertEquals(hashSlot(key), slot, key);
    assertEquals(hashSlot(new TextEncoder().encode(key)), slot, `the bytes of ${key}`);
  }
});

Deno.test("bytes that are gone, or are not as many as they say, have no slot", () => {
  for (const [what, value] of Object.entries(falseBytes())) {
    assertThrows(() => hashSlot(value), TypeError, "for text or bytes", what);
  }
});

/** Fewer than so many random characters, of one, two, three and four bytes. */
function randomText(random: Random, end: number): string {
  const characters = ["{", "}", "a", "~", "\x00", "\n", "é", "字", "😀", "\ufffd"];
  return Array.from({ length: random.below(end) }, () => random.pick(characters)).join("");
}

/** Fewer than so many random bytes. */
function randomBytes(random: Random, end: number): Uint8Array {
  return Uint8Array.from({ length: random.below(end) }, () => random.below(256));
}

Deno.test("hashSlot agrees with CLUSTER KEYSLOT on random bytes and on random text", async () => {
  await using server = await startServer({ config: { "cluster-enabled": "yes" } });
  const random = new Random(12_739);
  const keys = Array.from({ length: 2_000 }, () => {
    // Braces are rare in random bytes, and what the rule is about.
    return randomBytes(random, 24).map((byte) => byte < 40 ? 0x7b : byte < 80 ? 0x7d : byte);
  });
  const slots = await Promise.all(keys.map((key) => server.command("CLUSTER", "KEYSLOT", key)));
  assertEquals(keys.map(hashSlot), slots as number[]);
  const texts = Array.from({ length: 2_000 }, () => randomText(random, 12));
  const expected = await Promise.all(
    texts.map((text) => server.command("CLUSTER", "KEYSLOT", text)),
  );
  assertEquals(texts.map(hashSlot), expected as number[]);
});

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
