import { assert, assertEquals } from "@std/assert";
import { connect, type ConnectOptions, type Gap } from "../../mod.ts";
import { Proxy } from "../ledger/proxy.ts";
import { startServer, type TestServer, until } from "../servers/mod.ts";
import { FakeSentinel } from "./fake_sentinel.ts";
import { FakeServer } from "./fake_server.ts";
import { BLIND, blind, follow, promote, startPair, TALKATIVE, target } from "./pair.ts";

/** An address that leads to several servers, and how often it was connected to. */
async function startAddress(choose: (count: number) => TestServer) {
  let count = 0;
  const proxy = await Proxy.start(() => choose(count++));
  return {
    url: `redis://127.0.0.1:${proxy.port}`,
    count: () => count,
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

/** What is reported, and the options that take it. */
function listener() {
  const gaps: Gap[] = [];
  const warnings: string[] = [];
  const errors: unknown[] = [];
  const options: ConnectOptions = {
    onGap: (gap) => gaps.push(gap),
    onWarning: (warning) => warnings.push(warning),
    onError: (error) => errors.push(error),
  };
  return { gaps, warnings, errors, options };
}

/** Makes a replica the primary, and the primary its replica; returns what {@linkcode follow} does. */
async function failover(to: TestServer, from: TestServer): Promise<number> {
  await promote(to);
  return await follow(from, to);
}

for (const protocol of [2, 3] as const) {
  for (const user of ["default", "blind"] as const) {
    // In RESP2, servers that do not identify themselves cannot be distinguished.
    if (protocol === 2 && user === "blind") continue;
    Deno.test(`RESP${protocol}: a name that leads to the new primary after a failover is followed (user ${user})`, async () => {
      await using pair = await startPair();
      const [a, b] = pair.servers as [TestServer, TestServer];
      await blind(pair.servers);
      let primary = a;
      await using address = await startAddress(() => primary);
      const { gaps, warnings, options } = listener();
      await using notifications = await connect(address.url, {
        ...options,
        ...(user === "blind" ? BLIND : {}),
        protocol,
        heartbeat: { interval: 50 },
      });
      await notifications.subscribeKeyevent("expired");
      const servers = [b, a, b, a];
      for (const [round, next] of servers.entries()) {
        const before = primary;
        primary = next;
        const demotedAt = await failover(next, before);
        await until("it is noticed", () => gaps.length === round + 1);
        assertEquals(gaps[round]!.reason, "failover");
        assert(
          gaps[round]!.from <= demotedAt,
          `it begins ${gaps[round]!.from - demotedAt} ms late`,
        );
        await next.command("SET", `k${round}`, "x", "PX", 1);
        const notification = await notifications.getMessage({ timeout: 20_000 });
        assertEquals(`${notification?.eventType} ${notification?.key}`, `expired k${round}`);
        assertEquals(notifications.health().ok, true);
      }
      assertEquals(warnings, []);
    });
  }
}

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: a name that leads to the new primary long after a failover is followed`, async () => {
    await using pair = await startPair();
    const [a, b] = pair.servers as [TestServer, TestServer];
    let server = a;
    await using address = await startAddress(() => server);
    const { gaps, warnings, options } = listener();
    await using notifications = await connect(address.url, {
      ...options,
      protocol,
      heartbeat: { interval: 50 },
    });
    await notifications.subscribeKeyevent("expired");
    await failover(b, a);
    await until("it is a replica that is watched", () => {
      return warnings.some((warning) => warning.includes("was a primary and is a replica now"));
    });
    const before = address.count();
    await until("it was looked after often", () => address.count() > before + 3);
    assertEquals(gaps.length, 1);
    server = b;
    await until("it is noticed", () => gaps.length === 2);
    await b.command("SET", "k", "x", "PX", 1);
    assertEquals(`${(await notifications.getMessage({ timeout: 20_000 }))?.key}`, "k");
    assertEquals(gaps.map(({ reason }) => reason), ["failover", "failover"]);
  });

  Deno.test(`RESP${protocol}: so it is by a user who may not ask which server it is`, async () => {
    await using pair = await startPair();
    const [a, b] = pair.servers as [TestServer, TestServer];
    await blind(pair.servers);
    // Where RESP2 may ask neither INFO nor ROLE, the role of a server stays unknown.
    for (const server of protocol === 2 ? pair.servers : []) {
      await server.command("ACL", "SETUSER", "blind", "+role");
    }
    let primary = a;
    await using address = await startAddress(() => primary);
    const { gaps, warnings, options } = listener();
    await using notifications = await connect(address.url, {
      ...options,
      ...BLIND,
      protocol,
      heartbeat: { interval: 50 },
    });
    await notifications.subscribeKeyevent("expired");
    await failover(b, a);
    await until("it is noticed", () => warnings.length === 2);
    const before = address.count();
    await until("it is looked after", () => address.count() > before + 2);
    assertEquals(notifications.status().nodes[0]!.role, "replica");
    primary = b;
    await until("it is left", () => notifications.status().nodes[0]!.role === "primary");
    assertEquals(gaps.at(-1)!.reason, "failover");
    await b.command("SET", "k", "x", "PX", 1);
    const notification = await notifications.getMessage({ timeout: 20_000 });
    assertEquals(`${notification?.eventType} ${notification?.key}`, "expired k");
    assertEquals(notifications.health().ok, true);
  });
}

Deno.test("RESP2: a failover behind a name is noticed also where only INFO shows the role", async () => {
  await using pair = await startPair();
  const [a, b] = pair.servers as [TestServer, TestServer];
  for (const server of pair.servers) {
    await server.command("ACL", "SETUSER", "deaf", "on", ">pw", "+@all", "-role", "~*", "&*");
  }
  let server = a;
  await using address = await startAddress(() => server);
  const { gaps, options } = listener();
  await using notifications = await connect(address.url, {
    ...options,
    protocol: 2,
    username: "deaf",
    password: "pw",
    heartbeat: { interval: 50 },
  });
  await notifications.subscribeKeyevent("expired");
  assertEquals(notifications.status().nodes[0]!.role, "primary");
  await failover(b, a);
  server = b;
  // The old primary may be met again before the name leads to the new one.
  await until("the new one is watched", () => {
    return gaps.length > 0 && notifications.health().ok &&
      notifications.status().nodes[0]!.role === "primary";
  });
  await b.command("SET", "k", "x", "PX", 1);
  assertEquals(`${(await notifications.getMessage({ timeout: 20_000 }))?.key}`, "k");
});

Deno.test("RESP2: a name that moves to an unrelated primary is followed", async () => {
  await using a = await startServer(TALKATIVE);
  await using b = await startServer(TALKATIVE);
  let server = a;
  await using address = await startAddress(() => server);
  const { gaps, options } = listener();
  await using notifications = await connect(address.url, {
    ...options,
    protocol: 2,
    heartbeat: { interval: 50 },
  });
  await notifications.subscribeKeyspace("k");
  for (const [round, next] of [b, a, b].entries()) {
    const before = address.count();
    await until("it was looked after", () => address.count() > before);
    server = next;
    await until("it is noticed", () => gaps.length === round + 1);
    await next.command("SET", "k", "x");
    assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.eventType, "set");
  }
});

Deno.test("RESP2: two primaries behind a name cause ever fewer reconnects", async () => {
  await using a = await startServer(TALKATIVE);
  await using b = await startServer(TALKATIVE);
  // As a proxy does that prefers the server with the fewest connections: never the same one beside.
  await using toA = await Proxy.start(() => a);
  await using toB = await Proxy.start(() => b);
  let count = 0;
  await using proxy = await Proxy.start(() => {
    count++;
    const { host, port } = toA.connections <= toB.connections ? toA : toB;
    return { host, port };
  });
  const { gaps, warnings, options } = listener();
  await using notifications = await connect(`redis://127.0.0.1:${proxy.port}`, {
    ...options,
    protocol: 2,
    heartbeat: { interval: 10 },
  });
  await notifications.subscribeKeyspace("k");
  await until("it was looked after often", () => count > 40);
  // Once for each of 1, 2, 4, 8 and 16 sightings in a row.
  assert(gaps.length <= 6, `it was left ${gaps.length} times`);
  assertEquals(warnings.length, 1);
  assert(warnings[0]!.includes("leads to several servers"), warnings[0]);
});

