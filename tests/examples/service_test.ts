import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { countSessions } from "../../examples/cluster_nodes.ts";
import { FLAGS, watchNarrowly } from "../../examples/early_filtering.ts";
import { serveHealth } from "../../examples/health_endpoint.ts";
import { watchManaged } from "../../examples/managed_service.ts";
import { openRedis } from "../../examples/redis.ts";
import { startCluster, startServer, type TestServer, until } from "../servers/mod.ts";
import { Stage, watchers } from "./stage.ts";

Deno.test("health_endpoint says how things stand, and 503 while the server is away", async () => {
  await using stage = await Stage.open("KA");
  const { server, redis } = stage;
  const failing = ({ key }: { key: string }) => {
    if (key === "bad") throw new Error("as it should for this test");
  };
  await using endpoint = await serveHealth(stage.url, 0, failing);
  const { port } = endpoint.address() as { port: number };
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, text: await response.text() };
  };
  const metric = async (name: string) => {
    const { text } = await get("/metrics");
    return Number(new RegExp(`^keywatch_${name} (.+)$`, "m").exec(text)?.[1]);
  };

  assertEquals((await get("/health")).status, 200);
  assertEquals(await metric("up"), 1);
  assertEquals(await metric("last_event_age_seconds"), NaN);
  const { error } = console;
  console.error = () => {};
  try {
    for (const key of ["good", "bad"]) await redis.set(key, "");
    await until("both are counted", async () => await metric("events_total") === 2);
    await until("the failure too", async () => await metric("errors_total") === 1);
  } finally {
    console.error = error;
  }
  assert(await metric("last_event_age_seconds") < 30);
  const status = JSON.parse((await get("/status")).text);
  assertEquals(status.nodes[0].node, `127.0.0.1:${server.port}`);
  assertEquals(status.nodes[0].subscriptions, ["__keyspace@0__:*"]);
  assertEquals((await get("/else")).status, 404);

  await stage.kill();
  await until("it is not healthy", async () => (await get("/health")).status === 503);
  assertEquals(JSON.parse((await get("/health")).text).ok, false);
  assertEquals(await metric("up"), 0);
  await server.restart();
  await until("it is healthy again", async () => (await get("/health")).status === 200);
  assertEquals(await metric("gaps_total"), 1);
});

Deno.test("early_filtering gets only what it asked for, and the flags it names are enough", async () => {
  assertEquals(FLAGS, "gxK");
  await using stage = await Stage.open(FLAGS);
  const { redis, server } = stage;
  const ended: string[] = [];
  await using _watcher = await watchNarrowly(stage.url, (line) => ended.push(line));
  await until("it watches", async () => await watchers(server) === 1);
  for (let i = 0; i < 50; i++) await redis.set(`page:${i}`, "", { PX: 600_000 });
  await redis.publish("__keyspace@0__:session", "del");
  await redis.set("session:a", "", { PX: 600_000 });
  await redis.del("session:a");
  await redis.set("session:b", "", { PX: 1 });
  await until("both have ended", () => ended.length === 3);
  // The server sends of each session that its time is set, and its end.
  assertEquals(ended.slice(1), [
    "del a · 2 received, 1 handled",
    "expired b · 4 received, 2 handled",
  ]);
});

Deno.test("managed_service goes on without CONFIG, and finds out whether anything comes", async () => {
  const managed = (flags: string) =>
    startServer({
      config: { "notify-keyspace-events": flags },
      acl: ["app on >secret ~* &* +@all -config -@admin -@dangerous +info +cluster"],
    });
  await using on = await managed("KEA");
  await using off = await managed("");
  let asked = 0;
  const options = {
    credentials: () => {
      asked++;
      return { username: "app", password: "secret" };
    },
  };
  const lines: string[] = [];
  const end = new AbortController();
  const watch = async (server: TestServer, patience: number) => {
    const redis = await openRedis(server.url);
    const tell = (line: string) => lines.push(line);
    const { signal } = end;
    await watchManaged(server.url, redis, tell, { ...options, patience, signal })
      .finally(() => redis.destroy());
  };
  const isOff = watch(off, 500);
  await until("it has found that nothing arrives", () => lines.length === 1);
  assertStringIncludes(lines[0]!, "flags unknown · nothing arrives · set notify-keyspace-events");
  const isOn = watch(on, 30_000);
  await until("it has found that notifications arrive", () => lines.length === 2);
  assertEquals(lines[1], "flags unknown · notifications arrive");
  const before = asked;
  await until("it watches", async () => await watchers(on) === 1);
  await on.command("CLIENT", "KILL", "TYPE", "pubsub");
  await until("it has reported the gap", () => lines.length === 3);
  assert(asked > before, "the password is asked for at each connect");
  await on.command("SET", "a", "", "PX", 1);
  await until("it has come", () => lines.length === 4);
  assertStringIncludes(lines[2]!, "disconnected for ");
  assertEquals(lines[3], "a expired");
  end.abort();
  await Promise.all([isOff, isOn]);
});

Deno.test("cluster_nodes counts the sessions of all nodes, and again in the slots of a gap", async () => {
  await using cluster = await startCluster({ config: { "notify-keyspace-events": "Kg$x" } });
  const told: string[] = [];
  let count: string[] = [];
  const end = new AbortController();
  const watching = countSessions(cluster.urls.slice(0, 1), (line, sessions) => {
    told.push(line);
    count = [...sessions].sort();
  }, { signal: end.signal });
  try {
    await until("it watches", () => told.length === 1);
    for (const { port } of cluster.servers) assert(told[0]!.includes(`127.0.0.1:${port}`));
    const keys = Array.from({ length: 12 }, (_, i) => `session:${i}`).sort();
    const owners = new Set<number>();
    for (const key of keys) {
      const owner = await cluster.ownerOf(key);
      owners.add(owner.port);
      await owner.command("SET", key, "");
    }
    assertEquals(owners.size, 3, "the keys are on every node");
    await until("all are counted", () => count.length === keys.length);
    assertEquals(count, keys);
    await (await cluster.ownerOf("session:0")).command("DEL", "session:0");
    await (await cluster.ownerOf("session:1")).command("PEXPIRE", "session:1", 100);
    await until("two are gone", () => count.length === keys.length - 2);

    const owner = await cluster.ownerOf("session:2");
    await Promise.all([
      owner.command("CLIENT", "KILL", "TYPE", "pubsub"),
      owner.command("DEL", "session:2"),
    ]);
    await until("the gap is reported", () => told.some((text) => text.startsWith("disconnected")));
    await until("three are gone", () => count.length === keys.length - 3);
    const gap = told.find((text) => text.startsWith("disconnected"))!;
    assertMatch(gap, new RegExp(`slots \\d+-\\d+ of 127.0.0.1:${owner.port} again`));
    assert(!gap.includes("0-16383"), "only the slots of that node are counted again");
  } finally {
    end.abort();
    await watching;
  }
});
