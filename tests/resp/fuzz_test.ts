import { assertGreater, assertLess } from "@std/assert";
import { fuzz } from "./fuzz.ts";

// FUZZ_INPUTS=2000000 is the long run; FUZZ_SEED makes another one of it.
const inputs = Number(Deno.env.get("FUZZ_INPUTS") ?? 50_000);
const seed = Number(Deno.env.get("FUZZ_SEED") ?? 1);

const MOST_MEMORY = 256 * 2 ** 20;

Deno.test("mutated captures give replies or one of the two errors, the same however cut", () => {
  const { good, syntaxErrors, limitErrors, mostMemory } = fuzz(inputs, seed);
  // Otherwise the mutations miss what they are for.
  assertGreater(good, inputs / 20);
  assertGreater(syntaxErrors, inputs / 5);
  assertGreater(limitErrors, inputs / 100);
  assertLess(mostMemory, MOST_MEMORY);
});
