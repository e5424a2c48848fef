import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  connect,
  ConnectError,
  type ConnectOptions,
  dial,
  SentinelError,
  TimeoutError,
  type Transport,
} from "../../../mod.ts";
import { makeCertificates, startServer, until } from "../../servers/mod.ts";
import { FakeServer } from "../fake_server.ts";
import { HANG_UP, Peer, swallow } from "../peer.ts";

const FULL = "-ERR max number of clients reached\r\n";

/** What servers say to whom they do not serve, before they read a command. */
const FIRST_WORDS = [
  FULL,
  "-ERR max number of clients + cluster connections reached\r\n",
  "-DENIED Redis is running in protected mode because protected mode is enabled\r\n",
  "-ERR too many connections\r\n",
  "-ERR your address is blocked\r\n",
  "!7\r\nERR ab!\r\n",
  "|1\r\n+a\r\n:1\r\n-ERR go away\r\n",
];

/** The words alone. */
function wordsOf(wire: string): string {
  return wire.trimEnd().split("\r\n").at(-1)!.replace(/^-/, "");
}

/** Says it at once, and ends the connection before, or once, a command has come. */
function turnAway(words: string, waits: boolean): (connection: Deno.Conn) => Promise<void> {
  return async (connection) => {
    await connection.write(new TextEncoder().encode(words));
    if (waits) await connection.read(new Uint8Array(1024));
  };
}

/** Gives the credentials only once the first words have been read. */
function lateCredentials(): Pick<ConnectOptions, "dial" | "credentials"> {
  const heard = Promise.withResolvers<void>();
  return {
    dial: async (...args) => {
      const transport = await dial(...args);
      return {
        read: async () => {
          const chunk = await transport.read();
          heard.resolve();
          return chunk;
        },
        write: (bytes) => transport.write(bytes),
        close: () => transport.close(),
      };
    },
    credentials: async () => {
      await heard.promise;
      return { password: "pw" };
    },
  };
}

for (const words of FIRST_WORDS) {
  for (const protocol of [undefined, 2, 3] as const) {
    const name = `RESP${protocol ?? "3 or 2"}: ${JSON.stringify(words)}`;
    Deno.test(`${name} before any command is the reason why connecting fails`, async () => {
      for (const waits of [false, true]) {
        await using peer = new Peer(turnAway(words, waits));
        const options: ConnectOptions = protocol === undefined ? {} : { protocol };
        const given = { ...options, password: "pw" };
        const ways = [options, given, { ...options, ...lateCredentials() }];
        for (const way of ways) {
          const error = await assertRejects(() => connect(peer.url, way), Error);
          // Unknown words in reply to AUTH may be about the password.
          const isKnown = /max|DENIED|many/.test(words);
          const names = isKnown ? ["ConnectError"] : ["ConnectError", "AuthError"];
          assert(names.includes(error.name), `${error}`);
          assertStringIncludes(error.message, wordsOf(words));
          assertStringIncludes(error.message, new URL(peer.url).host);
          await until("the peer is left", () => peer.connections === 0);
        }
      }
    });
  }
}

Deno.test("says why a server hung up although the credentials never come", async () => {
  await using peer = new Peer(turnAway(FULL, false));
  const options = { timeout: 1_000, credentials: () => new Promise<never>(() => {}) };
  await assertRejects(() => connect(peer.url, options), ConnectError, "raise its maxclients");
});

Deno.test("reads what a server said before it hung up, also when nothing can be written", async () => {
  const broken = (code: string, name: string) => Object.assign(new Error("broken"), { code, name });
  for (const error of [broken("EPIPE", "Error"), broken("", "ConnectionReset")]) {
    const written = Promise.withResolvers<void>();
    const chunks = [new TextEncoder().encode(FULL)];
    const transport: Transport = {
      read: async () => {
        await written.promise;
        await null;
        return chunks.shift() ?? null;
      },
      write: () => {
        written.resolve();
        return Promise.reject(error);
      },
      close() {},
    };
    await assertRejects(
      () => connect("redis://127.0.0.1", { dial: () => Promise.resolve(transport) }),
      ConnectError,
      "raise its maxclients",
    );
  }
});

