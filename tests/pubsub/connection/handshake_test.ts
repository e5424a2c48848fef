import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  AuthError,
  connect,
  ConnectError,
  type ConnectOptions,
  dial,
  KeyspaceNotifications,
  type TcpAddress,
  TimeoutError,
} from "../../../mod.ts";
import { startServer, until } from "../../servers/mod.ts";
import { FakeSentinel } from "../fake_sentinel.ts";
import { FakeServer } from "../fake_server.ts";

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

/** What servers and proxies without RESP3 say to `HELLO 3 AUTH …`. */
const REFUSALS = [
  "-NOPROTO unsupported protocol version",
  "-ERR unknown command 'HELLO'",
  "-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `bo`, `SETNAME`, ",
  "-ERR unsupported command 'HELLO'",
  "-ERR command not support",
  "-ERR command is not allowed",
  "-ERR HELLO is not available",
  "-ERR RESP3 is not supported",
  "-ERR wrong number of arguments for 'hello' command",
  "-ERR Syntax error in HELLO option 'AUTH'",
  "-ERR",
  "-",
  "!9\r\nERR hello",
  "-NOPERM this user has no permissions to run the 'hello' command",
  "-NOAUTH Authentication required.",
  "-NOAUTH HELLO must be called with the client already authenticated",
  "-ERR NOAUTH Authentication required.",
  "+OK",
  ":3",
  "_",
  "$-1",
  "*-1",
  "*0",
  "*1\r\n+OK",
  "*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:2",
  "*3\r\n+server\r\n+redis\r\n+proto",
  "%2\r\n+server\r\n+redis\r\n+proto\r\n:2",
  "|1\r\n+a\r\n:1\r\n-ERR command not support",
];

