import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Lease, POOL_VARIABLE } from "./lease.ts";
import { TestCluster } from "./cluster.ts";
import { Pool } from "./pool.ts";
import { listProcesses, runs } from "./process.ts";
import { TestServer } from "./server.ts";
import type { ServerOptions } from "./server_process.ts";
import { until } from "./wait.ts";

async function lease(pool: Pool, options: ServerOptions = {}): Promise<TestServer> {
  const lease = await Lease.take(options, null, pool.address);
  assert(lease !== null);
  return await TestServer.of(lease.nodes[0]!, options);
}

async function leaseCluster(pool: Pool): Promise<TestCluster> {
  return await TestCluster.lease({ primaries: 2, replicas: 1 }, pool.address);
}

/** Resolves once all that was given back is in order again or replaced. */
async function settled(pool: Pool): Promise<void> {
  await until("nothing is leased", () => pool.leases === 0);
}

Deno.test("a returned server is leased again, with nothing of before on it", async () => {
  await using pool = await Pool.start();
  let pid: number;
  let sha: string;
  {
    await using server = await lease(pool, {
      config: { "notify-keyspace-events": "KEA", "client-output-buffer-limit": "pubsub 1mb 0 0" },
      acl: ["reader on >word ~* &* +@all"],
      password: "secret",
    });
    pid = server.pid;
    await using reader = await server.client({ username: "reader", password: "word" });
    assertEquals(await reader.command("ACL", "WHOAMI"), "reader");
    const reply = await server.command("CONFIG", "GET", "notify-keyspace-events");
    assertEquals(reply, ["notify-keyspace-events", "AKE"]);
    await server.command("SET", "k", 1);
    await reader.command("SELECT", 5);
    await reader.command("SET", "k", 1);
    sha = await server.command("SCRIPT", "LOAD", "return 1") as string;
    await server.command(
      "FUNCTION",
      "LOAD",
      "#!lua name=l\nredis.register_function('f', function() return 1 end)",
    );
    await server.command("CONFIG", "SET", "maxmemory", 100_000_000, "hz", 50);
    await server.command("ACL", "SETUSER", "default", "resetkeys", "~only:*", "-debug");
    await server.command("ACL", "SETUSER", "more", "on", "nopass", "+@all");
    await server.command("SAVE");
    await reader.command("CLIENT", "PAUSE", 60_000, "WRITE");
    // Still open when the lease ends.
    const left = await server.client({ username: "more", password: "any" });
    await left.command("PING");
    await server[Symbol.asyncDispose]();
    await until("its client is ended", () => !left.isOpen);
  }
  await settled(pool);
  assertEquals(pool.counts, { started: 1, leased: 1, discarded: 0 });
  await using again = await lease(pool);
  assertEquals(again.pid, pid);
  assertEquals(await again.command("DBSIZE"), 0);
  assertEquals(await again.command("SET", "other", 1), "OK");
  assertEquals(await again.command("ACL", "USERS"), ["default"]);
  assertEquals(await again.command("CONFIG", "GET", "requirepass"), ["requirepass", ""]);
  assertEquals(await again.command("CONFIG", "GET", "notify-keyspace-events"), [
    "notify-keyspace-events",
    "",
  ]);
  assertEquals(await again.command("FUNCTION", "LIST"), []);
  assertEquals((await again.command("ROLE") as string[])[0], "master");
  const [isKnown] = await again.command("SCRIPT", "EXISTS", sha) as number[];
  assertEquals(isKnown, 0);
  assertEquals(await again.command("CONFIG", "GET", "hz"), ["hz", "10"]);
  await again.restart();
  assertEquals(await again.command("DBSIZE"), 0);
});

for (
  const [what, spend] of [
    ["killed", (server: TestServer) => server.kill()],
    ["restarted", (server: TestServer) => server.restart({ "notify-keyspace-events": "KEA" })],
    ["paused", (server: TestServer) => server.pause()],
    ["stopped", (server: TestServer) => server.stop()],
    ["shut down", (server: TestServer) => server.command("SHUTDOWN", "NOSAVE").catch(() => {})],
  ] as const
) {
  Deno.test(`a server that was ${what} is not leased again`, async () => {
    await using pool = await Pool.start();
    let pid: number;
    {
      await using server = await lease(pool);
      pid = server.pid;
      await spend(server);
    }
    await settled(pool);
    assertEquals(pool.counts.discarded, 1);
    await using again = await lease(pool);
    assert(again.pid !== pid);
    assertEquals(await again.command("PING"), "PONG");
  });
}

