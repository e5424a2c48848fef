import { goal } from "../../goal.ts";
import type { Profile } from "./profiles.ts";
import { assertAtMost, type Property, runProperty } from "./properties.ts";
import { FAULTS, type Report } from "./report.ts";
import type { Scenario } from "./scenarios.ts";

const CHANGE = "decide event ownership inside the stream";

/** The test of a property with so many seeds. */
export function testOfProperty(
  property: Property,
  firstSeed: number,
  runs: number,
): Deno.TestDefinition {
  const { name, faults = {} } = property;
  const kinds = Object.keys(faults);
  const except = kinds.length === 0 ? "" : `, but for a few ${kinds.join(", ")}`;
  return {
    name: `${name}${except}, ${runs} seeds from ${firstSeed}`,
    fn: async () => assertAtMost(faults, await runProperty(property, firstSeed, runs)),
  };
}

/** The test of a scenario, and one of the faults that the library still has. */
export function testsOfScenario(
  scenario: Scenario,
  profile: Profile,
  protocol: 2 | 3,
): Deno.TestDefinition[] {
  const report = once(() => scenario.play(profile, protocol));
  const kinds = scenario.unreached;
  const name = `${scenario.name}, ${profile.name}, RESP${protocol}`;
  const except = kinds.length === 0 ? "" : `, but for ${kinds.join(", ")}`;
  const test = {
    name: `${name}${except}`,
    async fn() {
      (await report()).assertSound(...FAULTS.filter((fault) => !kinds.includes(fault)));
    },
  };
  if (kinds.length === 0) return [test];
  return [test, goal(CHANGE, name, kinds, async () => (await report()).assertSound())];
}

/** The two tests of something share its runs. */
function once(run: () => Promise<Report>): () => Promise<Report> {
  let result: Promise<Report> | null = null;
  return () => result ??= run();
}
