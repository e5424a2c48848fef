/** Batches: what one read brought, in one step of a loop or one call of a handler. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type BatchHandler,
  connect,
  ConnectError,
  type Gap,
  type KeyNotification,
  KeyspaceChannel,
  type KeyspaceNotificationsInterface,
} from "../../mod.ts";
import type { Consumer } from "../../pubsub/delivery.ts";
import { Dispatcher } from "../../pubsub/dispatcher.ts";
import { EventDeduplicator } from "../../pubsub/event_deduplicator.ts";
import { resolveOptions } from "../../pubsub/options.ts";
import { sleep, startServer, until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };
const CHANNEL = "__keyspace@0__:k";

/** What is sent for an event on the channel. */
function message(event: string): string {
  return `>3\r\n$7\r\nmessage\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n$${event.length}\r\n${event}\r\n`;
}

function confirmation(channel: string): string {
  return `>3\r\n$9\r\nsubscribe\r\n$${channel.length}\r\n${channel}\r\n:1\r\n`;
}

/** Has the server send two more events. */
const MORE = "more";

/** A server that sends so many events, `e1` and on, with the confirmation of the channel. */
function flooding(count: number): FakeServer {
  const events = Array.from({ length: count }, (_, n) => message(`e${n + 1}`)).join("");
  const more = message("more") + message("last");
  return new FakeServer(([name, channel]) =>
    name === "SUBSCRIBE"
      ? confirmation(channel!) + (channel === `__keyspace@0__:${MORE}` ? more : events)
      : undefined
  );
}

/** Waits until so many messages have come. */
async function come(notifications: KeyspaceNotificationsInterface, count: number): Promise<void> {
  await until("all have come", () => notifications.status().nodes[0]!.messages === count);
}

/** Items as their events, gaps as `-count`. */
function names(batch: readonly (KeyNotification | Gap)[] | undefined): string {
  return batch!.map((item) => item.kind === "gap" ? `-${item.dropped}` : item.eventType).join(" ");
}

Deno.test("a batch is what waits, at most 1,000 items of it", async () => {
  await using server = flooding(2_500);
  await using notifications = await connect(server.url);
  await notifications.subscribe(CHANNEL);
  await come(notifications, 2_500);
  const sizes: number[] = [];
  const events: string[] = [];
  for await (const batch of notifications.batches()) {
    sizes.push(batch.length);
    events.push(...batch.map(({ eventType }) => eventType));
    if (events.length === 2_500) break;
  }
  assertEquals(sizes, [1_000, 1_000, 500]);
  assertEquals(events, Array.from({ length: 2_500 }, (_, n) => `e${n + 1}`));
  assertEquals(notifications.status().queued, 0);
});

Deno.test("who waits for a batch gets all that a read brings", async () => {
  await using server = flooding(5);
  await using notifications = await connect(server.url);
  const loop = notifications.batches();
  const [first, second] = [loop.next(), loop.next()];
  await notifications.subscribe(CHANNEL);
  assertEquals(names((await first).value), "e1 e2 e3 e4 e5");
  await loop.return();
  assertEquals(await second, { done: true, value: undefined });
});

Deno.test("a step of a loop does not overtake one that waits", async () => {
  await using server = flooding(2);
  await using notifications = await connect(server.url);
  const loop = notifications.listen();
  const steps = [loop.next()];
  // Called while the messages are read, after the first was delivered to the loop.
  const handler = () => steps.length < 2 && steps.push(loop.next());
  await Promise.all([
    notifications.subscribe(CHANNEL),
    notifications.subscribe(CHANNEL, { handler }),
  ]);
  const [first, second] = await Promise.all(steps);
  assertEquals([first, second].map((step) => String(step!.value?.eventType)), ["e1", "e2"]);
});