Deno.test("RESP3: a primary beside a demoted one behind a name causes ever fewer reconnects", async () => {
  let role = "master";
  let lookups = 0;
  // Whatever speaks RESP3 gets the demoted one, and what looks beside it, in RESP2, the primary.
  await using server = new FakeServer(([name]) => {
    if (name === "HELLO") return `%1\r\n+role\r\n+${role}\r\n`;
    if (name !== "ROLE") return undefined;
    lookups++;
    return "*3\r\n+master\r\n:0\r\n*0\r\n";
  });
  const { gaps, options } = listener();
  await using notifications = await connect(server.url, {
    ...options,
    heartbeat: { interval: 10 },
  });
  await notifications.subscribeKeyspace("k");
  role = "replica";
  await until("it was looked beside often", () => lookups > 40);
  // Once for being a replica, and then for 1, 2, 4, 8 and 16 primaries in a row.
  assert(gaps.length <= 6, `it was left ${gaps.length} times`);
  assert(gaps.length > 1, "it is left for the primary");
});

Deno.test("RESP2: a name that leads to several replicas causes no reconnect", async () => {
  await using pair = await startPair();
  const [primary, first] = pair.servers as [TestServer, TestServer];
  await using second = await startServer(TALKATIVE);
  await follow(second, primary);
  const servers = [first, second, primary];
  await using address = await startAddress((count) => servers[count % 3]!);
  const { gaps, warnings, options } = listener();
  await using notifications = await connect(address.url, {
    ...options,
    protocol: 2,
    heartbeat: { interval: 10 },
  });
  await notifications.subscribeKeyspace("k");
  await until("it was looked after often", () => address.count() > 20);
  assertEquals(gaps, []);
  assertEquals(notifications.status().nodes[0]!.role, "replica");
  assertEquals(warnings.filter((warning) => warning.includes("several servers")).length, 1);
});

