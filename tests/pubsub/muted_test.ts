import { assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { startServer, until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

/** After how long a mute server is asked again, in ms: at first, and at last. */
const FIRST_POLL = 200;
const LONGEST_POLL = 2_000;

/** Lets no timer fire that may be such; gives back how many were set, and the way back. */
function stopTimers(): { count(): number } & Disposable {
  const { setTimeout } = globalThis;
  let count = 0;
  const never = (action: () => void, ms = 0) => {
    const isPoll = ms >= FIRST_POLL && ms <= LONGEST_POLL;
    if (isPoll) count++;
    return setTimeout(action, isPoll ? 2 ** 31 - 1 : ms);
  };
  globalThis.setTimeout = never as typeof setTimeout;
  return { count: () => count, [Symbol.dispose]: () => void (globalThis.setTimeout = setTimeout) };
}

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: flags that are back are noticed by what comes, not only by asking again`, async () => {
    await using server = await startServer();
    await server.command("CONFIG", "SET", "notify-keyspace-events", "KEA");
    const errors: unknown[] = [];
    await using notifications = await connect(server.url, {
      protocol,
      onError: (error) => errors.push(error),
    });
    await notifications.subscribeKeyspace("user:*");
    await server.restart();
    await until("it is noticed", () => errors.length === 1);
    using timers = stopTimers();
    await until("it waits before it asks again", () => timers.count() > 0);
    await server.command("CONFIG", "SET", "notify-keyspace-events", "KEA");
    await server.command("SET", "user:1", "x");
    await until("it has asked", () => notifications.health().ok);
    assertEquals(notifications.status().gaps, 2);
  });
}

Deno.test("a server that stays mute is asked ever more rarely, and as long as it is mute", async () => {
  const { setTimeout } = globalThis;
  const pauses: number[] = [];
  let mute = false;
  await using server = new FakeServer(([name]) => {
    if (name !== "CONFIG" || !mute) return undefined;
    return "%1\r\n$22\r\nnotify-keyspace-events\r\n$0\r\n\r\n";
  });
  await using notifications = await connect(server.url, { onError() {} });
  await notifications.subscribeKeyspace("k");
  const asked = () => server.commands.filter((text) => text.startsWith("CONFIG")).length;
  const before = asked();
  try {
    globalThis.setTimeout = ((action: () => void, ms = 0) => {
      if (ms >= FIRST_POLL && ms <= LONGEST_POLL) pauses.push(ms);
      return setTimeout(action, ms / 100);
    }) as typeof setTimeout;
    mute = true;
    server.hangUp();
    await until("it was asked often", () => asked() >= before + 8);
    assertEquals(pauses.slice(0, 6), [200, 400, 800, 1_600, 2_000, 2_000]);
    mute = false;
    await until("it is noticed", () => notifications.health().ok);
  } finally {
    globalThis.setTimeout = setTimeout;
  }
});