for (const refusal of REFUSALS) {
  Deno.test(`speaks RESP2 when HELLO is answered with ${JSON.stringify(refusal)}`, async () => {
    await using server = new FakeServer(([name, channel]) => {
      if (name === "HELLO") return `${refusal}\r\n`;
      if (name !== "SUBSCRIBE") return undefined;
      const items = (kind: string) => `$${kind.length}\r\n${kind}\r\n$16\r\n${channel}\r\n`;
      return `*3\r\n${items("subscribe")}:1\r\n*3\r\n${items("message")}$3\r\nset\r\n`;
    });
    const options: ConnectOptions = { username: "bo", password: "pw", flags: "ignore" };
    {
      await using notifications = await connect(server.url, options);
      assertEquals(notifications.status().nodes[0]!.protocol, 2);
      await notifications.subscribeKeyspace("k");
      assertEquals((await notifications.getMessage({ timeout: 10_000 }))?.eventType, "set");
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

Deno.test("uses an array in place of HELLO's map if there is nothing else", async () => {
  const fields = ["server", "kv", "version", "1.2.3", "proto", "2", "mode", "standalone", "role"];
  const texts = [...fields, "master"].map((text) => `$${text.length}\r\n${text}\r\n`);
  await using server = new FakeServer(([name]) => {
    if (name === "HELLO") return `*${texts.length}\r\n${texts.join("")}`;
    return name === "INFO" || name === "ROLE" ? "-ERR unknown command\r\n" : undefined;
  });
  await using notifications = await connect(server.url);
  const { protocol, software, version, role } = notifications.status().nodes[0]!;
  assertEquals([protocol, software, version, role], [2, "kv", "1.2.3", "primary"]);
  assertEquals(server.heard("AUTH"), false);
});

Deno.test("refuses an array in place of HELLO's map that reports a Sentinel", async () => {
  const array = "*4\r\n+proto\r\n:2\r\n+mode\r\n+sentinel\r\n";
  await using server = new FakeServer(([name]) => name === "HELLO" ? array : undefined);
  await assertRejects(() => connect(server.url), ConnectError, "Sentinel");
});

/** What servers say to a user or password that they do not accept. */
const WRONG = [
  "-WRONGPASS invalid username-password pair or user is disabled.",
  "-ERR invalid password",
  "-ERR invalid username-password pair",
  "-ERR wrong password",
  "-ERR AUTH failed",
  "-ERR Authentication failed: no such user",
  "-ERR Client sent AUTH, but no password is set",
  "-ERR AUTH <password> called without any password configured for the default user.",
];

/** What they say to `AUTH` besides. */
const NO_AUTH = [
  "-NOPERM this user has no permissions to run the 'auth' command",
  "-NOAUTH Authentication required.",
  "-ERR unknown command 'AUTH'",
  "-ERR no",
];

Deno.test("reports credentials that the server refuses, in whatever words, as an AuthError", async () => {
  for (const protocol of [2, 3, undefined] as const) {
    for (const [refusals, commands] of [[WRONG, ["HELLO", "AUTH"]], [NO_AUTH, ["AUTH"]]] as const) {
      // In RESP3 there is no AUTH by itself.
      if (protocol === 3 && refusals === NO_AUTH) continue;
      for (const refusal of refusals) {
        await using server = new FakeServer(([name]) => {
          if ((commands as readonly string[]).includes(name!)) return `${refusal}\r\n`;
          return name === "HELLO" ? "-ERR command not support\r\n" : undefined;
        });
        const words = `as user "default": ${refusal.slice(1).replace(/\.$/, "")}; check the URL`;
        await assertRejects(
          () => connect(server.url, { password: "pw", ...(protocol ? { protocol } : {}) }),
          AuthError,
          words,
        );
      }
    }
  }
});

Deno.test("asks for a password when the server wants one and none is given", async () => {
  const refusals = [
    "-NOAUTH Authentication required.",
    "-NOAUTH",
    "-ERR NOAUTH Authentication required.",
    "-ERR authentication required",
  ];
  for (const refusal of refusals) {
    for (const command of ["HELLO", "CLIENT", "INFO"]) {
      await using server = new FakeServer(([name]) => {
        if (name === command) return `${refusal}\r\n`;
        return name === "HELLO" ? "-ERR command not support\r\n" : undefined;
      });
      await assertRejects(
        () => connect(server.url),
        AuthError,
        "none was given; put it into the URL",
      );
    }
  }
});

Deno.test("logs in to a server that knows no users, as the default user only", async () => {
  await using server = new FakeServer(([name, , password]) => {
    if (name === "HELLO") return "-ERR unknown command 'HELLO'\r\n";
    if (name !== "AUTH" || password === undefined) return undefined;
    return "-ERR wrong number of arguments for 'auth' command\r\n";
  });
  for (const username of ["default", undefined]) {
    await using notifications = await connect(server.url, {
      password: "pw",
      ...(username === undefined ? {} : { username }),
    });
    assertEquals(notifications.status().nodes[0]!.protocol, 2);
  }
  assertEquals(server.commands.filter((command) => command.startsWith("AUTH")), [
    "AUTH default pw",
    "AUTH pw",
    "AUTH pw",
  ]);
  await assertRejects(
    () => connect(server.url, { username: "bo", password: "pw" }),
    AuthError,
    "leave the username out",
  );
});

Deno.test("falls back to RESP2 on real servers that have HELLO renamed, for every user", async () => {
  await using server = await startServer({
    password: "secret",
    acl: ["bo on >pw ~* &* +@all"],
    config: { "rename-command": 'HELLO ""', "notify-keyspace-events": "KEA" },
  });
  const cases: ConnectOptions[] = [
    { password: "secret" },
    { username: "default", password: "secret" },
    { username: "bo", password: "pw" },
  ];
  for (const options of cases) {
    await using notifications = await connect(server.url, options);
    await notifications.subscribeKeyspace("k");
    await server.command("SET", "k", "x");
    assertEquals((await notifications.getMessage({ timeout: 10_000 }))?.eventType, "set");
    assertEquals(notifications.status().nodes[0]!.protocol, 2);
  }
  await assertRejects(() => connect(server.url, { password: "wrong" }), AuthError, "WRONGPASS");
  await assertRejects(() => connect(server.url), AuthError, "none was given");
  await assertRejects(
    () => connect(server.url, { protocol: 3, password: "secret" }),
    ConnectError,
    "leave the protocol option out",
  );
});

Deno.test("reports a real server that has AUTH renamed as an AuthError", async () => {
  await using server = await startServer({ config: { "rename-command": ['HELLO ""', 'AUTH ""'] } });
  await assertRejects(() => connect(server.url, { password: "pw" }), AuthError, "unknown command");
  await using notifications = await connect(server.url);
  assertEquals(notifications.status().nodes[0]!.protocol, 2);
});

Deno.test("RESP2: a server that refuses INFO and ROLE says by HELLO what it is", async () => {
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
  assertEquals([software, version === null, role], ["redis", false, "primary"]);
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
    let isSilent = false;
    await using server = new FakeServer(([name]) => {
      isSilent ||= name === command;
      return isSilent ? null : undefined;
    });
    await assertRejects(
      () => connect(server.url, { protocol, password: "pw", timeout: 100 }),
      Error,
      `no answer to ${command} within 100 ms`,
    );
  }
});

Deno.test("RESP2: a user who may not run INFO is informed of a cluster all the same", async () => {
  await using server = await startServer({ config: { "cluster-enabled": "yes" } });
  await server.command("ACL", "SETUSER", "ann", "on", ">pw", "+@all", "-info", "-role", "&*");
  const options = { protocol: 2, username: "ann", password: "pw" } as const;
  await assertRejects(
    () => KeyspaceNotifications.connect(server.url, options),
    ConnectError,
    "it is a node of a cluster",
  );
});
