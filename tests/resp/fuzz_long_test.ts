import { anySeed } from "../random.ts";
import { assertFuzzed } from "./fuzzed.ts";

const seed = anySeed();

Deno.test(`half a million mutated captures give replies or one of the two errors (seed ${seed})`, async () => {
  await assertFuzzed(500_000, seed);
});
