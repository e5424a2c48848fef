import { assertEquals } from "@std/assert";
import { parseRole } from "../../../pubsub/connection/info.ts";

Deno.test("reads a role in the words of old and new servers, and no other word", () => {
  assertEquals(parseRole(["master", 14, []]), { role: "primary", offset: 14 });
  assertEquals(parseRole(["primary", 14, []]), { role: "primary", offset: 14 });
  for (const name of ["slave", "replica"]) {
    assertEquals(parseRole([name, "127.0.0.1", 1, "connected", 14]), {
      role: "replica",
      offset: null,
    });
  }
  for (const reply of [["sentinel", []], [], "master", null]) {
    assertEquals(parseRole(reply), { role: null, offset: null });
  }
});
