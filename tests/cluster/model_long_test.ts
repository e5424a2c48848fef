/** The properties of the model with other seeds each time. */
import { anySeed } from "../random.ts";
import { assertProperty, PROPERTIES } from "./model/properties.ts";

const RUNS = 200;
const first = anySeed() % 1e9;

for (const property of PROPERTIES) {
  Deno.test(`${property.name}: ${RUNS} seeds from ${first}`, async () => {
    await assertProperty(property, first, RUNS);
  });
}
