import { assert, assertEquals } from "@std/assert";
import { cut } from "../pubsub/standby/watched.ts";
import { sleep, type TestServer, until } from "../servers/mod.ts";
import { ClusterNumbers, cutUnderLoad, startShards, tagOf, WatchedShards } from "./standby.ts";

for (const protocol of [3, 2] as const) {
  Deno.test(`RESP${protocol}: no event is missed when connections to primaries are cut`, async () => {
    await cutUnderLoad(12, { protocol });
  });
}

Deno.test("no event is missed or repeated where subscriptions overlap", async () => {
  await cutUnderLoad(6, { channels: ["__keyspace@0__:n:*", "__keyspace@0__:n*"] });
});

Deno.test("there is a gap if both connections of a shard are lost", async () => {
  await using cluster = await startShards();
  const [primary, , , replica] = cluster.servers as TestServer[];
  await using watched = await WatchedShards.start(cluster);
  await using numbers = new ClusterNumbers(cluster, cluster.servers.slice(0, 3));
  await until("some were written", () => numbers.written.length > 100);
  await until("there is a gap", async () => {
    await Promise.all([cut(primary!), cut(replica!)]);
    return watched.gaps.length > 0;
  });
  await watched.whenMatched();
  await numbers.stop();
  assertEquals(watched.events.length, new Set(watched.events).size);
});

Deno.test("there is a gap if a slot may have left the primary and returned meanwhile", async () => {
  await using cluster = await startShards();
  const [primary] = cluster.servers as [TestServer];
  await using watched = await WatchedShards.start(cluster);
  await using _numbers = new ClusterNumbers(cluster, cluster.servers.slice(0, 3));
  await Promise.all([primary.command("CLUSTER", "BUMPEPOCH"), cut(primary)]);
  await until("there is a gap", () => watched.gaps.length > 0);
  assert(watched.gaps.every(({ slots }) => slots!.every(({ last }) => last <= 5460)));
  await watched.whenMatched();
  assertEquals(watched.events.length, new Set(watched.events).size);
});

Deno.test("a failover is a gap, and repeats nothing", async () => {
  await using cluster = await startShards();
  const [primary, , , replica] = cluster.servers as TestServer[];
  await using watched = await WatchedShards.start(cluster);
  const tag = await tagOf(cluster, primary!);
  await cluster.failOver(replica!);
  await until("the new primary is heard", async () => {
    await replica!.command("SET", `n:{${tag}}probe`, "").catch(() => {});
    await sleep(50);
    return watched.events.length > 0;
  }, 30_000);
  await watched.whenMatched();
  watched.gaps.length = 0;
  watched.events.length = 0;
  await replica!.command("SET", `n:{${tag}}last`, "");
  await until("it arrives", () => watched.events.length > 0);
  await cut(replica!);
  await replica!.command("SET", `n:{${tag}}more`, "");
  await until("it arrives too", () => watched.events.length > 1);
  assertEquals(watched.events, [`set n:{${tag}}last`, `set n:{${tag}}more`]);
  assertEquals(watched.gaps, []);
});

Deno.test("what is missing around failovers lies in gaps, and nothing comes twice", async () => {
  await using cluster = await startShards();
  const [first, , , second] = cluster.servers as [TestServer, TestServer, TestServer, TestServer];
  await using watched = await WatchedShards.start(cluster);
  const tag = await tagOf(cluster, first);
  const written = new Map<string, number>();
  let isOver = false;
  const writing = (async () => {
    for (let n = 0; !isOver; n++) {
      const server = [first, second][n % 2]!;
      const key = `n:{${tag}}${n}`;
      const at = Date.now();
      if (await server.command("SET", key, "").catch(() => null) === "OK") {
        written.set(`set ${key}`, at);
      } else if (n % 16 === 0) await sleep(1);
    }
  })();
  for (const server of [second, first, second, first]) {
    await cluster.failOver(server);
    await watched.whenMatched();
    await cut(server);
    await watched.whenMatched();
  }
  isOver = true;
  await writing;
  await sleep(300);
  const { events, gaps } = watched;
  assertEquals(events.length, new Set(events).size);
  assert(events.length > 100);
  const seen = new Set(events);
  const lost = [...written].filter(([event, at]) =>
    !seen.has(event) && !gaps.some(({ from, to }) => from - 50 <= at && at <= to)
  );
  assertEquals(lost, []);
});
