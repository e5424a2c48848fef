/**
 * Whatever happens in a cluster, the client delivers each real event once and in order, or reports
 * the gap, and shows no artefact as real. `MODEL_RUNS` says with how many seeds.
 */
import { assert, assertEquals } from "@std/assert";
import { PROPERTIES, runProperty } from "./model/properties.ts";
import { testOfProperty } from "./model/definitions.ts";

const FIRST = 2;
const RUNS = Deno.env.get("MODEL_RUNS");

Deno.test("a run of the model is the same for the same seed", async () => {
  const last = PROPERTIES.at(-1)!;
  const everything = { ...last, weather: { ...last.weather, duration: 1_500 } };
  const [first] = await runProperty(everything, FIRST, 1);
  const [second] = await runProperty(everything, FIRST, 1);
  assertEquals(first!.transcript(), second!.transcript());
  assert(first!.real > 200 && first!.items.length > 200);
});

for (const property of PROPERTIES) {
  const { seeds = 6 } = property;
  Deno.test(testOfProperty(property, FIRST, RUNS === undefined ? seeds : Number(RUNS)));
}
