import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, MissingDatabaseError } from "../../mod.ts";
import { startServer, until } from "../servers/mod.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: a database that the server has not is refused, and nothing else`, async () => {
    await using server = await startServer(TALKATIVE);
    await using notifications = await connect(`${server.url}/99`, { protocol });
    const error = await assertRejects(
      () => notifications.subscribeKeyspace("user:*"),
      MissingDatabaseError,
    );
    assertEquals([error.server, error.database], [`127.0.0.1:${server.port}`, 99]);
    assertStringIncludes(error.message, '"__keyspace@99__:user:*"');
    assertStringIncludes(error.message, "DB index is out of range");
    assertEquals(notifications.subscribed, false);

    await notifications.subscribeKeyevent("set", { db: 15 });
    await notifications.subscribeKeyevent("del", { db: "*" });
    // On a connection that has subscribed, too, and when the channel is given as it is.
    for (const channel of ["__keyevent@16__:set", "__subkeyspaceevent@2147483647__:hset|k"]) {
      await assertRejects(() => notifications.subscribe(channel), MissingDatabaseError, channel);
    }
    await server.command("SELECT", 15);
    await server.command("SET", "k", "x");
    const notification = await notifications.getMessage({ timeout: 20_000 });
    assertEquals([notification?.key, notification?.database], ["k", 15]);
  });

  Deno.test(`RESP${protocol}: a server that restarts without the database is noticed`, async () => {
    await using server = await startServer(TALKATIVE);
    const errors: unknown[] = [];
    await using notifications = await connect(`${server.url}/3`, {
      protocol,
      onError: (error) => errors.push(error),
    });
    await notifications.subscribeKeyevent("set");
    await server.restart({ databases: 2 });
    await until("it is noticed", () => errors.length > 0);
    assert(errors[0] instanceof MissingDatabaseError);
    assertStringIncludes(notifications.health().reason, "no database 3");
    await server.restart({ databases: 4 });
    await until("it is there again", () => notifications.health().ok);
    await server.command("SELECT", 3);
    await server.command("SET", "k", "x");
    assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.database, 3);
  });
}

Deno.test("a cluster has not the second database of others", async () => {
  await using server = await startServer({
    config: { ...TALKATIVE.config, "cluster-enabled": "yes" },
  });
  await using notifications = await connect(`${server.url}/1`, { singleNode: true });
  await assertRejects(
    () => notifications.subscribeKeyspace("k"),
    MissingDatabaseError,
    "not allowed in cluster mode",
  );
});

Deno.test("a missing database can be made a warning, or no matter", async () => {
  await using server = await startServer(TALKATIVE);
  const warnings: string[] = [];
  const onWarning = (message: string) => warnings.push(message);
  await using warned = await connect(`${server.url}/16`, { flags: "warn", onWarning });
  await warned.subscribeKeyevent("set");
  assertEquals(warnings.length, 1);
  assertStringIncludes(warnings[0]!, "it has no database 16");
  await using ignorant = await connect(`${server.url}/16`, { flags: "ignore", onWarning });
  await ignorant.subscribeKeyevent("set");
  assertEquals(warnings.length, 1);
});

Deno.test("a server that does not report its databases is trusted", async () => {
  await using server = await startServer({ ...TALKATIVE, acl: ["bo on >pw ~* &* +@all -select"] });
  await using notifications = await connect(`redis://bo:pw@127.0.0.1:${server.port}/99`);
  await notifications.subscribeKeyspace("k");
  assertEquals(notifications.subscribed, true);
});
