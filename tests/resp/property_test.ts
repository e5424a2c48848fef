import { assertAnyCommand, assertAnyStream } from "./properties.ts";

Deno.test("any stream, cut anywhere, is read as what was written", () => {
  assertAnyStream(150, 1);
});

Deno.test("any command is read back as the array of its arguments", () => {
  assertAnyCommand(500, 2);
});
