import { assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { startServer, until } from "../servers/mod.ts";

/** Lets no timer of so many ms fire; gives back how many were set, and the way back. */
function stopTimers(ms: number): { count(): number } & Disposable {
  const { setTimeout } = globalThis;
  let count = 0;
  const never = (action: () => void, after?: number) => {
    if (after === ms) count++;
    return setTimeout(action, after === ms ? 2 ** 31 - 1 : after);
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
    using timers = stopTimers(200);
    await until("it waits before it asks again", () => timers.count() > 0);
    await server.command("CONFIG", "SET", "notify-keyspace-events", "KEA");
    await server.command("SET", "user:1", "x");
    await until("it has asked", () => notifications.health().ok);
    assertEquals(notifications.status().gaps, 2);
  });
}
