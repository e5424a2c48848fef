import { assertEquals } from "@std/assert";
import { ByteMap } from "../../bytes/byte_map.ts";
import { Random } from "../random.ts";

const encoder = new TextEncoder();

Deno.test("ByteMap looks a key up by a range of a larger buffer", () => {
  const map = new ByteMap<string>();
  map.set(encoder.encode("user:1"), "one");
  map.set(encoder.encode(""), "empty");
  const buffer = encoder.encode("--user:1--");
  assertEquals(map.get(buffer, 2, 8), "one");
  assertEquals(map.get(buffer, 2, 7), undefined);
  assertEquals(map.get(buffer, 1, 8), undefined);
  assertEquals(map.get(buffer, 4, 4), "empty");
});

Deno.test("ByteMap agrees with Map through many random changes", () => {
  const map = new ByteMap<number>();
  const model = new Map<string, number>();
  const random = new Random(42);
  // Of all lengths, most of them not of whole words.
  const keyOf = (name: number) =>
    `k${name}`.padEnd(name % 90, ":").slice(0, Math.max(4, name % 90));
  for (let round = 0; round < 20_000; round++) {
    const key = keyOf(random.below(700));
    const bytes = encoder.encode(key);
    if (random.below(5) < 2) {
      map.delete(bytes);
      model.delete(key);
    } else {
      // So few values that some are of several keys, some of one, and some of none.
      const value = random.below(250);
      map.set(bytes, value);
      model.set(key, value);
    }
    assertEquals(map.size, model.size);
    const asked = keyOf(random.below(700));
    assertEquals(map.get(encoder.encode(asked), 0, asked.length), model.get(asked));
  }
  for (let name = 0; name < 700; name++) {
    const bytes = encoder.encode(keyOf(name));
    assertEquals(map.get(bytes, 0, bytes.length), model.get(keyOf(name)));
  }
});

Deno.test("ByteMap holds a hundred thousand keys, and takes them all out again", () => {
  const map = new ByteMap<number>();
  const keys = Array.from({ length: 100_000 }, (_, index) => encoder.encode(`channel:${index}`));
  const missing = () =>
    keys.filter((key, index) => map.get(key, 0, key.length) !== index % 7).length;
  keys.forEach((key, index) => map.set(key, index % 7));
  assertEquals([map.size, missing()], [100_000, 0]);
  for (const key of keys) map.delete(key);
  assertEquals([map.size, missing()], [0, 100_000]);
  keys.forEach((key, index) => map.set(key, index % 7));
  assertEquals([map.size, missing()], [100_000, 0]);
});
