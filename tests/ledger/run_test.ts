import { assertEquals } from "@std/assert";
import { consumerStalls, FAULTS } from "./faults.ts";
import { describe, eachAlone, MANNERS, mixed, problems } from "./scenarios.ts";

for (const manner of MANNERS.slice(0, 2)) {
  Deno.test(`each fault alone: delivered or in an honest gap (${describe(manner)})`, async () => {
    const outcomes = await eachAlone(manner, { seed: 1 });
    assertEquals(problems(outcomes), []);
    assertEquals(outcomes.map(({ name }) => name), FAULTS.map(({ name }) => name));
    for (const [index, { leaves, name }] of FAULTS.entries()) {
      const { faults, report } = outcomes[index]!.outcome;
      assertEquals(Object.keys(faults), [name]);
      if (leaves !== null) {
        assertEquals(`${name}: ${Object.keys(report.gaps)}`, `${name}: ${leaves}`);
      }
    }
    const { dropped, insideGaps } = outcomes[FAULTS.indexOf(consumerStalls)]!.outcome.report;
    assertEquals(dropped, insideGaps);
  });
}

Deno.test("faults mixed: delivered or in an honest gap", async () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  const outcome = await mixed(MANNERS[0]!, 10, { seed });
  assertEquals(problems([outcome]), [], `with the seed ${seed}`);
});
