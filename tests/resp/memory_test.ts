import { assertEquals, assertLess } from "@std/assert";
import type { Measured } from "./memory.ts";

async function measure(): Promise<Measured> {
  const program = new URL("./memory.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--v8-flags=--expose-gc", program],
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("what lives for replies and texts is bounded by what was asked for", async (test) => {
  const { held, announced, kept } = await measure();

  await test.step("no reply holds more than the limit says", () => {
    for (const [flood, times] of Object.entries(held)) assertLess(times, 1.25, flood);
  });

  await test.step("aggregates that were only announced hold no more than a step", () => {
    for (const [head, size] of Object.entries(announced)) assertLess(size, 2.2 * 2 ** 20, head);
  });

  // As one flat string of some 30 letters, which no chunk and no larger string lives on with.
  await test.step("a text that is kept keeps nothing else alive", () => {
    for (const [kind, size] of Object.entries(kept)) assertLess(size, 100, kind);
  });
});
