import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClosedError, connect, ConnectError, KeyspaceNotifications } from "../../mod.ts";
import { sleep, until, within } from "../servers/mod.ts";
import { Random } from "../random.ts";
import { FakeServer } from "./fake_server.ts";
import { Peer, swallow } from "./peer.ts";

const ROUNDS = 1_000;

const encoder = new TextEncoder();
const HELLO =
  "%3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n";

type Service = (connection: Deno.Conn) => Promise<void>;

/** Answers `HELLO` once it is asked, and what comes after it. */
async function greet(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(4096);
  await connection.read(buffer);
  await say(connection, HELLO);
  await connection.read(buffer);
  await say(connection, "-ERR\r\n-ERR\r\n");
}

async function say(connection: Deno.Conn, words: string | Uint8Array): Promise<void> {
  await connection.write(typeof words === "string" ? encoder.encode(words) : words);
}

/** What a real server sent, with some bytes gone wrong. */
function damaged(random: Random): Uint8Array {
  const start = random.below(CAPTURE.length - 4_096);
  const bytes = CAPTURE.slice(start, start + 4_096);
  for (let n = 0; n < 8; n++) bytes[random.below(bytes.length)] = random.below(256);
  return bytes;
}

const CAPTURE = await Deno.readFile(new URL("../resp/captures/resp3.bin", import.meta.url));

/** What a peer may do in place of a server; `random` makes each round another. */
const MISDEEDS: Record<string, (random: Random) => Service> = {
  "hangs up": () => () => Promise.resolve(),
  "says nothing": () => swallow,
  "speaks HTTP": () => async (connection) => {
    await say(connection, "HTTP/1.1 400 Bad Request\r\n\r\n");
    await swallow(connection);
  },
  "sends bytes at random": (random) => async (connection) => {
    await say(connection, Uint8Array.from({ length: 200 }, () => random.below(256)));
    await swallow(connection);
  },
  "sends what looks like RESP": (random) => async (connection) => {
    const pieces = [
      "*3\r\n",
      ">2\r\n",
      "$5\r\nhello\r\n",
      ":1a\r\n",
      "%1\r\n",
      "$-9\r\n",
      "+OK\r\n",
    ];
    for (let n = 0; n < 20; n++) await say(connection, random.pick(pieces));
    await swallow(connection);
  },
  "sends a server's words, damaged": (random) => async (connection) => {
    await say(connection, damaged(random));
    await swallow(connection);
  },
  "announces a gigabyte": () => async (connection) => {
    await say(connection, "$1073741824\r\nabc");
    await swallow(connection);
  },
  "announces a million elements": () => async (connection) => {
    await say(connection, "*1048577\r\n");
    await swallow(connection);
  },
  "nests without end": () => async (connection) => {
    await say(connection, "*1\r\n".repeat(5_000));
    await swallow(connection);
  },
  "never ends its handshake": () => async (connection) => {
    for (;;) {
      await say(connection, "|1\r\n+a\r\n:1\r\n");
      await sleep(2);
    }
  },
  "confirms what nobody asked for": () => async (connection) => {
    await greet(connection);
    await say(connection, ">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n");
    await swallow(connection);
  },
  "confirms nothing": () => async (connection) => {
    await greet(connection);
    await swallow(connection);
  },
  "hangs up after the handshake": () => greet,
};

Deno.test("every misdeed ends in a typed error within its deadline, and in no other way", async () => {
  for (const [name, misdeed] of Object.entries(MISDEEDS)) {
    await using peer = new Peer(misdeed(new Random(1)));
    const attempt = (async () => {
      await using notifications = await connect(peer.url, {
        timeout: 100,
        flags: "ignore",
        maxAttempts: 0,
      });
      await notifications.subscribeKeyspace("k");
    })();
    const error = await assertRejects(() => within(attempt, 20_000, name), Error);
    assert(
      ["ConnectError", "TimeoutError", "ClosedError"].includes(error.name),
      `${name}: ${error.name}: ${error.message}`,
    );
  }
});

Deno.test("a thousand rounds with hostile peers leave nothing behind, not even memory", async () => {
  const random = new Random(2);
  const misdeeds = Object.values(MISDEEDS);
  let connections = 0;
  await using peer = new Peer((connection) => {
    connections++;
    return random.pick(misdeeds)(random)(connection);
  });
  const round = async () => {
    try {
      await using notifications = await connect(peer.url, {
        timeout: 20,
        flags: "ignore",
        maxAttempts: 0,
      });
      await notifications.subscribeKeyspace("k");
    } catch (error) {
      assert(["ConnectError", "TimeoutError", "ClosedError"].includes((error as Error).name));
    }
  };
  const many = async (count: number) => {
    for (let n = 0; n < count; n += 10) await Promise.all(Array.from({ length: 10 }, round));
  };
  await many(ROUNDS / 4);
  const before = Deno.memoryUsage().heapUsed;
  await many(ROUNDS * 3 / 4);
  assert(
    connections >= ROUNDS,
    "each round has connected, and again after a peer hung up at HELLO",
  );
  await until("every connection is closed", () => peer.connections === 0);
  const grown = Deno.memoryUsage().heapUsed - before;
  // What is collected later counts too, so the bound is generous; 64 KiB a round would be 48 MiB.
  assert(grown < 32 * 1024 * 1024, `the heap grew by ${grown} bytes`);
});

