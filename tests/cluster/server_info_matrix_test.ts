import { assertEquals, assertNotEquals } from "@std/assert";
import { mayLapse, readCommandStats } from "../../cluster/mod.ts";
import { matrix, startServer } from "../servers/mod.ts";

for (const binary of await matrix({ progress: (message) => console.error(message) })) {
  Deno.test(`${binary.product} ${binary.version} tells what it ran, and whether keys have a time to live`, async () => {
    await using server = await startServer({ binary });
    const told = async () => [
      readCommandStats(await server.command("INFO", "commandstats") as string).repeatsAll,
      mayLapse(await server.command("INFO", "keyspace") as string),
    ];
    await server.command("MSET", "k", "v", "l", "w");
    assertEquals(await told(), [true, false]);
    await server.command("PEXPIRE", "k", "100000");
    assertEquals(await told(), [true, true]);
    await server.command("PERSIST", "k");
    assertEquals(await told(), [true, false]);
    const emptied = async () =>
      readCommandStats(await server.command("INFO", "commandstats") as string).emptied;
    const before = await emptied();
    await server.command("MSET", "k", "v", "l", "w");
    assertEquals(await emptied(), before);
    await server.command("EVAL", 'redis.call("FLUSHALL")', 0);
    assertNotEquals(await emptied(), before);
    const [known] = await server.command("COMMAND", "INFO", "MSETEX") as unknown[];
    if (known !== null) {
      await server.command("EVAL", 'redis.call("MSETEX", 1, KEYS[1], "v")', 1, "k");
      assertEquals(await told(), [false, false]);
    }
    await server.command("CONFIG", "RESETSTAT");
    assertEquals(await told(), [false, false]);
  });
}
