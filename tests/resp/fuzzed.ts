import { assertGreater, assertLess } from "@std/assert";
import type { Fuzzed } from "./fuzz.ts";
import { runCollected } from "./living.ts";

/**
 * A few of the decoders that are held are in the middle of a large bulk, and each has the step of a
 * megabyte that it may reserve, 2.5 in all. Were an announced length reserved, one would have 32.
 */
const MOST_MEMORY = 16 * 2 ** 20;

/** Decodes mutated captures, and checks that each gives replies or one of the two errors. */
export async function assertFuzzed(inputs: number, seed: number): Promise<void> {
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
}
