import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  connect,
  ConnectError,
  type ConnectOptions,
  dial,
  type TcpAddress,
  TimeoutError,
} from "../../mod.ts";
import { startServer, until } from "../servers/mod.ts";
import { FakeSentinel } from "./fake_sentinel.ts";
import { FakeServer } from "./fake_server.ts";

/** What says in each protocol that a connection is introduced. */
const FIRST = { 2: "AUTH", 3: "HELLO" } as const;

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: a server that loads its data is waited for`, async () => {
    let asked = 0;
    await using server = new FakeServer(([name]) =>
      name === FIRST[protocol] && ++asked < 4
        ? "-LOADING Redis is loading the dataset in memory\r\n"
        : undefined
    );
    await using notifications = await connect(server.url, {
      protocol,
      password: "pw",
      timeout: 60_000,
    });
    assertEquals(asked, 4);
    assertEquals(notifications.status().state, "ready");
  });

  Deno.test(`RESP${protocol}: a server that loads its data for longer than the timeout`, async () => {
    await using server = new FakeServer(([name]) =>
      name === FIRST[protocol] ? "-LOADING Redis is loading the dataset in memory\r\n" : undefined
    );
    await assertRejects(
      () => connect(server.url, { protocol, password: "pw", timeout: 250 }),
      TimeoutError,
      "LOADING Redis is loading the dataset in memory",
    );
    assert(server.commands.length > 1, "it was asked more than once");
  });
}

for (
  const refusal of [
    "-NOPROTO unsupported protocol version",
    "-ERR unknown command 'HELLO'",
    "-ERR unsupported command 'HELLO'",
    "-NOPERM this user has no permissions to run the 'hello' command",
  ]
) {
  Deno.test(`RESP2 is spoken where HELLO is answered with ${refusal}`, async () => {
    await using server = new FakeServer(([name]) =>
      name === "HELLO" ? `${refusal}\r\n` : undefined
    );
    const options: ConnectOptions = { username: "bo", password: "pw" };
    {
      await using notifications = await connect(server.url, options);
      assertEquals(notifications.status().nodes[0]!.protocol, 2);
    }
    assertEquals(server.commands.slice(0, 3), [
      "HELLO 3 AUTH bo pw SETNAME keywatch",
      "AUTH bo pw",
      "CLIENT SETNAME keywatch",
    ]);
    await assertRejects(
      () => connect(server.url, { ...options, protocol: 3 }),
      ConnectError,
      "leave the protocol option out",
    );
  });
}

Deno.test("a server that refuses the name, or to say what it is, is used all the same", async () => {
  await using server = await startServer({
    config: { "notify-keyspace-events": "KEA" },
    acl: ["bo on >pw ~* &* -@all +psubscribe +subscribe +ping"],
  });
  await using notifications = await connect(server.url, {
    protocol: 2,
    username: "bo",
    password: "pw",
  });
  await notifications.subscribeKeyspace("k");
  await server.command("SET", "k", "x");
  assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.key, "k");
  const { software, version, role } = notifications.status().nodes[0]!;
  assertEquals([software, version, role], [null, null, null]);
});

Deno.test("connections have the name that they are given, and the library's own where it is known", async () => {
  await using server = new FakeServer(() => undefined);
  {
    await using _notifications = await connect(server.url, { clientName: "billing" });
    await until("all of it came", () => server.commands.length >= 3);
  }
  assertEquals(server.commands[0], "HELLO 3 SETNAME billing");
  assertEquals(server.commands[1], "CLIENT SETINFO LIB-NAME keywatch");
  assert(server.commands[2]!.startsWith("CLIENT SETINFO LIB-VER "));

  await using real = await startServer();
  for (const protocol of [2, 3] as const) {
    await using _notifications = await connect(real.url, { protocol, clientName: "billing" });
    assertStringIncludes(String(await real.command("CLIENT", "LIST")), " name=billing ");
  }
});

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: the library names itself on the connection that subscribes, and on no other`, async () => {
    await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
    await using sentinel = new FakeSentinel(server);
    sentinel.protocol = protocol;
    /** What was written to each connection. */
    const connections: { port: number; sent: string }[] = [];
    await using notifications = await connect({ sentinels: [sentinel.url], name: "mymaster" }, {
      protocol,
      heartbeat: { interval: 20 },
      dial: async (address, options) => {
        const transport = await dial(address, options);
        const record = { port: (address as TcpAddress).port, sent: "" };
        connections.push(record);
        return {
          read: () => transport.read(),
          write: (bytes) => {
            record.sent += new TextDecoder().decode(bytes);
            return transport.write(bytes);
          },
          close: () => transport.close(),
        };
      },
    });
    // In RESP2 each look at the flags and the role takes a connection of its own.
    for (const key of ["a", "b", "c"]) await notifications.subscribeKeyspace(key);
    await until(
      "the role was asked for",
      () => connections.reduce((sum, { sent }) => sum + sent.split("ROLE").length - 1, 0) > 3,
    );
    await until("the sentinel is followed", () => sentinel.followers === 1);
    for (const { port } of [server, sentinel]) {
      const all = connections.filter((one) => one.port === port);
      const named = all.filter(({ sent }) => sent.includes("SETINFO"));
      assertEquals(named.length, 1);
      assert(named[0]!.sent.includes("SUBSCRIBE"));
      assert(all.length > 1 || protocol === 3 && port === server.port);
    }
  });
}

Deno.test("a server that has no room for another client says so, and what to do", async () => {
  await using server = new FakeServer(() => "-ERR max number of clients reached\r\n");
  await assertRejects(() => connect(server.url), ConnectError, "raise its maxclients");
});

Deno.test("each step of the handshake has its deadline", async () => {
  const steps: [protocol: 2 | 3, command: string][] = [
    [3, "HELLO"],
    [2, "AUTH"],
    [2, "CLIENT"],
    [2, "INFO"],
    [2, "ROLE"],
  ];
  for (const [protocol, command] of steps) {
    await using server = new FakeServer(([name]) => name === command ? null : undefined);
    await assertRejects(
      () => connect(server.url, { protocol, password: "pw", timeout: 100 }),
      Error,
      `no answer to ${command} within 100 ms`,
    );
  }
});
