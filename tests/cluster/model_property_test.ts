/**
 * Whatever happens in a cluster, the client delivers each real event once and in order, or reports
 * the gap, and shows no artefact as real. `MODEL_RUNS` says with how many seeds.
 */
import { assert, assertEquals } from "@std/assert";
import { goal } from "../goal.ts";
import { assertProperty, GOALS, PROPERTIES, runProperty } from "./model/properties.ts";

const RUNS = Number(Deno.env.get("MODEL_RUNS") ?? 8);

Deno.test("a run of the model is the same for the same seed", async () => {
  const everything = GOALS.at(-1)!;
  const [first, second] = [await runProperty(everything, 1), await runProperty(everything, 1)];
  assertEquals(first.transcript(), second.transcript());
  assert(first.real > 200 && first.items.length > 200);
});

for (const property of PROPERTIES) {
  Deno.test(property.name, () => assertProperty(property, 1, RUNS));
}

for (const property of GOALS) {
  goal("decide event ownership inside the stream", property.name, () => {
    return assertProperty(property, 1, RUNS);
  });
}
