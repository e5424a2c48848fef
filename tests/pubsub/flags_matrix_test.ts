import { assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { matrix, startServer, until } from "../servers/mod.ts";

for (const binary of await matrix()) {
  const name = `${binary.product} ${binary.version}`;
  Deno.test(`${name}: merging flags turns nothing off that the server does not show`, async () => {
    await using server = await startServer({ binary });
    // With all of A set, the server no longer prints n.
    await server.command("CONFIG", "SET", "notify-keyspace-events", "AKEn");
    const seen: string[] = [];
    await using other = await connect(server.url);
    await other.subscribeKeyevent("new", { handler: ({ key }) => seen.push(key) });
    await using merging = await connect(server.url, { flags: "merge" });
    await merging.subscribeKeyevent("keymiss");
    await server.command("SET", "made", "x");
    await server.command("GET", "missed");
    assertEquals((await merging.getMessage({ timeout: 20_000 }))?.key, "missed");
    await until("the new key was told of", () => seen.length === 1);
    assertEquals(seen, ["made"]);
  });
}