Deno.test("a leased server can be killed and restarted as one of the test's own", async () => {
  await using pool = await Pool.start();
  await using server = await lease(pool);
  const { port, pid } = server;
  assertEquals((await server.kill())?.signal, "SIGKILL");
  await assertRejects(() => server.command("PING"), Error, "does not run");
  await server.restart({ "notify-keyspace-events": "KEA" });
  assertEquals([server.port, server.pid === pid], [port, false]);
  const reply = await server.command("CONFIG", "GET", "notify-keyspace-events");
  assertEquals(reply, ["notify-keyspace-events", "AKE"]);
});

Deno.test("to pause a leased server that has ended sends no signal to anybody", async () => {
  await using pool = await Pool.start();
  await using server = await lease(pool);
  await server.command("SHUTDOWN", "NOSAVE").catch(() => {});
  await until("it has ended", async () => {
    return !await runs(server.pid);
  });
  await server.pause();
  await server.resume();
});

Deno.test("a server that has continued another one's replication stream has none of its own again", async () => {
  await using pool = await Pool.start();
  const history = async (server: TestServer) => {
    const info = await server.command("INFO", "replication") as string;
    return ["master_replid2", "second_repl_offset"].map((name) =>
      new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)![1]
    );
  };
  let pid: number;
  {
    await using primary = await lease(pool);
    await using replica = await lease(pool);
    ({ pid } = replica);
    const before = await history(replica);
    await replica.command("REPLICAOF", primary.host, String(primary.port));
    await until("it follows", async () => {
      return String(await replica.command("INFO", "replication")).includes("link_status:up");
    });
    await replica.command("REPLICAOF", "NO", "ONE");
    assert(String(await history(replica)) !== String(before));
    assertEquals(before, ["0".repeat(40), "-1"]);
  }
  await settled(pool);
  assertEquals(pool.counts, { started: 2, leased: 2, discarded: 0 });
  await using one = await lease(pool);
  await using other = await lease(pool);
  const again = one.pid === pid ? one : other;
  assertEquals(again.pid, pid);
  assertEquals(await history(again), ["0".repeat(40), "-1"]);
});

Deno.test("a server that cannot be cleaned up is replaced and reported", async () => {
  await using pool = await Pool.start();
  let pid: number;
  {
    await using server = await lease(pool);
    pid = server.pid;
    await Deno.remove(server.dir, { recursive: true });
  }
  await settled(pool);
  assertEquals(pool.counts.discarded, 1);
  assertEquals(pool.failures.length, 1);
  assert(pool.failures[0]!.includes("Cannot clean up"), pool.failures[0]);
  assert(!await runs(pid));
  await using again = await lease(pool);
  assertEquals(await again.command("PING"), "PONG");
});

Deno.test("a server whose watchdog is gone is replaced and reported", async () => {
  await using pool = await Pool.start();
  {
    await using server = await lease(pool);
    const watchdogs = (await listProcesses())
      .filter(({ command }) => command.endsWith(` watchdog ${server.dir}`));
    assertEquals(watchdogs.length, 1);
    Deno.kill(watchdogs[0]!.pid, "SIGKILL");
    await server.kill();
    await server.restart();
    assertEquals(await server.command("PING"), "PONG");
  }
  await settled(pool);
  assertEquals(pool.counts.discarded, 1);
  assertEquals(pool.failures.length, 1);
  await using again = await lease(pool);
  assertEquals(await again.command("PING"), "PONG");
});

