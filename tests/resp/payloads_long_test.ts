import { assertEquals } from "@std/assert";
import { PARTS, wrongIn, wrongTexts } from "./table.ts";

for (const part of PARTS) {
  Deno.test(`${part.name}, at each place also of long ones`, () => {
    assertEquals(wrongIn(part, true), []);
  });
}

Deno.test("many texts of bytes are what TextDecoder makes of them", () => {
  assertEquals(wrongTexts(20_000), []);
});
