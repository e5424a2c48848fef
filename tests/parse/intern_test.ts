import { assertEquals } from "@std/assert";
import { internName } from "../../parse/intern.ts";
import { binary, utf8 } from "./texts.ts";

function nameOf(bytes: Uint8Array): string {
  return internName(bytes, 0, bytes.length);
}

Deno.test("the name of an event is given again, and not for bytes that are its characters' numbers", () => {
  // So many that some of them share a place with their bytes, whatever the places are.
  for (let first = 0xc0; first <= 0xff; first++) {
    for (let second = 0xc0; second <= 0xff; second++) {
      const name = String.fromCharCode(first, second);
      assertEquals(nameOf(utf8(name)), name);
      assertEquals(nameOf(binary(name)), "\ufffd\ufffd");
      assertEquals(nameOf(utf8(name)), name);
    }
  }
});
