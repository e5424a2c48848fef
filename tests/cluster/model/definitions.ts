import { goal } from "../../goal.ts";
import type { Profile } from "./profiles.ts";
import {
  assertNothingNew,
  assertReached,
  type Faults,
  type Property,
  runProperty,
} from "./properties.ts";
import { FAULTS, type Report } from "./report.ts";
import type { Scenario } from "./scenarios.ts";

const CHANGE = "decide event ownership inside the stream";

/** The test of a property, and one of the faults that the library still has. */
export function testsOfProperty(
  property: Property,
  unreached: Faults,
  firstSeed: number,
  runs: number,
): Deno.TestDefinition[] {
  const reports = once(() => runProperty(property, firstSeed, runs));
  const kinds = Object.keys(unreached);
  const name = `${property.name}, ${runs} seeds from ${firstSeed}`;
  const except = kinds.length === 0 ? "" : `, but for ${kinds.join(", ")}`;
  const test = {
    name: `${name}${except}`,
    fn: async () => assertNothingNew(unreached, await reports()),
  };
  if (kinds.length === 0) return [test];
  return [test, goal(CHANGE, name, kinds, async () => assertReached(await reports()))];
}

/** The test of a scenario, and one of the faults that the library still has. */
export function testsOfScenario(
  scenario: Scenario,
  profile: Profile,
  protocol: 2 | 3,
): Deno.TestDefinition[] {
  const report = once(() => scenario.play(profile, protocol));
  const kinds = scenario.unreached(protocol);
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
function once<T extends Report | Report[]>(run: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | null = null;
  return () => result ??= run();
}
