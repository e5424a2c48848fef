import { assertEquals } from "@std/assert";
import { quoteEach } from "../../../pubsub/connection/printable.ts";

Deno.test("of the errors of several servers three are quoted, and the others counted", () => {
  const errors = (count: number) => Array.from({ length: count }, (_, n) => new Error(`e${n}`));
  assertEquals(quoteEach(errors(3), "nodes"), "e0; e1; e2");
  assertEquals(quoteEach(errors(4), "nodes"), "e0; e1; e2; and 1 more nodes");
  assertEquals(quoteEach(errors(5), "nodes"), "e0; e1; e2; and 2 more nodes");
  assertEquals(quoteEach([...errors(4), ...errors(4)], "nodes"), "e0; e1; e2; and 1 more nodes");
});
