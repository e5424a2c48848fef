import { assertGreater, assertLess } from "@std/assert";
import type { Fuzzed } from "./fuzz.ts";
import { runCollected } from "./living.ts";

// FUZZ_INPUTS=2000000 is the long run; FUZZ_SEED makes another one of it.
const inputs = Number(Deno.env.get("FUZZ_INPUTS") ?? 50_000);
const seed = Number(Deno.env.get("FUZZ_SEED") ?? 1);

/**
 * A few of the decoders that are held are in the middle of a large bulk, and each has the step of a
 * megabyte that it may reserve, 2.5 in all. Were an announced length reserved, one would have 32.
 */
const MOST_MEMORY = 16 * 2 ** 20;

Deno.test("mutated captures give replies or one of the two errors, the same however read", async () => {
  const { good, syntaxErrors, limitErrors, messages, mostMemory } = await runCollected<Fuzzed>(
    "fuzz.ts",
    String(inputs),
    String(seed),
  );
  // Otherwise the mutations miss what they are for.
  assertGreater(good, inputs / 20);
  assertGreater(syntaxErrors, inputs / 5);
  assertGreater(limitErrors, inputs / 100);
  assertGreater(messages, inputs / 5);
  assertLess(mostMemory, MOST_MEMORY);
});
