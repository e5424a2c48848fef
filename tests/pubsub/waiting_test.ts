/** Signals that end waits, a stream of the platform, and what `close` does to what is queued. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClosedError, ClusterKeyspaceNotifications, connect } from "../../mod.ts";
import { sleep, startCluster, startServer, until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

/** A server that never answers these commands. */
function silent(...commands: string[]): FakeServer {
  return new FakeServer(([name]) => commands.includes(name!) ? null : undefined);
}

Deno.test("an aborted subscribe rejects with the reason, and leaves nothing subscribed", async () => {
  await using server = silent("SUBSCRIBE");
  await using notifications = await connect(server.url, { timeout: 5_000 });
  const stop = new AbortController();
  const { signal } = stop;
  const calls = [
    notifications.subscribeKeyspace("a", { signal }),
    notifications.subscribe("__keyspace@0__:b", { signal, handler() {} }),
  ];
  await until("it is asked", () => server.heard("SUBSCRIBE"));
  stop.abort(new Error("enough"));
  for (const call of calls) await assertRejects(() => call, Error, "enough");
  assertEquals(notifications.subscribed, false);
  const before = server.commands.length;
  await assertRejects(() => notifications.subscribeKeyspace("c", { signal }), Error, "enough");
  assertEquals(server.commands.length, before);
});

Deno.test("a signal that is aborted after the confirmation is ignored", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url);
  const stop = new AbortController();
  await notifications.subscribeKeyspace("a", { signal: stop.signal });
  stop.abort();
  assertEquals(notifications.subscribed, true);
});

Deno.test("an aborted unsubscribe rejects with the reason, and releases the channels all the same", async () => {
  await using server = silent("UNSUBSCRIBE");
  await using notifications = await connect(server.url, { timeout: 5_000 });
  await notifications.subscribeKeyspace("a");
  const held = await notifications.subscribeKeyspace("b");
  const signal = AbortSignal.timeout(100);
  const calls = [
    notifications.unsubscribe("__keyspace@0__:a", { signal }),
    held.unsubscribe({ signal }),
  ];
  for (const call of calls) await assertRejects(() => call, DOMException);
  assertEquals(notifications.subscribed, false);
});

Deno.test("an aborted refresh rejects with the reason", async () => {
  await using cluster = await startCluster();
  await using notifications = await connect(cluster.urls);
  assert(notifications instanceof ClusterKeyspaceNotifications);
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(() => notifications.refreshSubscriptions({ signal }), Error, "enough");
  await notifications.refreshSubscriptions({ signal: AbortSignal.timeout(20_000) });
});

Deno.test("what is not a signal is rejected", async () => {
  await using server = new FakeServer(() => undefined);
  await using notifications = await connect(server.url);
  const options = { signal: {} as AbortSignal };
  await assertRejects(
    () => notifications.subscribeKeyspace("a", options),
    TypeError,
    "AbortSignal",
  );
  await assertRejects(() => notifications.unsubscribe(options), TypeError, "AbortSignal");
});

Deno.test("readable is a stream of notifications and gaps, and ends with close", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url);
  await notifications.subscribeKeyevent("set");
  const kinds: string[] = [];
  const reading = notifications.readable({ gaps: true }).pipeTo(
    new WritableStream({ write: (item) => void kinds.push(item.kind) }),
  );
  await server.command("SET", "a", "x");
  await until("it has come", () => kinds.length === 1);
  await server.command("CLIENT", "KILL", "TYPE", "pubsub");
  await until("the gap has come", () => kinds.length === 2);
  await notifications.close();
  await reading;
  assertEquals(kinds, ["keyevent", "gap"]);
});

Deno.test("canceling a readable leaves its loop, and gives back what it has not read", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url);
  await notifications.subscribeKeyevent("set");
  const stream = notifications.readable();
  for (const key of ["a", "b"]) await server.command("SET", key, "x");
  await until("both have come", () => notifications.status().queued === 2);
  const reader = stream.getReader();
  assertEquals((await reader.read()).value?.key, "a");
  await reader.cancel();
  assertEquals((await notifications.getMessage())?.key, "b");
});

Deno.test("close drops what is queued for a handler, and does not wait for its call", async () => {
  const { taken, finish, notifications } = await withSlowHandler();
  await notifications.close();
  finish();
  await sleep(10);
  assertEquals(taken, ["0"]);
});

Deno.test("close with drain delivers what is queued for a handler, and waits for its last call", async () => {
  const { taken, finish, notifications } = await withSlowHandler();
  let isClosed = false;
  const closing = notifications.close({ drain: true }).then(() => isClosed = true);
  await assertRejects(() => notifications.subscribeKeyspace("later"), ClosedError);
  await sleep(10);
  assertEquals(isClosed, false);
  finish();
  await closing;
  assertEquals(taken, ["0", "1", "2"]);
});

Deno.test("close rejects a drain that is neither true nor false", async () => {
  const { finish, notifications } = await withSlowHandler();
  await assertRejects(() => notifications.close({ drain: "no" as never }), TypeError, "drain");
  assertEquals(notifications.health().ok, true);
  await notifications.close();
  finish();
});

Deno.test("a second close drops what the first would drain, and ends its wait", async () => {
  const { taken, finish, notifications } = await withSlowHandler();
  const closing = notifications.close({ drain: true });
  await notifications.close();
  // The handler may never be done.
  await closing;
  finish();
  await sleep(10);
  assertEquals(taken, ["0"]);
});

Deno.test("close with drain ends a loop after what is queued for it, also from within", async () => {
  await using server = await startServer(TALKATIVE);
  for (const drain of [true, false]) {
    const notifications = await connect(server.url);
    await notifications.subscribeKeyevent("set");
    const loop = notifications.listen();
    for (const key of ["a", "b", "c"]) await server.command("SET", key, "x");
    await until("all have come", () => notifications.status().queued === 3);
    const keys: string[] = [];
    for await (const { key } of loop) {
      keys.push(key);
      if (keys.length === 1) await notifications.close({ drain });
    }
    assertEquals(keys, drain ? ["a", "b", "c"] : ["a"]);
  }
});

Deno.test("a cluster is drained, too", async () => {
  await using cluster = await startCluster(TALKATIVE);
  const notifications = await connect(cluster.urls);
  const { taken, finish, handler } = slowHandler();
  await notifications.subscribeKeyevent("set", { handler });
  const owner = await cluster.ownerOf("{a}");
  for (const key of ["{a}1", "{a}2"]) await owner.command("SET", key, "x");
  await until("both have come", () => taken.length + notifications.status().queued === 2);
  const closing = notifications.close({ drain: true });
  finish();
  await closing;
  assertEquals(taken, ["{a}1", "{a}2"]);
});

/** A handler whose calls are not done before `finish`. */
function slowHandler() {
  const taken: string[] = [];
  let finish!: () => void;
  const finished = new Promise<void>((resolve) => finish = resolve);
  const handler = async ({ key }: { readonly key: string }): Promise<void> => {
    taken.push(key);
    await finished;
  };
  return { taken, finish, handler };
}

/** A handler whose first call is not done before `finish`, and two notifications behind it. */
async function withSlowHandler() {
  await using server = await startServer(TALKATIVE);
  const notifications = await connect(server.url);
  const { taken, finish, handler } = slowHandler();
  await notifications.subscribeKeyevent("set", { handler });
  for (const key of ["0", "1", "2"]) await server.command("SET", key, "x");
  await until("all have come", () => notifications.status().queued === 2);
  return { taken, finish, notifications };
}
