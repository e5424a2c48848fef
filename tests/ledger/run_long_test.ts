import { assertEquals } from "@std/assert";
import { FAILOVERS } from "./failovers.ts";
import { consumerStalls, FAULTS } from "./faults.ts";
import { assertHarmless } from "./harmless.ts";
import { describe, eachAlone, eachFailover, mixed, MODES, problems } from "./scenarios.ts";
import { anySeed } from "../random.ts";

// Side by side, because they mostly wait.
Deno.test("everything is delivered or lies in an honest gap", async (test) => {
  const seed = anySeed();
  const step = (name: string, fn: () => Promise<void>) =>
    test.step({ name, fn, sanitizeOps: false, sanitizeResources: false, sanitizeExit: false });
  await Promise.all([
    ...MODES.slice(0, 2).map((mode) =>
      step(`each fault alone (${describe(mode)})`, async () => {
        const outcomes = await eachAlone(mode, { seed });
        assertHarmless(outcomes, FAULTS);
        const { dropped, insideGaps } = outcomes[FAULTS.indexOf(consumerStalls)]!.outcome.report;
        assertEquals(dropped, insideGaps);
      })
    ),
    step("each failover", async () => {
      assertHarmless(await eachFailover(MODES[0]!, { seed }), FAILOVERS);
    }),
    step(`faults mixed, with the seed ${seed}`, async () => {
      assertEquals(problems([await mixed(MODES[0]!, 10, { seed })]), []);
    }),
  ]);
});
