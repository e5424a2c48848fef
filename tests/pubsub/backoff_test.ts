import { assertEquals } from "@std/assert";
import { backoff } from "../../pubsub/retries.ts";

Deno.test("the first attempt is made at once, later ones within a bound that doubles to 5 s", () => {
  const almostOne = 1 - Number.EPSILON;
  const longest = Array.from({ length: 10 }, (_, n) => Math.round(backoff(n, almostOne)));
  assertEquals(longest, [0, 50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  assertEquals(backoff(1_000_000, almostOne) <= 5_000, true);
  assertEquals(backoff(5, 0), 0);
  assertEquals(backoff(5, 0.5), 400);
});
