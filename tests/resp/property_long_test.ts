import { anySeed } from "../random.ts";
import { assertAnyCommand, assertAnyStream } from "./properties.ts";

const seed = anySeed();

Deno.test(`each of thousands of streams is read as what was written (seed ${seed})`, () => {
  assertAnyStream(5_000, seed);
});

Deno.test(`any of thousands of commands is read back as its arguments (seed ${seed})`, () => {
  assertAnyCommand(20_000, seed);
});