Deno.test("events of several subscriptions come in batches once, in order", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url);
  await notifications.subscribe("__keyspace@0__:*", "__keyspace@0__:k*", "__keyspace@0__:k1");
  await notifications.subscribeKeyevent("del");
  const script = "for i = 1, 50 do redis.call('set', 'k' .. i, 'x') end redis.call('del', 'k1')";
  for (let round = 0; round < 3; round++) await server.command("EVAL", script, "0");
  const each = Array.from({ length: 50 }, (_, n) => `keyspace set k${n + 1}`);
  const expected = [...each, "keyspace del k1", "keyevent del k1"];
  const seen: string[] = [];
  let batches = 0;
  for await (const batch of notifications.batches()) {
    batches++;
    seen.push(...batch.map(({ kind, eventType, key }) => `${kind} ${eventType} ${key}`));
    if (seen.length >= 3 * expected.length) break;
  }
  assertEquals(seen, [...expected, ...expected, ...expected]);
  assert(batches < expected.length, `${batches} batches`);
});

for (
  const [overflow, expected] of [
    ["drop-oldest", ["onGap -6", "-6 e7 e8 e9 e10"]],
    ["drop-newest", ["e1 e2 e3 e4", "onGap -6", "-6 more last"]],
  ] as const
) {
  Deno.test(`${overflow}: a gap stands in a batch where it does in the stream`, async () => {
    await using server = flooding(10);
    const trace: string[] = [];
    await using notifications = await connect(server.url, {
      queue: { items: 4, overflow },
      onGap: ({ dropped }) => trace.push(`onGap -${dropped}`),
    });
    await notifications.subscribe(CHANNEL);
    await come(notifications, 10);
    for await (const batch of notifications.batches({ gaps: true })) {
      trace.push(names(batch));
      if (trace.length >= expected.length || overflow === "drop-oldest") break;
      await notifications.subscribeKeyspace(MORE);
      await come(notifications, 12);
    }
    assertEquals(trace, [...expected]);
  });
}

Deno.test("what a loop has not been given goes to the next one, whole batches do not", async () => {
  await using server = flooding(1_003);
  await using notifications = await connect(server.url);
  await notifications.subscribe(CHANNEL);
  await come(notifications, 1_003);
  for await (const batch of notifications.batches()) {
    assertEquals(batch.length, 1_000);
    break;
  }
  const loop = notifications.batches();
  assertEquals(names((await loop.next()).value), "e1001 e1002 e1003");
});

Deno.test("batches end by their signal and by close, and throw when the server is lost", async () => {
  const server = flooding(3);
  await using notifications = await connect(server.url, { maxAttempts: 0 });
  const stop = new AbortController();
  const stopped = notifications.batches({ signal: stop.signal }).next();
  const loop = notifications.batches();
  stop.abort();
  assertEquals((await stopped).done, true);
  await notifications.subscribe(CHANNEL);
  await come(notifications, 3);
  await server[Symbol.asyncDispose]();
  await until("it is lost", () => notifications.status().state === "closed");
  // What has come before comes before the error.
  assertEquals(names((await loop.next()).value), "e1 e2 e3");
  await assertRejects(() => loop.next(), ConnectError);
  await notifications.close();
  assertEquals((await notifications.batches().next()).done, true);
});

Deno.test("a handler of batches is called once for a read, and then for what came meanwhile", async () => {
  await using server = flooding(10);
  const trace: string[] = [];
  await using notifications = await connect(server.url, {
    queue: { items: 4 },
    onGap: ({ dropped }) => trace.push(`onGap -${dropped}`),
    onError: (error) => trace.push((error as Error).message),
  });
  const go = Promise.withResolvers<void>();
  const batchHandler: BatchHandler = async (batch) => {
    trace.push(names(batch));
    await go.promise;
    throw new Error(`thrown after ${batch.length}`);
  };
  await notifications.subscribe(CHANNEL, { batchHandler });
  await come(notifications, 10);
  assertEquals(trace, ["onGap -6", "e7 e8 e9 e10"]);
  await notifications.subscribeKeyspace(MORE);
  await come(notifications, 12);
  assertEquals([trace.length, notifications.status().queued], [2, 2]);
  go.resolve();
  await until("all are handled", () => trace.includes("thrown after 2"));
  assertEquals(trace.slice(2), ["thrown after 4", "more last", "thrown after 2"]);
});