Deno.test("the first words that come over TLS are the reason too", async () => {
  const { ca, server: { cert, key } } = await makeCertificates();
  for (const protocol of [2, 3] as const) {
    const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
    await using peer = new Peer(turnAway(FULL, false), listener);
    const url = peer.url.replace("redis:", "rediss:");
    const options: ConnectOptions = { protocol, tls: { ca } };
    for (const way of [options, { ...options, ...lateCredentials() }]) {
      await assertRejects(() => connect(url, way), ConnectError, "raise its maxclients");
    }
  }
});

Deno.test("a real server that is full says so, on every connection that it refuses", async () => {
  for (const protocol of [2, 3] as const) {
    await using server = await startServer({
      // One for the test's own commands, one for the connection that subscribes.
      config: { maxclients: 2, "notify-keyspace-events": "KEA" },
    });
    await server.command("PING");
    await using notifications = await connect(server.url, { protocol });
    await notifications.subscribeKeyspace("k");
    for (const late of [{}, lateCredentials()]) {
      await assertRejects(
        () => connect(server.url, { protocol, ...late }),
        ConnectError,
        "max number of clients reached; close idle connections",
      );
    }
    // In RESP2 the flags are asked for on another connection.
    if (protocol === 3) continue;
    await assertRejects(
      () => notifications.subscribeKeyspace("other"),
      ConnectError,
      "max number of clients reached",
    );
  }
});

Deno.test("the first words of sentinels stand in the error", async () => {
  await using peer = new Peer(turnAway(FULL, false));
  const error = await assertRejects(
    () => connect({ sentinels: [peer.url], name: "mymaster" }),
    SentinelError,
    "max number of clients reached",
  );
  assert(error.failures[0]!.error instanceof ConnectError);
});

Deno.test("an error without a command ends the connection later too, and status says why", async () => {
  let connections = 0;
  await using server = new FakeServer(([name, channel]) => {
    if (name === "HELLO") connections++;
    if (name !== "SUBSCRIBE" || connections > 1) return undefined;
    return `>3\r\n+subscribe\r\n+${channel}\r\n:1\r\n-ERR Protocol error: unbalanced quotes\r\n`;
  });
  const errors: string[] = [];
  await using notifications = await connect(server.url, {
    onStatus: ({ nodes }) => errors.push(String(nodes[0]!.error)),
  });
  await notifications.subscribeKeyspace("k");
  await until("it is back", () => connections === 2 && notifications.health().ok);
  assert(errors.some((error) => error.includes("unbalanced quotes")), errors.join("; "));
});

Deno.test("what a server said last before it hung up stands in the error", async () => {
  for (const protocol of [2, undefined] as const) {
    await using server = new FakeServer(([name]) => name === "INFO" ? HANG_UP : "-ERR go away\r\n");
    await assertRejects(
      () => connect(server.url, protocol === undefined ? {} : { protocol }),
      ConnectError,
      "without an answer to INFO after it said: ERR go away",
    );
  }
});

Deno.test("what a server said last before it fell silent stands in the error", async () => {
  let isSilent = false;
  await using server = new FakeServer(([name]) => {
    isSilent ||= name === "INFO";
    return isSilent ? null : "-ERR go away\r\n";
  });
  await assertRejects(
    () => connect(server.url, { timeout: 100 }),
    TimeoutError,
    "no answer to INFO within 100 ms after it said: ERR go away",
  );
});

Deno.test("speaks RESP2 with a server that hangs up at HELLO, and remembers that", async () => {
  await using server = new FakeServer(([name]) => name === "HELLO" ? HANG_UP : undefined);
  const count = (word: string) => server.commands.filter((text) => text.startsWith(word)).length;
  await using notifications = await connect(server.url, { password: "pw", flags: "ignore" });
  assertEquals([count("HELLO"), notifications.status().nodes[0]!.protocol], [1, 2]);
  server.hangUp();
  await until("it is back", () => count("AUTH") === 2 && notifications.health().ok);
  assertEquals([count("HELLO"), notifications.status().nodes[0]!.protocol], [1, 2]);
});