Deno.test("a server cannot be used once it was given back", async () => {
  await using pool = await Pool.start();
  const server = await lease(pool);
  const { pid } = server;
  await server[Symbol.asyncDispose]();
  const uses: (() => Promise<unknown>)[] = [
    () => server.command("PING"),
    () => server.client(),
    () => server.kill(),
    () => server.restart(),
    () => server.pause(),
    () => server.resume(),
  ];
  for (const use of uses) await assertRejects(use, Error);
  assertThrows(() => server.pid, Error, "given back");
  await server[Symbol.asyncDispose]();
  await settled(pool);
  await using again = await lease(pool);
  assertEquals(again.pid, pid);
  assertEquals(await again.command("PING"), "PONG");
});

Deno.test("leases at once are of different servers", async () => {
  await using pool = await Pool.start();
  const [one, two] = await Promise.all([lease(pool), lease(pool)]);
  assert(one.pid !== two.pid);
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
});

Deno.test("what cannot be had by changing a server is not leased", async () => {
  await using pool = await Pool.start();
  const options: ServerOptions[] = [
    { args: ["--loglevel", "debug"] },
    { config: { databases: 2 } },
    { config: { "rename-command": 'HELLO ""' } },
    { acl: ["default off"] },
    { config: { "notify-keyspace-events": "no such letters!" } },
  ];
  for (const one of options) assertEquals(await Lease.take(one, null, pool.address), null);
  // The others are not asked for.
  assertEquals(pool.failures.length, 1);
  assert(/^A lease failed: .*notify-keyspace-events/.test(pool.failures[0]!), pool.failures[0]);
});

Deno.test("a cluster is leased again while its slots and roles are as before, and only then", async () => {
  await using pool = await Pool.start();
  let ids: string;
  {
    await using cluster = await leaseCluster(pool);
    ids = cluster.servers.map(({ pid }) => pid).join();
    const owner = await cluster.ownerOf("k");
    await owner.command("SET", "k", 1);
    await Promise.all(
      cluster.servers.map((one) => one.command("CONFIG", "SET", "notify-keyspace-events", "KEA")),
    );
  }
  await settled(pool);
  {
    await using cluster = await leaseCluster(pool);
    assertEquals(cluster.servers.map(({ pid }) => pid).join(), ids);
    assertEquals(await Promise.all(cluster.servers.map((one) => one.command("DBSIZE"))), [
      0,
      0,
      0,
      0,
    ]);
    const flags = await cluster.servers[0]!.command("CONFIG", "GET", "notify-keyspace-events");
    assertEquals(flags, ["notify-keyspace-events", ""]);
    await cluster.failOver(cluster.servers[2]!);
  }
  await settled(pool);
  assertEquals(pool.counts, { started: 1, leased: 2, discarded: 1 });
  await using cluster = await leaseCluster(pool);
  assert(cluster.servers.map(({ pid }) => pid).join() !== ids);
});

Deno.test("a cluster that is down is not leased again before it is well", async () => {
  await using pool = await Pool.start();
  const state = async (server: TestServer) =>
    /cluster_state:(\w+)/.exec(await server.command("CLUSTER", "INFO") as string)?.[1];
  {
    await using cluster = await leaseCluster(pool);
    const [one, other] = cluster.servers;
    // Behind the back of the pool, which would replace the cluster otherwise.
    Deno.kill(one!.pid, "SIGSTOP");
    try {
      await until("the other is alone", async () => await state(other!) === "fail");
    } finally {
      Deno.kill(one!.pid, "SIGCONT");
    }
  }
  await settled(pool);
  await using cluster = await leaseCluster(pool);
  const states = await Promise.all(cluster.servers.map(state));
  assertEquals(states, cluster.servers.map(() => "ok"));
});

Deno.test("the end of the pool ends its servers, those that are leased too", async () => {
  const pool = await Pool.start();
  const server = await lease(pool);
  const { pid, dir } = server;
  await pool[Symbol.asyncDispose]();
  await assertRejects(() => Deno.stat(dir), Deno.errors.NotFound);
  await assertRejects(() => server.restart(), Error);
  assert(pid > 0);
  await server[Symbol.asyncDispose]();
});

Deno.test("the variable of the test runner leads to its pool", async () => {
  const path = Deno.env.get(POOL_VARIABLE);
  if (path === undefined) return;
  await using taken = (await Lease.take({}))!;
  assertEquals(taken.nodes.length, 1);
});
