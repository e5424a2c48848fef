import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  connect,
  KeyspaceChannel,
  MissingDatabaseError,
  MissingFlagsError,
  SubscribeRefusedError,
  TimeoutError,
} from "../../mod.ts";
import type { Connection } from "../../pubsub/connection/connection.ts";
import { DeliveryCheck } from "../../pubsub/flags.ts";
import { startServer, until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

const BUSY = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL\r\n";
const LOADING = "-LOADING Redis is loading the dataset in memory\r\n";

/** What became of calls: `ok`, or the name of the error. */
async function outcomes(calls: readonly Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(calls);
  return settled.map((one) => one.status === "fulfilled" ? "ok" : one.reason.name);
}

Deno.test("RESP2: 2,000 subscribe calls at once open one connection beside the first", async () => {
  await using server = await startServer({
    config: { "notify-keyspace-events": "KEA", maxclients: 20 },
  });
  await using notifications = await connect(server.url, { protocol: 2, timeout: 60_000 });
  await notifications.subscribeKeyspace("first");
  const opened = async () =>
    Number(/total_connections_received:(\d+)/.exec(`${await server.command("INFO", "stats")}`)![1]);
  const before = await opened();
  const calls = Array.from({ length: 2_000 }, (_, n) => notifications.subscribeKeyspace(`k${n}`));
  assertEquals(new Set(await outcomes(calls)), new Set(["ok"]));
  assert(await opened() - before <= 2, `${await opened() - before} were opened`);
  assertEquals(notifications.status().nodes[0]!.subscriptions.length, 2_001);
});

Deno.test("subscribe calls at once share the questions and the commands", async () => {
  await using server = new FakeServer(() => undefined);
  await using notifications = await connect(server.url, { timeout: 60_000 });
  await Promise.all(
    Array.from({ length: 5_000 }, (_, n) => notifications.subscribeKeyspace(`k${n}`, { db: 1 })),
  );
  const count = (name: string) => server.commands.filter((text) => text.startsWith(name)).length;
  assert(count("CONFIG") <= 2, `CONFIG was sent ${count("CONFIG")} times`);
  assert(count("SELECT") <= 4, `SELECT was sent ${count("SELECT")} times`);
  assert(count("SUBSCRIBE") <= 30, `SUBSCRIBE was sent ${count("SUBSCRIBE")} times`);
});

Deno.test("the flags that thousands of subscribe calls need are compared once", async () => {
  let compared = 0;
  const connection = {
    request: () => Promise.resolve(["notify-keyspace-events", "AKE"]),
    secrets: { repeats: () => false },
    get product() {
      compared++;
      return { software: "redis", version: "7.0.15" };
    },
  };
  const groups = Array.from({ length: 5_000 }, (_, n) => [new KeyspaceChannel(`k${n}`)]);
  for (const policy of ["require", "merge"] as const) {
    const find = await new DeliveryCheck(policy).check(connection as unknown as Connection, groups);
    for (const group of groups) assertEquals(find(group), null);
  }
  assert(compared < 10, `they were compared ${compared} times`);
});

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: of subscribe calls at once each gets its own error`, async () => {
    await using server = await startServer({
      config: { "notify-keyspace-events": "K$x" },
      acl: ["bo on >pw ~* resetchannels &__key*@0__:a* &__key*@99__:* +@all"],
    });
    await using notifications = await connect(server.url, {
      protocol,
      credentials: { username: "bo", password: "pw" },
    });
    for (let round = 0; round < 2; round++) {
      const calls = [
        notifications.subscribeKeyspace("a1"),
        notifications.subscribeKeyevent("append"),
        notifications.subscribeKeyspace("a2", { db: 99 }),
        notifications.subscribeKeyspace("no"),
        notifications.subscribeKeyevent("another"),
        notifications.subscribeKeyspace("a3"),
      ];
      assertEquals(await outcomes(calls), [
        "ok",
        "MissingFlagsError",
        "MissingDatabaseError",
        "SubscribeRefusedError",
        "MissingFlagsError",
        "ok",
      ]);
      for (const [call, channel] of [[1, ":append"], [4, ":another"]] as const) {
        const error = await assertRejects(() => calls[call]!, MissingFlagsError);
        assertStringIncludes(error.message, `__keyevent@0__${channel}" from`);
        assertEquals(error.missing.includes("E"), true);
      }
      await assertRejects(() => calls[2]!, MissingDatabaseError, "__keyspace@99__:a2");
      const refused = await assertRejects(() => calls[3]!, SubscribeRefusedError);
      assertEquals(refused.refused.map(({ channel }) => `${channel}`), ["__keyspace@0__:no"]);
    }
    assertEquals(notifications.status().nodes[0]!.subscriptions.toSorted(), [
      "__keyspace@0__:a1",
      "__keyspace@0__:a3",
    ]);
  });
}