Deno.test("onGap and onFlush are called before handlers to whom earlier notifications still wait", async () => {
  const trace: string[] = [];
  const settings = resolveOptions({}, {
    flushes: true,
    onGap: () => trace.push("onGap"),
    onFlush: () => trace.push("onFlush"),
  });
  const dispatcher = new Dispatcher(() => "", settings, {
    subscribe: (_channels, _checked, admit) => Promise.resolve((admit(), [])),
    reconcile: () => Promise.resolve(),
  });
  const bytes = new TextEncoder().encode("__keyspace@0__:kdel");
  const frame = { bytes, patternStart: -1, patternEnd: -1, channelStart: 0, channelEnd: 16 };
  const source = {
    receivedAt: 0,
    sentAfter: 0,
    deduplicator: new EventDeduplicator<Consumer>(),
    gate: null,
  };
  const channel = new KeyspaceChannel("k");
  await dispatcher.subscribe([channel], { handler: () => trace.push("handler") });
  await dispatcher.subscribe([channel], { batchHandler: () => trace.push("batchHandler") });
  await dispatcher.subscribe([channel], {
    handler: () => Promise.resolve(trace.push("busy handler")),
  });
  for (let n = 0; n < 2; n++) {
    dispatcher.deliver({ ...frame, payloadStart: 16, payloadEnd: 19 }, source);
  }
  dispatcher.reportGap({ kind: "gap", reason: "disconnected", node: "", from: 0, to: 0 });
  dispatcher.reportFlush({ kind: "flush", node: "", at: 0 });
  await until("all are called", () => trace.length === 7);
  assertEquals(trace.slice(0, 5), ["handler", "busy handler", "handler", "onGap", "onFlush"]);
  assertEquals(trace.slice(5).sort(), ["batchHandler", "busy handler"]);
});

Deno.test("a handler of batches that throws at once stops nothing", async () => {
  await using server = await startServer(TALKATIVE);
  const errors: unknown[] = [];
  await using notifications = await connect(server.url, { onError: (error) => errors.push(error) });
  const keys: string[] = [];
  await notifications.subscribeKeyevent("set", {
    batchHandler(batch) {
      keys.push(...batch.map(({ key }) => key));
      throw new Error("no");
    },
  });
  for (const key of ["a", "b", "c"]) {
    await server.command("SET", key, "x");
    await until("it is handled", () => keys.includes(key));
  }
  assertEquals([keys, errors.length], [["a", "b", "c"], 3]);
});

Deno.test("a handler of batches gets nothing once it is unsubscribed or all is closed", async () => {
  for (const ends of ["unsubscribe", "close"] as const) {
    await using server = flooding(3);
    await using notifications = await connect(server.url);
    let calls = 0;
    const busy = Promise.withResolvers<void>();
    const batchHandler = () => (calls++, busy.promise);
    const held = await notifications.subscribe(CHANNEL, { batchHandler });
    await come(notifications, 3);
    await notifications.subscribeKeyspace(MORE);
    await come(notifications, 5);
    assertEquals([calls, notifications.status().queued], [1, 2]);
    await (ends === "close" ? notifications.close() : held.unsubscribe());
    busy.resolve();
    await sleep(10);
    assertEquals([calls, notifications.status().queued], [1, 0]);
  }
});

Deno.test("a subscription has one handler at most, and it is a function", async () => {
  await using server = flooding(0);
  await using notifications = await connect(server.url);
  const handler = () => {};
  await assertRejects(
    // @ts-expect-error The types say so, too.
    () => notifications.subscribe(CHANNEL, { handler, batchHandler: handler }),
    TypeError,
    "handler and batchHandler exclude each other",
  );
  await assertRejects(
    () => notifications.subscribe(CHANNEL, { batchHandler: true as unknown as BatchHandler }),
    TypeError,
    "batchHandler is not a function",
  );
});
