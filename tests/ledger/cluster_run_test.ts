/** What happens to clusters most often; the rest is in `cluster_run_long_test.ts`. */
import { assert, assertEquals } from "@std/assert";
import { failover, movedByKey, primaryKilled } from "./cluster_faults.ts";
import { eachOnCluster } from "./cluster_scenarios.ts";
import { MODES, problems } from "./scenarios.ts";

Deno.test("what happens to a cluster loses nothing in silence, and artefacts are hidden", async () => {
  const faults = [movedByKey, failover, primaryKilled];
  const outcomes = await eachOnCluster(MODES[0]!, { seed: 1 }, 1, faults);
  assertEquals(problems(outcomes), []);
  for (const [index, { name, leaves }] of faults.entries()) {
    const { outcome, artefacts } = outcomes[index]!;
    if (leaves !== null) {
      assert(leaves in outcome.report.gaps, `${name} left ${Object.keys(outcome.report.gaps)}`);
    } else assert(artefacts! > 100, `${artefacts} artefacts were hidden`);
  }
});
