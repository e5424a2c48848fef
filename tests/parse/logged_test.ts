import { assertEquals } from "@std/assert";
import { inspect } from "node:util";
import { KeyNotification } from "../../parse/mod.ts";

Deno.test("a notification that is logged shows its key and event", () => {
  const found = KeyNotification.tryParse("__keyspace@0__:k", "set", { timestamp: 5 });
  const shown = `{
  kind: "keyspace",
  database: 0,
  timestamp: 5,
  key: "k",
  eventType: "set",
  subkeys: []
}`;
  assertEquals(Deno.inspect(found), shown);
  assertEquals(inspect(found), shown.replaceAll('"', "'"));
});
