import { assertEquals } from "@std/assert";
import { PARTS, wrongIn } from "./table.ts";

for (const part of PARTS) {
  Deno.test(`${part.name}, at each place also of long ones`, () => {
    assertEquals(wrongIn(part, true), []);
  });
}