Deno.test("RESP2: what another server says of flags and databases counts for nothing", async () => {
  await using a = await startServer(TALKATIVE);
  await using b = await startServer({ config: { databases: 2 } });
  await follow(b, a);
  await using address = await startAddress((count) => count === 0 ? a : b);
  const { gaps, warnings, errors, options } = listener();
  await using notifications = await connect(address.url, {
    ...options,
    protocol: 2,
    heartbeat: { interval: 20 },
  });
  await notifications.subscribeKeyspace("k");
  // Of the second it would be known that neither can come.
  await notifications.subscribeKeyspace("l", { db: 7 });
  await until("it was looked after often", () => address.count() > 10);
  const { nodes: [node], gaps: count } = notifications.status();
  assertEquals([node!.state, node!.flags, node!.role, count], ["ready", "AKE", "primary", 0]);
  assertEquals([gaps, errors, warnings.length], [[], [], 1]);
  await a.command("SELECT", 7);
  await a.command("SET", "l", "x");
  assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.key, "l");
});

Deno.test("RESP2: flags that only a new connection can ask for are found to be back", async () => {
  await using a = await startServer(TALKATIVE);
  await using b = await startServer(TALKATIVE);
  await follow(b, a);
  let beside = a;
  let count = 0;
  // Every second connection is a further one, while the other flags are looked for.
  await using address = await startAddress(() => beside === a || count++ % 2 === 1 ? a : b);
  const { options } = listener();
  await using notifications = await connect(address.url, {
    ...options,
    protocol: 2,
    heartbeat: { interval: 20 },
  });
  await notifications.subscribeKeyspace("k");
  await a.command("CONFIG", "SET", "notify-keyspace-events", "");
  await until("it is degraded", () => notifications.status().nodes[0]!.state === "degraded");
  beside = b;
  await a.command("CONFIG", "SET", "notify-keyspace-events", "KEA");
  await until("it is noticed", () => notifications.health().ok);
});

Deno.test("RESP2: a name that leads to servers which do not say who they are is stayed with", async () => {
  await using pair = await startPair();
  const [primary, replica] = pair.servers as [TestServer, TestServer];
  for (const server of pair.servers) {
    await server.command("ACL", "SETUSER", "bo", "on", ">pw", "~*", "&*", "+@all", "-info");
  }
  await using address = await startAddress((count) => count === 0 ? primary : replica);
  const { gaps, warnings, options } = listener();
  await using notifications = await connect(address.url, {
    ...options,
    username: "bo",
    password: "pw",
    protocol: 2,
    heartbeat: { interval: 10 },
  });
  await notifications.subscribeKeyspace("k");
  await until("it was looked after often", () => address.count() > 10);
  assertEquals([gaps.length, warnings.length], [0, 1]);
  assert(warnings[0]!.includes("was a primary and is a replica now"), warnings[0]);
});

Deno.test("RESP2: a sentinel is not followed for what another one at its address says", async () => {
  await using pair = await startPair();
  const [first, second] = pair.servers as [TestServer, TestServer];
  await using one = new FakeSentinel(first, 1);
  await using other = new FakeSentinel(second, 7);
  one.protocol = other.protocol = 2;
  one.runId = "one";
  other.runId = "other";
  let elsewhere = 0;
  let count = 0;
  await using proxy = await Proxy.start(() => {
    // The first is asked for the primary, the second followed; the third would be asked beside it.
    if (++count !== 3) return one;
    elsewhere++;
    return other;
  });
  const { gaps, options } = listener();
  await using notifications = await connect(
    target({ url: `redis://127.0.0.1:${proxy.port}` }),
    options,
  );
  await notifications.subscribeKeyspace("k");
  await until("it is followed", () => elsewhere === 1 && count > 4 && one.followers === 1);
  assertEquals(notifications.status().nodes[0]!.node, `${first.host}:${first.port}`);
  assertEquals(gaps, []);
});
