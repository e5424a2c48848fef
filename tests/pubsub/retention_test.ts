/**
 * What waits for its reader keeps nothing of the chunk it came in. A transport never writes to a
 * chunk again; this one does, once the chunk was delivered, so that whatever still stands there
 * shows.
 */
import { assertEquals } from "@std/assert";
import { connect, type ConnectOptions, type KeyNotification } from "../../mod.ts";
import { dial } from "../../pubsub/mod.ts";
import { until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

const KEYS = ["first", "second", "größe", "third"];
const CHANNEL = "__keyevent@0__:set";
const FILLER = 0x7e;

/** Watches a server that sends one notification of each key, in one chunk, which is written over. */
async function watch(
  options: ConnectOptions,
  handler?: (notification: KeyNotification) => Promise<void>,
) {
  const bulk = (text: string) => `$${new TextEncoder().encode(text).length}\r\n${text}\r\n`;
  const messages = KEYS.map((key) => `>3\r\n${bulk("message")}${bulk(CHANNEL)}${bulk(key)}`);
  // What comes while a channel is checked is held as a copy: so they come while one is released.
  const server = new FakeServer(([name, channel]) =>
    name === "UNSUBSCRIBE"
      ? `>3\r\n${bulk("unsubscribe")}${bulk(channel!)}:1\r\n${messages.join("")}`
      : undefined
  );
  let last = new Uint8Array();
  const notifications = await connect(server.url, {
    ...options,
    dial: async (...args) => {
      const inner = await dial(...args);
      return {
        read: async () => {
          last.fill(FILLER);
          const chunk = await inner.read();
          last = chunk === null ? new Uint8Array() : new Uint8Array(chunk);
          return chunk === null ? null : last;
        },
        write: (bytes) => inner.write(bytes),
        close: () => inner.close(),
      };
    },
  });
  await notifications.subscribe(CHANNEL, handler === undefined ? {} : { handler });
  const other = await notifications.subscribe("__keyevent@0__:del", { handler() {} });
  await other.unsubscribe();
  await until("all have come", () => notifications.status().nodes[0]!.messages === KEYS.length);
  await until("the chunk is written over", () => last[0] === FILLER);
  return {
    notifications,
    [Symbol.asyncDispose]: async () => {
      await notifications.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a notification that waits in the merged stream keeps nothing of its chunk", async () => {
  await using watched = await watch({});
  const keys: string[] = [];
  for (const _ of KEYS) keys.push((await watched.notifications.getMessage())!.key);
  assertEquals(keys, KEYS);
});

Deno.test("a notification that waits for a busy handler keeps nothing of its chunk", async () => {
  const go = Promise.withResolvers<void>();
  const keys: string[] = [];
  await using _ = await watch({}, async (notification) => {
    await go.promise;
    keys.push(notification.key);
  });
  go.resolve();
  await until("all are handled", () => keys.length === KEYS.length);
  // The handler itself has kept the first, without having asked it for anything.
  assertEquals(keys.slice(1), KEYS.slice(1));
});
