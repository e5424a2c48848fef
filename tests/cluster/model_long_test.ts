/** The properties of the model with other seeds each time, and its scenarios everywhere. */
import { anySeed } from "../random.ts";
import { PROPERTIES } from "./model/properties.ts";
import { testOfProperty, testsOfScenario } from "./model/definitions.ts";
import { SCENARIOS } from "./model/scenarios.ts";

/** How many times as many seeds as in the short suite. */
const TIMES = 25;
const first = anySeed() % 1e9;

for (const property of PROPERTIES) {
  const { seeds = 6 } = property;
  Deno.test(testOfProperty(property, first, TIMES * seeds));
}

for (const scenario of SCENARIOS) {
  for (const profile of scenario.profiles) {
    for (const protocol of [3, 2] as const) {
      for (const test of testsOfScenario(scenario, profile, protocol)) Deno.test(test);
    }
  }
}
