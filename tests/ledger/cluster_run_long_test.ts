import { assert, assertEquals } from "@std/assert";
import { CLUSTER_FAULTS, movedByKey } from "./cluster_faults.ts";
import { eachOnCluster, mixedOnCluster } from "./cluster_scenarios.ts";
import { MODES, problems } from "./scenarios.ts";
import { anySeed } from "../random.ts";

const seed = anySeed();

Deno.test("what happens to a cluster loses nothing in silence, and artefacts are hidden", async () => {
  const outcomes = await eachOnCluster(MODES[0]!, { seed }, 1);
  assertEquals(problems(outcomes), [], `with the seed ${seed}`);
  for (const { name, outcome, artefacts } of outcomes) {
    const { leaves } = CLUSTER_FAULTS.find((fault) => fault.name === name)!;
    if (leaves !== null) assert(leaves in outcome.report.gaps, `${name} left no ${leaves}`);
    if (name === movedByKey.name) assert(artefacts! > 100, `${artefacts} artefacts were hidden`);
  }
});

Deno.test("nor does all of it, in random order", async () => {
  const outcome = await mixedOnCluster(MODES[1]!, 10, { seed });
  assertEquals(problems([outcome]), [], `with the seed ${seed}`);
});
