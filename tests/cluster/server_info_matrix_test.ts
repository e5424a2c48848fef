import { assertEquals } from "@std/assert";
import { mayLapse, repeatsAll } from "../../cluster/mod.ts";
import { matrix, startServer } from "../servers/mod.ts";

for (const binary of await matrix({ progress: (message) => console.error(message) })) {
  Deno.test(`${binary.product} ${binary.version} tells what it ran, and whether keys have a time to live`, async () => {
    await using server = await startServer({ binary });
    const told = async () => [
      repeatsAll(await server.command("INFO", "commandstats") as string),
      mayLapse(await server.command("INFO", "keyspace") as string),
    ];
    await server.command("MSET", "k", "v", "l", "w");
    assertEquals(await told(), [true, false]);
    await server.command("PEXPIRE", "k", "100000");
    assertEquals(await told(), [true, true]);
    await server.command("PERSIST", "k");
    assertEquals(await told(), [true, false]);
    const [known] = await server.command("COMMAND", "INFO", "MSETEX") as unknown[];
    if (known !== null) {
      await server.command("EVAL", 'redis.call("MSETEX", 1, KEYS[1], "v")', 1, "k");
      assertEquals(await told(), [false, false]);
    }
    await server.command("CONFIG", "RESETSTAT");
    assertEquals(await told(), [false, false]);
  });
}
