import { assertEquals } from "@std/assert";
import { startServer } from "../servers/mod.ts";
import { compareGlobs } from "./glob_server.ts";

Deno.test("a pattern matches the channels that the server delivers to it", async () => {
  await using server = await startServer();
  const { pairs, matched, disagreements } = await compareGlobs(server, 200, 100);
  assertEquals(disagreements, []);
  assertEquals([pairs > 20_000, matched > 300], [true, true], `${matched} of ${pairs} matched`);
});
