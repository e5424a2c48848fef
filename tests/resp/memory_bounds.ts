import { assertLess } from "@std/assert";
import { runCollected } from "./living.ts";
import type { Measured, Sizes } from "./memory.ts";

/** Registers the test of what lives for replies and texts. */
export function testMemory(sizes: Sizes): void {
  Deno.test("what lives for replies and texts is bounded by what was asked for", async (test) => {
    const { held, announced, given, kept } = await runCollected<Measured>(
      "memory.ts",
      JSON.stringify(sizes),
    );

    await test.step("no reply holds more than the limit says", () => {
      for (const [flood, times] of Object.entries(held)) assertLess(times, 1.25, flood);
    });

    await test.step("aggregates that were only announced hold no more than a step", () => {
      for (const [head, size] of Object.entries(announced)) assertLess(size, 2.2 * 2 ** 20, head);
    });

    await test.step("what was given out does not live on in the decoder", () => {
      for (const [reply, size] of Object.entries(given)) assertLess(size, 2 ** 18, reply);
    });

    // As one flat string of some 30 letters, which no chunk and no larger string lives on with.
    await test.step("a text that is kept keeps nothing else alive", () => {
      for (const [kind, size] of Object.entries(kept)) assertLess(size, 100, kind);
    });
  });
}
