import { assertEquals } from "@std/assert";
import { internName, placeOf } from "../../parse/intern.ts";
import { utf8 } from "./texts.ts";

function nameOf(bytes: Uint8Array): string {
  return internName(bytes, 0, bytes.length);
}

Deno.test("the name of an event is given again, and not for other bytes of the same place", () => {
  const name = utf8("ÄÐ");
  // Its characters' numbers, which are not UTF-8.
  const latin1 = Uint8Array.of(0xc4, 0xd0);
  assertEquals(placeOf(latin1, 0, 2), placeOf(name, 0, 4), "the test wants a common place");
  assertEquals(nameOf(name), "ÄÐ");
  assertEquals(nameOf(latin1), "\ufffd\ufffd");
  assertEquals(nameOf(name), "ÄÐ");
});