Deno.test("while it reconnects, each hostile attempt is followed by another, until one is not hostile", async () => {
  const random = new Random(3);
  let attempts = 0;
  const misdeeds = Object.values(MISDEEDS);
  await using peer = new Peer(async (connection) => {
    // The first is good, so that there is something to reconnect to.
    if (++attempts > 1 && attempts < 8) {
      return await random.pick(misdeeds)(random)(connection);
    }
    await serveHonestly(connection, attempts === 1);
  });
  const gaps: string[] = [];
  // A busy machine may be too slow for so short a timeout.
  const start = async () => {
    attempts = 0;
    gaps.length = 0;
    const notifications = await KeyspaceNotifications.connect(peer.url, {
      timeout: 100,
      flags: "ignore",
      onGap: ({ reason }) => gaps.push(reason),
    });
    try {
      await notifications.subscribeKeyspace("k");
      return notifications;
    } catch (error) {
      await notifications.close();
      throw error;
    }
  };
  let started: KeyspaceNotifications | undefined;
  await until("it is watched", async () => (started = await start()) !== undefined);
  await using notifications = started!;
  await until("it is back", () => attempts >= 8 && notifications.health().ok, 60_000);
  assertEquals(gaps.length, 1);
});

/** Answers as a server does; `once` hangs up after the subscription was confirmed. */
async function serveHonestly(connection: Deno.Conn, once: boolean): Promise<void> {
  const buffer = new Uint8Array(4096);
  const decoder = new TextDecoder();
  for (let length; (length = await connection.read(buffer)) !== null;) {
    const words = decoder.decode(buffer.subarray(0, length));
    const answers = [...words.matchAll(/HELLO|SETINFO|PING|SUBSCRIBE/g)].map(([name]) => {
      if (name === "HELLO") return HELLO;
      if (name === "PING") return "+PONG\r\n";
      return name === "SETINFO"
        ? "+OK\r\n"
        : ">3\r\n$9\r\nsubscribe\r\n$16\r\n__keyspace@0__:k\r\n:1\r\n";
    });
    await say(connection, answers.join(""));
    if (once && words.includes("\r\nSUBSCRIBE\r\n")) return await sleep(20);
  }
}

Deno.test("an abort while it connects ends it, and leaves nothing", async () => {
  await using peer = new Peer(MISDEEDS["says nothing"]!(new Random(4)));
  const stop = new AbortController();
  const connecting = connect(peer.url, { signal: stop.signal });
  connecting.catch(() => {});
  await until("it has connected", () => peer.connections === 1);
  stop.abort();
  await assertRejects(() => within(connecting, 5_000, "the end"), DOMException);
  await until("the peer is left", () => peer.connections === 0);
});

Deno.test("close while it subscribes ends it, twice, and leaves nothing", async () => {
  await using peer = new Peer(MISDEEDS["confirms nothing"]!(new Random(4)));
  const notifications = await connect(peer.url, { flags: "ignore" });
  const subscribing = notifications.subscribeKeyspace("k");
  subscribing.catch(() => {});
  await sleep(20);
  await notifications.close();
  await notifications.close();
  await assertRejects(() => within(subscribing, 5_000, "the end"), ClosedError);
  await until("the peer is left", () => peer.connections === 0);
});

Deno.test("an error of the first attempt says what the peer did", async () => {
  await using peer = new Peer(MISDEEDS["announces a gigabyte"]!(new Random(5)));
  await assertRejects(() => connect(peer.url), ConnectError, "maxBulkLength");
});

/** What a server may say wrong once it has confirmed a subscription. */
const LATE_MISDEEDS: Record<string, [bytes: string, says: string]> = {
  "a message of a gigabyte": [
    ">3\r\n$7\r\nmessage\r\n$16\r\n__keyspace@0__:k\r\n$1073741824\r\nabc",
    "maxBulkLength",
  ],
  "a message in pieces that do not fit": [
    ">4\r\n$8\r\npmessage\r\n$16\r\n__keyspace@0__:*\r\n$3\r\nabcd\r\n",
    "Cannot parse the reply at byte",
  ],
  "a confirmation that was not requested": [
    ">3\r\n$9\r\nsubscribe\r\n$16\r\n__keyspace@0__:x\r\n:2\r\n",
    "that was not requested",
  ],
  "a confirmation that was not requested, of what is subscribed": [
    ">3\r\n$11\r\nunsubscribe\r\n$16\r\n__keyspace@0__:k\r\n:0\r\n",
    "that was not requested",
  ],
  "a reply to no command": ["+OK\r\n", "sent a reply to no command"],
  "no RESP": ["HTTP/1.1 200 OK\r\n", "Cannot parse the reply at byte"],
};

for (const [name, [bytes, says]] of Object.entries(LATE_MISDEEDS)) {
  Deno.test(`${name}, from a server that has confirmed, is a gap and a new attempt`, async () => {
    let connections = 0;
    let isSubscribed = false;
    await using server = new FakeServer(([name]) => {
      if (name === "HELLO") connections++;
      // A ping follows the confirmation.
      if (name !== "PING" || connections > 1 || !isSubscribed) return undefined;
      const message = ">3\r\n$7\r\nmessage\r\n$16\r\n__keyspace@0__:k\r\n$3\r\nset\r\n";
      return "+PONG\r\n" + message + bytes;
    });
    const errors: (string | null)[] = [];
    await using notifications = await connect(server.url, {
      onStatus: ({ nodes }) => errors.push(nodes[0]!.error),
    });
    await notifications.subscribeKeyspace("k");
    isSubscribed = true;
    const items: string[] = [];
    for await (const item of notifications.listen({ gaps: true })) {
      items.push(item.kind === "gap" ? item.reason : item.eventType);
      if (items.length === 2) break;
    }
    assertEquals(items, ["set", "disconnected"]);
    assert(errors.some((error) => error?.includes(says)), errors.join("; "));
    assertEquals([connections, notifications.health().ok], [2, true]);
  });
}
