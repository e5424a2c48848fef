import { assert, assertEquals } from "@std/assert";
import { sleep, startSentinels, type TestServer, until } from "../../servers/mod.ts";
import { TALKATIVE } from "../pair.ts";
import { cut, Numbers, Watched } from "./watched.ts";

const ONE = { ...TALKATIVE, sentinels: 1 };

Deno.test("a subscriber of expired keys alone learns of each, or that it may have missed it", async () => {
  await using all = await startSentinels(ONE);
  const primary = all.servers[0]!;
  await using watched = await Watched.start(all, ["__keyevent@0__:expired"]);
  for (let turn = 0; turn < 4; turn++) {
    await watched.whenMatched();
    for (let n = 0; n < 50; n++) {
      await primary.command("SET", `${turn}:${n}`, "", "PX", 20 + 4 * n);
      if (n === 25) await cut(primary);
    }
  }
  await until("all keys have expired", async () => await primary.command("DBSIZE") === 0);
  await watched.whenMatched();
  await sleep(300);
  const named = new Set(watched.gaps.flatMap(({ keys }) => keys ?? []));
  assert(watched.gaps.every(({ keys }) => keys !== undefined));
  assertEquals(watched.events.length, new Set(watched.events).size);
  const missing = Array.from({ length: 200 }, (_, n) => `${n / 50 | 0}:${n % 50}`)
    .filter((key) => !named.has(key) && !watched.events.includes(`expired ${key}`));
  assertEquals(missing, []);
});

Deno.test("other events than those of the primary are a reason not to stand by", async () => {
  await using all = await startSentinels(ONE);
  const [primary, replica] = all.servers as [TestServer, TestServer];
  await replica.command("CONFIG", "SET", "notify-keyspace-events", "K$");
  await using watched = await Watched.start(all, ["__keyspace@0__:k"], {}, false);
  await until("it is said", () => watched.warnings.length > 0);
  const [warning] = watched.warnings;
  assert(warning!.includes('"AKE" on the primary and "$K" on the replica'), warning);
  assertEquals([watched.standby.isMatched, watched.standby.error === null], [false, false]);
  await cut(primary);
  await until("the primary is back", () => watched.gaps.length > 0);
  assertEquals(watched.gaps.map(({ keys }) => keys), [undefined]);
  await replica.command("CONFIG", "SET", "notify-keyspace-events", "AKE");
  await watched.whenMatched();
  assertEquals(watched.standby.error, null);
});

Deno.test("a replica that is lost, or receives everything again, leaves no gap", async () => {
  await using all = await startSentinels(ONE);
  const [primary, replica] = all.servers as [TestServer, TestServer];
  await using watched = await Watched.start(all, ["__keyspace@0__:n:*"]);
  await using numbers = new Numbers(() => primary);
  await cut(replica);
  await watched.whenMatched();
  await replica.command("REPLICAOF", "NO", "ONE");
  await replica.command("SET", "n:own", "");
  await replica.command("REPLICAOF", primary.host, primary.port);
  await watched.whenMatched();
  await replica.kill();
  await until("it is missed", () => !watched.standby.isMatched);
  const { length } = numbers.written;
  await until("more were written", () => numbers.written.length > length + 100);
  await numbers.stop();
  const expected = numbers.written.map((number) => `set n:${number}`);
  await until("all came", () => watched.events.length >= expected.length);
  assertEquals(watched.events, expected);
  assertEquals(watched.gaps, []);
});

Deno.test("there is a gap if the connection is lost while the replica is gone", async () => {
  await using all = await startSentinels(ONE);
  const [primary, replica] = all.servers as [TestServer, TestServer];
  await using watched = await Watched.start(all, ["__keyspace@0__:n:*"]);
  await using numbers = new Numbers(() => primary);
  await until("some were written", () => numbers.written.length > 100);
  await replica.kill();
  await cut(primary);
  await until("there is a gap", () => watched.gaps.some(({ keys }) => keys === undefined));
  await replica.restart();
  await watched.whenMatched();
  await numbers.stop();
  assertEquals(watched.events.length, new Set(watched.events).size);
  const last = `set n:${numbers.written.at(-1)}`;
  await until("the last one has come", () => watched.events.at(-1) === last);
  assertEquals(watched.gaps.length, 1);
});

Deno.test("reads of missing keys are a gap while a replica leads", async () => {
  await using all = await startSentinels({ ...ONE, config: { "notify-keyspace-events": "KEAm" } });
  const [primary] = all.servers as [TestServer];
  await using watched = await Watched.start(all, ["__keyevent@0__:keymiss"]);
  assertEquals(watched.standby.lacks, ["keymiss"]);
  await cut(primary);
  await until("the primary is back", () => watched.gaps.length > 0);
  assertEquals(watched.gaps.map(({ keys }) => keys), [undefined]);
});

Deno.test("a user who may not track what is discarded has no standby, and gets a warning", async () => {
  await using all = await startSentinels(ONE);
  for (const server of all.servers) {
    await server.command(
      "ACL",
      "SETUSER",
      "u",
      "on",
      ">pw",
      "~*",
      "&*",
      "+@all",
      "-client|tracking",
    );
  }
  await using watched = await Watched.start(all, ["__keyspace@0__:k"], {
    username: "u",
    password: "pw",
  }, false);
  await until("it is said", () => watched.warnings.length > 0);
  assert(watched.warnings[0]!.includes("cannot stand by"), watched.warnings[0]);
  await sleep(500);
  assertEquals(watched.standby.isMatched, false);
});

Deno.test("a standby that closes with its notifications leaves nothing open", async () => {
  await using all = await startSentinels(ONE);
  {
    await using watched = await Watched.start(all, ["__keyspace@0__:k"], { protocol: 2 });
    await watched.notifications.unsubscribe();
  }
  for (const server of all.servers) {
    await until("no connection is left", async () => {
      return !String(await server.command("CLIENT", "LIST")).includes("name=keywatch");
    });
  }
});
