/**
 * Each scenario on the oldest server that can do it, in RESP3, and on the newest in RESP2; on every
 * server and in both protocols in `model_long_test.ts`.
 *
 * @module
 */
import { testsOfScenario } from "./model/definitions.ts";
import { SCENARIOS } from "./model/scenarios.ts";

for (const scenario of SCENARIOS) {
  const { profiles } = scenario;
  for (const test of testsOfScenario(scenario, profiles[0]!, 3)) Deno.test(test);
  for (const test of testsOfScenario(scenario, profiles.at(-1)!, 2)) Deno.test(test);
}
