/** The properties of the model with other seeds each time. */
import { assertProperty, PROPERTIES } from "./model/properties.ts";

const RUNS = 200;
const first = Deno.env.get("MODEL_SEED") === undefined
  ? Math.floor(Math.random() * 1e9)
  : Number(Deno.env.get("MODEL_SEED"));

for (const property of PROPERTIES) {
  Deno.test(`${property.name}: ${RUNS} seeds`, async () => {
    console.log(`MODEL_SEED=${first}`);
    await assertProperty(property, first, RUNS);
  });
}
