import { assertEquals } from "@std/assert";
import { ByteMap } from "../../pubsub/byte_map.ts";

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
  let state = 42;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let round = 0; round < 20_000; round++) {
    const key = `k${random(700)}`;
    const bytes = encoder.encode(key);
    if (random(5) < 2) {
      map.delete(bytes);
      model.delete(key);
    } else {
      map.set(bytes, round);
      model.set(key, round);
    }
    assertEquals(map.size, model.size);
  }
  for (let name = 0; name < 700; name++) {
    const bytes = encoder.encode(`k${name}`);
    assertEquals(map.get(bytes, 0, bytes.length), model.get(`k${name}`));
  }
});
