import { assertEquals } from "@std/assert";
import { FAILOVERS } from "./failovers.ts";
import { consumerStalls, type Fault, FAULTS } from "./faults.ts";
import {
  describe,
  eachAlone,
  eachFailover,
  MANNERS,
  mixed,
  type Named,
  problems,
} from "./scenarios.ts";

/** Sees that each fault happened, left the gap it must leave, and did no other harm. */
function assertHarmless(
  outcomes: readonly Named[],
  faults: readonly Pick<Fault, "name" | "leaves" | "orLeaves">[],
): void {
  assertEquals(problems(outcomes), []);
  for (const [index, { name, leaves, orLeaves }] of faults.entries()) {
    const { faults, report } = outcomes[index]!.outcome;
    assertEquals(Object.keys(faults), [name]);
    if (leaves === null) continue;
    const left = Object.keys(report.gaps).map((reason) => reason === orLeaves ? leaves : reason);
    assertEquals(`${name}: ${[...new Set(left)]}`, `${name}: ${leaves}`);
  }
}

// Side by side, because they mostly wait.
Deno.test("everything is delivered or lies in an honest gap", async (test) => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  const step = (name: string, fn: () => Promise<void>) =>
    test.step({ name, fn, sanitizeOps: false, sanitizeResources: false, sanitizeExit: false });
  await Promise.all([
    ...MANNERS.slice(0, 2).map((manner) =>
      step(`each fault alone (${describe(manner)})`, async () => {
        const outcomes = await eachAlone(manner, { seed });
        assertHarmless(outcomes, FAULTS);
        const { dropped, insideGaps } = outcomes[FAULTS.indexOf(consumerStalls)]!.outcome.report;
        assertEquals(dropped, insideGaps);
      })
    ),
    step("each failover", async () => {
      assertHarmless(await eachFailover(MANNERS[0]!, { seed }), FAILOVERS);
    }),
    step(`faults mixed, with the seed ${seed}`, async () => {
      assertEquals(problems([await mixed(MANNERS[0]!, 10, { seed })]), []);
    }),
  ]);
});