Deno.test("flags: merge sets the letters of each call, also beside one whose letters are refused", async () => {
  let flags = "";
  await using server = new FakeServer(([name, verb, , value]) => {
    if (name !== "CONFIG") return undefined;
    if (verb === "GET") {
      return `%1\r\n$22\r\nnotify-keyspace-events\r\n$${flags.length}\r\n${flags}\r\n`;
    }
    if (value!.includes("S")) return "-ERR CONFIG SET failed\r\n";
    flags = value!;
    return "+OK\r\n";
  });
  await using notifications = await connect(server.url, { flags: "merge" });
  const calls = [
    notifications.subscribeSubkeyspace("hash"),
    notifications.subscribeKeyevent("expired"),
    notifications.subscribeKeyevent("set"),
  ];
  assertEquals(await outcomes(calls), ["MissingFlagsError", "ok", "ok"]);
  await assertRejects(() => calls[0]!, MissingFlagsError, "refuses to have it set");
  assertEquals([...flags].toSorted().join(""), "$Ex");
});

for (const protocol of [2, 3] as const) {
  const introduced = protocol === 2 ? ["CLIENT", "INFO", "ROLE"] : ["HELLO"];
  for (const command of [...introduced, "CONFIG", "SELECT", "SUBSCRIBE"]) {
    for (const [what, answer] of [["runs a script", BUSY], ["loads its data", LOADING]] as const) {
      Deno.test(`RESP${protocol}: ${command} is repeated while the server ${what}`, async () => {
        let left = 2;
        await using server = new FakeServer(([name]) => {
          if (name === command && left > 0) return left--, answer;
          return undefined;
        });
        await using notifications = await connect(server.url, { protocol, timeout: 60_000 });
        left = 2;
        await notifications.subscribeKeyspace("k", { db: 1 });
        if (protocol === 2) {
          // On the connection beside the first, too.
          left = 2;
          await notifications.subscribeKeyspace("l", { db: 1 });
        }
        const sent = server.commands.filter((text) => text.startsWith(command)).length;
        assert(sent >= 3, `${command} was sent ${sent} times`);
        assertEquals(notifications.health().ok, true);
        assertEquals(notifications.status().nodes[0]!.flags, "AKE");
        assertEquals(notifications.status().nodes[0]!.subscriptions, [
          "__keyspace@1__:k",
          ...(protocol === 2 ? ["__keyspace@1__:l"] : []),
        ]);
      });
    }
  }

  Deno.test(`RESP${protocol}: a script that runs too long is waited for`, async () => {
    await using server = await startServer({
      config: { "notify-keyspace-events": "KEA", "lua-time-limit": 1 },
    });
    await using notifications = await connect(server.url, { protocol, timeout: 60_000 });
    await notifications.subscribeKeyspace("first");
    await using other = await server.client();
    const script = other.command("EVAL", "while true do end", 0).catch(() => {});
    await until("it is busy", async () => {
      const answer = await server.command("GET", "k").catch(String);
      return String(answer).includes("BUSY");
    });
    const subscribing = notifications.subscribeKeyspace("second");
    const connecting = connect(server.url, { protocol, timeout: 60_000 });
    await server.command("SCRIPT", "KILL");
    await Promise.all([subscribing, script]);
    await using late = await connecting;
    assertEquals(late.status().nodes[0]!.role, "primary");
    assertEquals(notifications.status().gaps, 0);
  });
}

Deno.test("a server that is busy for longer than the timeout fails the call, and not the connection", async () => {
  let busy = "";
  await using server = new FakeServer(([name]) => name === busy ? BUSY : undefined);
  await using notifications = await connect(server.url, { timeout: 500 });
  for (const command of ["CONFIG", "SUBSCRIBE"]) {
    busy = command;
    await assertRejects(() => notifications.subscribeKeyspace(command), TimeoutError, "BUSY");
    busy = "";
    await notifications.subscribeKeyspace(command);
  }
  assertEquals([notifications.health().ok, notifications.status().gaps], [true, 0]);
  assertEquals(server.commands.filter((text) => text.startsWith("HELLO")).length, 1);
});

Deno.test("flags are looked after again once a script is over", async () => {
  let busy = 0;
  let flags = "KEA";
  await using server = new FakeServer(([name]) => {
    if (name !== "CONFIG") return undefined;
    if (busy > 0) return busy--, BUSY;
    return `%1\r\n$22\r\nnotify-keyspace-events\r\n$${flags.length}\r\n${flags}\r\n`;
  });
  await using notifications = await connect(server.url, {
    heartbeat: { interval: 20 },
    onError() {},
  });
  await notifications.subscribeKeyspace("k");
  busy = 2;
  await until("it was asked while it was busy", () => busy === 0);
  flags = "";
  await until("it is noticed", () => notifications.status().nodes[0]!.state === "degraded");
});
