import { assert, assertEquals, assertRejects } from "@std/assert";
import { startSentinels, type TestServer } from "./mod.ts";

async function role(server: TestServer): Promise<string> {
  return (await server.command("ROLE") as string[])[0]!;
}

Deno.test("sentinels that make a replica the primary when the primary is killed", async () => {
  await using all = await startSentinels();
  assertEquals([all.servers.length, all.sentinels.length, all.urls.length], [2, 3, 3]);
  const [first, second] = all.servers;
  for (const sentinel of all.sentinels) assertEquals(await all.primary(sentinel), first);
  assertEquals([await role(first!), await role(second!)], ["master", "slave"]);
  await first!.kill();
  assertEquals(await all.whenMoved(first!), second);
  assertEquals(await role(second!), "master");
});

Deno.test("a sentinel that is restarted knows what it knew before", async () => {
  await using all = await startSentinels();
  const [first, second] = all.servers;
  const last = all.sentinels.at(-1)!;
  const id = await last.command("SENTINEL", "MYID");
  await last.kill();
  await first!.kill();
  assertEquals(await all.whenMoved(first!, all.sentinels.slice(0, -1)), second);
  await last.restart();
  assertEquals(await last.command("SENTINEL", "MYID"), id);
  assertEquals(await all.whenMoved(first!), second);
  await assertRejects(() => last.restart({ maxclients: 100 }), Error, "Cannot change");
});

Deno.test("a failover on demand, with the old primary alive", async () => {
  await using all = await startSentinels({ sentinels: 1, replicas: 2 });
  const [first] = all.servers;
  const next = await all.failover();
  assert(next !== first);
  assertEquals(await role(next), "master");
});

Deno.test("sentinels and servers with passwords of their own", async () => {
  await using all = await startSentinels({ password: "one", sentinelPassword: "two" });
  await assertRejects(async () => {
    await using client = await all.servers[0]!.client({ password: "two" });
    await client.command("PING");
  });
  await assertRejects(async () => {
    await using client = await all.sentinels[0]!.client({ password: "one" });
    await client.command("PING");
  });
  assertEquals(await all.primary(), all.servers[0]);
});
