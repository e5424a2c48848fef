import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { unknownFlags } from "../../events/flags.ts";
import { connect, MissingFlagsError } from "../../mod.ts";
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
    await until("the new key was informed of", () => seen.length === 1);
    assertEquals(seen, ["made"]);
  });

  Deno.test(`${name}: it accepts the letters that it is said to know, and no other`, async () => {
    await using server = await startServer({ binary });
    for (const protocol of [2, 3] as const) {
      await using notifications = await connect(server.url, { protocol });
      const [node] = notifications.status().nodes;
      for (const letter of "Ag$lshzxetdanocrKEmSTIV") {
        const set = server.command("CONFIG", "SET", "notify-keyspace-events", letter);
        const accepted = await set.then(() => true, () => false);
        assertEquals(unknownFlags(letter, node!) === "", accepted, letter);
      }
    }
  });

  for (const protocol of [2, 3] as const) {
    Deno.test(`${name}, RESP${protocol}: the command that an error advises is accepted and helps`, async () => {
      await using server = await startServer({ binary });
      await using notifications = await connect(server.url, { protocol });
      const [node] = notifications.status().nodes;
      for (const configured of ["", "KE", "AKE", "gxE", "AKEm"]) {
        for (
          const channels of [
            ["__keyspace@0__:k"],
            ["__keyevent@0__:new"],
            ["__keyevent@0__:overwritten"],
            ["__keyevent@0__:keymiss"],
            ["__subkeyspace@0__:k"],
            ["__subkeyevent@0__:hset", "__keyevent@0__:type_changed"],
            ["__subkeyspaceitem@0__:k\nf", "__keyevent@0__:xadd", "__keyspace@0__:*"],
          ]
        ) {
          await server.command("CONFIG", "SET", "notify-keyspace-events", configured);
          const trial = () =>
            notifications.subscribe(...channels).then(() => null, (error) => error as Error);
          let error = await trial();
          const what = `"${configured}", ${channels.join(" ")}: ${error?.message}`;
          const advised = /CONFIG SET notify-keyspace-events '([^']*)'/.exec(error?.message ?? "");
          if (advised !== null) {
            await server.command("CONFIG", "SET", "notify-keyspace-events", advised[1]!);
            error = await trial();
          }
          if (error !== null) {
            // What is left no command helps.
            assert(error instanceof MissingFlagsError, what);
            assertStringIncludes(error.message, "cannot send");
            assertEquals(error.message.includes("CONFIG SET"), false, error.message);
            assertEquals(error.command, null, what);
            assert(unknownFlags(error.missing, node!) !== "", what);
          }
          await notifications.unsubscribe();
        }
      }
    });
  }

  Deno.test(`${name}: merge adds what the server knows, beside a channel on which nothing can come`, async () => {
    await using server = await startServer({ binary });
    await using notifications = await connect(server.url, { flags: "merge" });
    const [node] = notifications.status().nodes;
    const together = notifications.subscribe("__subkeyspace@0__:k", "__keyevent@0__:expired");
    const isOld = unknownFlags("S", node!) !== "";
    const error = await together.then(() => null, (error) => error as Error);
    assertEquals(error instanceof MissingFlagsError, isOld);
    await server.command("CONFIG", "SET", "notify-keyspace-events", "");
    const alone = notifications.subscribe("__subkeyspace@0__:h");
    assertEquals(await alone.then(() => false, () => true), isOld);
    const [, flags] = await server.command("CONFIG", "GET", "notify-keyspace-events") as string[];
    if (isOld) assertEquals(flags, "", "for what cannot come nothing is set");
    await notifications.subscribeKeyevent("expired");
    await server.command("SET", "k", "x", "PX", "1");
    assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.eventType, "expired");
  });
}
