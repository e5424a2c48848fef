/** What is subscribed, and asked for again, as the server sees it. */
import { assertEquals, assertRejects } from "@std/assert";
import {
  connect,
  ConnectError,
  dial,
  KeyspaceChannel,
  type Subscription,
  TimeoutError,
} from "../../mod.ts";
import { until, within } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
const EXACT = "__keyspace@0__:a";
const PATTERN = "__keyspace@0__:a*";

/** A server that sends an event with each confirmation of a pattern. */
function tellingServer(): FakeServer {
  return new FakeServer(([name, pattern]) =>
    name === "PSUBSCRIBE"
      ? `>3\r\n${bulk("psubscribe")}${bulk(pattern!)}:1\r\n` +
        `>4\r\n${bulk("pmessage")}${bulk(pattern!)}${bulk(EXACT)}${bulk("set")}`
      : undefined
  );
}

/** What the server was asked to subscribe and to release. */
function asked(server: FakeServer): string[] {
  return server.commands.filter((text) => text.includes("SUBSCRIBE"));
}

Deno.test("what was confirmed before a loss is asked for again, and nothing else", async () => {
  await using server = new FakeServer(() => undefined);
  let gaps = 0;
  await using notifications = await connect(server.url, { onGap: () => gaps++ });
  await notifications.subscribe(EXACT, PATTERN);
  await notifications.subscribe("__keyspace@0__:b");
  await notifications.unsubscribe("__keyspace@0__:b");
  const before = asked(server).length;
  server.hangUp();
  await until("it is back", () => gaps === 1);
  assertEquals(asked(server).slice(before), [`SUBSCRIBE ${EXACT}`, `PSUBSCRIBE ${PATTERN}`]);
  assertEquals(notifications.status().nodes[0]!.subscriptions, [EXACT, PATTERN]);
});

Deno.test("what was unsubscribed is asked for again when it is subscribed again", async () => {
  await using server = new FakeServer(() => undefined);
  await using notifications = await connect(server.url);
  const channel = new KeyspaceChannel("a");
  for (let round = 0; round < 2; round++) {
    await notifications.subscribe(channel);
    assertEquals(notifications.status().nodes[0]!.subscriptions, [EXACT]);
    await notifications.unsubscribe(channel);
    assertEquals(notifications.status().nodes[0]!.subscriptions, []);
  }
  assertEquals(asked(server), [
    `SUBSCRIBE ${EXACT}`,
    `UNSUBSCRIBE ${EXACT}`,
    `SUBSCRIBE ${EXACT}`,
    `UNSUBSCRIBE ${EXACT}`,
  ]);
});

Deno.test("an event is not taken for one that came by a pattern which is no longer subscribed", async () => {
  await using server = tellingServer();
  await using notifications = await connect(server.url);
  // Without it no two channels could bring the same event.
  await notifications.subscribe("__keyspace@0__:other");
  const patterns = ["__keyspace@0__:*", "__keyspace@*__:a", PATTERN];
  for (const pattern of patterns) {
    const { unsubscribe } = await notifications.subscribe(pattern);
    await unsubscribe();
  }
  const last = await notifications.subscribe("__keyspace@*__:*");
  await until("all have come", () => notifications.status().nodes[0]!.messages === 4);
  assertEquals(notifications.status().queued, 4);
  await last.unsubscribe();
});

Deno.test("the gap stands in the merged stream between what came before and after", async () => {
  await using server = tellingServer();
  await using notifications = await connect(server.url);
  await notifications.subscribe(PATTERN);
  const items: string[] = [];
  const loop = notifications.listen({ gaps: true });
  const reading = (async () => {
    for await (const item of loop) {
      items.push(item.kind === "gap" ? item.reason : item.eventType);
    }
  })();
  await until("the first has come", () => items.length === 1);
  server.hangUp();
  await until("the second has come", () => items.filter((item) => item === "set").length === 2);
  await notifications.close();
  await reading;
  assertEquals(items, ["set", "disconnected", "set"]);
});

Deno.test("a handler that another one unsubscribes is not called any more", async () => {
  await using server = tellingServer();
  await using notifications = await connect(server.url);
  const called: string[] = [];
  let second: Subscription | null = null;
  await notifications.subscribe(PATTERN, {
    handler: () => {
      called.push("first");
      second?.unsubscribe();
    },
  });
  await until("an event has come", () => called.length === 1);
  second = await notifications.subscribe(PATTERN, { handler: () => void called.push("second") });
  // Once it is back it sends another one, which both would get.
  server.hangUp();
  await until("it has come", () => notifications.status().nodes[0]!.messages === 2);
  assertEquals(called, ["first", "first"]);
});

Deno.test("a confirmation of another channel is none, and ends the connection", async () => {
  let connections = 0;
  await using server = new FakeServer(([name, channel]) => {
    if (name === "HELLO") connections++;
    if (name !== "SUBSCRIBE" || connections > 1) return undefined;
    return `>3\r\n${bulk("subscribe")}${bulk(`${channel}?`)}:1\r\n`;
  });
  await using notifications = await connect(server.url);
  await notifications.subscribe(EXACT);
  assertEquals(connections, 2);
});

Deno.test("a command that is not answered in time ends the connection", async () => {
  await using server = new FakeServer(([name]) => name === "SUBSCRIBE" ? null : undefined);
  await using notifications = await connect(server.url, { timeout: 500 });
  const work = assertRejects(() => notifications.subscribe(EXACT), TimeoutError);
  await within(work, 10_000, "SUBSCRIBE");
});

Deno.test("as many attempts are made to connect again as maxAttempts says", async () => {
  await using server = new FakeServer(() => undefined);
  let isDown = false;
  let attempts = 0;
  await using notifications = await connect(server.url, {
    maxAttempts: 3,
    dial: (...args) => {
      if (!isDown) return dial(...args);
      attempts++;
      return Promise.reject(new Error("down"));
    },
  });
  await notifications.subscribe(EXACT);
  const loop = notifications.listen().next();
  isDown = true;
  server.hangUp();
  await assertRejects(() => loop, ConnectError, "3 attempts failed");
  assertEquals(attempts, 3);
});
