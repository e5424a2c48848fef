import { assertEquals } from "@std/assert";
import { inspect } from "node:util";
import { connect } from "../../mod.ts";
import { startServer } from "../servers/mod.ts";

Deno.test("a notification that is logged shows its key and event", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  await using notifications = await connect(server.url);
  await notifications.subscribeKeyspace("k");
  await server.command("SET", "k", "x");
  const notification = await notifications.getMessage({ timeout: 10_000 });
  const shown = `{
  kind: "keyspace",
  database: 0,
  timestamp: ${notification?.timestamp},
  key: "k",
  eventType: "set",
  subkeys: []
}`;
  assertEquals(Deno.inspect(notification), shown);
  assertEquals(inspect(notification), shown.replaceAll('"', "'"));
});
