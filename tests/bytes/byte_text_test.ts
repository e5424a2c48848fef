import { assertEquals } from "@std/assert";
import { byteText } from "../../bytes/byte_text.ts";

Deno.test("bytes give a text of one character each, however many they are", () => {
  for (const length of [0, 1, 1023, 1024, 1025, 300_000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7919) >> 3);
    const text = byteText(bytes);
    assertEquals(text.length, length);
    assertEquals(Uint8Array.from(text, (character) => character.charCodeAt(0)), bytes);
  }
});