Deno.test("sends a server that hangs up at HELLO no other, also where INFO is forbidden", async () => {
  await using server = new FakeServer(([name]) =>
    name === "HELLO" ? HANG_UP : name === "INFO" ? "-NOPERM no permissions\r\n" : undefined
  );
  await using notifications = await connect(server.url);
  assertEquals(notifications.status().nodes[0]!.protocol, 2);
  await notifications.subscribeKeyspace("k");
  assertEquals(server.commands.filter((text) => text.startsWith("HELLO")).length, 1);
});

Deno.test("speaks RESP2 with a server that refuses HELLO and then hangs up", async () => {
  let refused = false;
  await using server = new FakeServer(([name]) => {
    if (name === "HELLO") {
      refused = true;
      return "-ERR unknown command 'HELLO'\r\n";
    }
    if (!refused) return undefined;
    refused = false;
    return HANG_UP;
  });
  await using notifications = await connect(server.url);
  assertEquals(notifications.status().nodes[0]!.protocol, 2);
});

Deno.test("begins with HELLO again once a server that hung up at it refuses RESP2", async () => {
  let speaks3 = false;
  let restarts = false;
  await using server = new FakeServer(([name]) => {
    if (restarts) {
      restarts = false;
      speaks3 = true;
      return HANG_UP;
    }
    return name === "HELLO" && !speaks3 ? HANG_UP : undefined;
  });
  await using notifications = await connect(server.url, { flags: "ignore" });
  assertEquals(notifications.status().nodes[0]!.protocol, 2);
  restarts = true;
  server.hangUp();
  await until("it is back", () => speaks3 && notifications.health().ok);
  assertEquals(notifications.status().nodes[0]!.protocol, 3);
});

Deno.test("tries twice where a peer always hangs up, and once where the protocol is given", async () => {
  for (const [protocol, attempts] of [[undefined, 2], [2, 1], [3, 1]] as const) {
    let connections = 0;
    await using peer = new Peer(() => Promise.resolve(void connections++));
    await assertRejects(
      () => connect(peer.url, protocol === undefined ? {} : { protocol }),
      ConnectError,
      "check that a Redis server listens there",
    );
    assertEquals(connections, attempts);
  }
  await using silent = new Peer(swallow);
  await assertRejects(() => connect(silent.url, { timeout: 100 }), Error, "no answer to HELLO");
});

Deno.test("sentinels that hang up at HELLO are asked, and followed, in RESP2", async () => {
  await using primary = new FakeServer(() => undefined);
  const { hostname, port } = new URL(primary.url);
  await using sentinel = new FakeServer(([name, subcommand, ...words]) => {
    const array = (...texts: string[]) =>
      `*${texts.length}\r\n${texts.map((text) => `$${text.length}\r\n${text}\r\n`).join("")}`;
    if (name === "HELLO") return HANG_UP;
    if (name === "INFO") return "+redis_mode:sentinel\r\n";
    if (name === "SUBSCRIBE") {
      return [subcommand!, ...words].map((channel) => `*3\r\n+subscribe\r\n+${channel}\r\n:1\r\n`)
        .join("");
    }
    if (name !== "SENTINEL") return undefined;
    return subcommand === "GET-MASTER-ADDR-BY-NAME" ? array(hostname, port) : "-ERR no\r\n";
  });
  await using notifications = await connect({ sentinels: [sentinel.url], name: "mymaster" });
  await until("it is followed", () => sentinel.heard("SUBSCRIBE +switch-master"));
  await until(
    "it is asked too",
    () => sentinel.commands.filter((text) => text.includes("GET-MASTER")).length > 1,
  );
  assertEquals(sentinel.commands.filter((text) => text.startsWith("HELLO")).length, 1);
  await until("only the one that follows is open", () => sentinel.connections === 1);
  assertEquals(notifications.health().ok, true);
});
