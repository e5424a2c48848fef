import { assertEquals } from "@std/assert";
import { matrix, startServer } from "../servers/mod.ts";
import { compareGlobs } from "./glob_server.ts";
import { nameOf } from "../events/observe.ts";

for (const binary of await matrix()) {
  Deno.test(`${nameOf(binary)} matches patterns as matchGlob does`, async () => {
    await using server = await startServer({ binary });
    const { pairs, matched, disagreements } = await compareGlobs(server, 500, 100);
    assertEquals(disagreements, []);
    assertEquals([pairs > 50_000, matched > 800], [true, true], `${matched} of ${pairs} matched`);
  });
}
