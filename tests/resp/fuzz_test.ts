import { assertFuzzed } from "./fuzzed.ts";

Deno.test("mutated captures give replies or one of the two errors, the same however read", async () => {
  await assertFuzzed(10_000, 1);
});
