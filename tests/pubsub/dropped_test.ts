/** What is dropped is counted, and stays counted, wherever it was dropped. */
import { assertEquals } from "@std/assert";
import { connect, type ConnectOptions, type KeyspaceNotificationsInterface } from "../../mod.ts";
import { until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

const CHANNEL = "__keyspace@0__:k";
const MESSAGES = 10;
/** What is kept of each message. */
const BYTES = `${CHANNEL}\r\n$3\r\nset`.length;

/** A server that sends ten messages with each confirmation. */
function floodingServer(): FakeServer {
  return new FakeServer(([name, channel]) =>
    name === "SUBSCRIBE"
      ? `>3\r\n$9\r\nsubscribe\r\n$16\r\n${channel}\r\n:1\r\n` +
        `>3\r\n$7\r\nmessage\r\n$16\r\n${channel}\r\n$3\r\nset\r\n`.repeat(MESSAGES)
      : undefined
  );
}

/** Waits until so many messages have come. */
async function come(notifications: KeyspaceNotificationsInterface, count: number): Promise<void> {
  await until("all have come", () => notifications.status().nodes[0]!.messages === count);
}

Deno.test("what a loop has dropped stays counted once it is left", async () => {
  await using server = floodingServer();
  await using notifications = await connect(server.url, { queue: { items: 4 } });
  const loop = notifications.listen();
  await notifications.subscribe(CHANNEL);
  await come(notifications, MESSAGES);
  assertEquals(notifications.status().dropped, 6);
  const other = notifications.listen();
  await loop.return();
  assertEquals([notifications.status().dropped, notifications.status().queued], [6, 0]);
  await other.return();
  assertEquals(notifications.status().dropped, 6);
});

Deno.test("what the last loop has not read waits once it is left, and what it has dropped stays counted", async () => {
  await using server = floodingServer();
  await using notifications = await connect(server.url, { queue: { items: 4 } });
  const loop = notifications.listen();
  await notifications.subscribe(CHANNEL);
  await come(notifications, MESSAGES);
  await loop.return();
  assertEquals([notifications.status().dropped, notifications.status().queued], [6, 4]);
});

Deno.test("what a handler's queue has dropped stays counted once it is unsubscribed", async () => {
  await using server = floodingServer();
  await using notifications = await connect(server.url, { queue: { items: 4 } });
  const busy = Promise.withResolvers<void>();
  const { unsubscribe } = await notifications.subscribe(CHANNEL, { handler: () => busy.promise });
  await come(notifications, MESSAGES);
  // The first is with the handler.
  assertEquals(notifications.status().dropped, 5);
  await unsubscribe();
  assertEquals([notifications.status().dropped, notifications.status().queued], [5, 0]);
  busy.resolve();
});

const LIMITS: [queue: ConnectOptions["queue"], kept: number][] = [
  [{ items: 4 }, 4],
  [{ bytes: 4 * BYTES }, 4],
  [{ bytes: 4 * BYTES - 1 }, 3],
];

for (const [queue, kept] of LIMITS) {
  Deno.test(`a queue of ${JSON.stringify(queue)} holds as much while a server is reconnected to`, async () => {
    await using server = floodingServer();
    let gaps = 0;
    await using notifications = await connect(server.url, { queue: queue!, onGap: () => gaps++ });
    let handled = 0;
    await notifications.subscribe(CHANNEL, { handler: () => void handled++ });
    await come(notifications, MESSAGES);
    assertEquals([handled, notifications.status().dropped], [MESSAGES, 0]);
    server.hangUp();
    await until("both gaps are reported", () => gaps === 2);
    assertEquals(handled - MESSAGES, kept);
    assertEquals(notifications.status().dropped, MESSAGES - kept);
  });
}
