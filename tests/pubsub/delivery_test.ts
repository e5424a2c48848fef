import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  ClosedError,
  connect,
  ConnectError,
  type Gap,
  KeyspaceChannel,
  SubscribeRefusedError,
} from "../../mod.ts";
import { sleep, startServer, until, within } from "../servers/mod.ts";
import { Peer } from "./peer.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };
const BOB = { username: "bo", password: "pw" };

Deno.test("after close no handler is called, and no gap is reported", async () => {
  await using server = await startServer(TALKATIVE);
  let calls = 0;
  let gaps = 0;
  const notifications = await connect(server.url, {
    queue: { items: 5 },
    onGap: () => gaps++,
  });
  await notifications.subscribeKeyevent("set", {
    handler: async () => {
      calls++;
      await sleep(5);
    },
  });
  await Promise.all(Array.from({ length: 50 }, (_, n) => server.command("SET", `k${n}`, "x")));
  await until("all have come", () => notifications.status().nodes[0]!.messages === 50);
  await notifications.close();
  const before = { calls, gaps };
  await sleep(50);
  assertEquals({ calls, gaps }, before);
});

Deno.test("an unsubscribed handler gets nothing of what still waits for it", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url);
  let calls = 0;
  const hold = await notifications.subscribeKeyevent("set", {
    handler: async () => {
      calls++;
      await sleep(1);
    },
  });
  await Promise.all(Array.from({ length: 50 }, (_, n) => server.command("SET", `k${n}`, "x")));
  await until("they wait", () => notifications.status().queued > 10);
  await hold.unsubscribe();
  const before = calls;
  await sleep(30);
  assert(calls <= before + 1);
  assertEquals(notifications.status().queued, 0);
});

Deno.test("a slow handler's overflow is a gap at its place, counted when it happens", async () => {
  await using server = await startServer(TALKATIVE);
  const trace: string[] = [];
  await using notifications = await connect(server.url, {
    queue: { items: 4 },
    onGap: ({ reason, dropped }) => trace.push(`${reason} ${dropped}`),
  });
  const go = Promise.withResolvers<void>();
  await notifications.subscribeKeyevent("set", {
    handler: async ({ key }) => {
      trace.push(key);
      await go.promise;
    },
  });
  for (let n = 0; n < 10; n++) await server.command("SET", `k${n}`, "x");
  await until("all have come", () => notifications.status().nodes[0]!.messages === 10);
  const { dropped, queued, gaps } = notifications.status();
  assertEquals({ dropped, queued, gaps }, { dropped: 5, queued: 4, gaps: 0 });
  go.resolve();
  await until("all are handled", () => trace.includes("k9"));
  assertEquals(trace, ["k0", "overflow 5", "k6", "k7", "k8", "k9"]);
});

Deno.test("what nobody reads is counted as dropped when it is", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url, { queue: { items: 3 } });
  await notifications.subscribeKeyevent("set");
  for (let n = 0; n < 10; n++) await server.command("SET", `k${n}`, "x");
  await until("all have come", () => notifications.status().nodes[0]!.messages === 10);
  assertEquals([notifications.status().dropped, notifications.status().queued], [7, 3]);
});

Deno.test("getMessage waits as long as requested, however long, until its signal", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url);
  await notifications.subscribeKeyevent("set");
  for (const timeout of [2 ** 31, Infinity]) {
    const stop = new AbortController();
    let ended = false;
    const waiting = notifications.getMessage({ timeout, signal: stop.signal });
    waiting.finally(() => ended = true);
    await sleep(30);
    assertEquals(ended, false);
    stop.abort();
    assertEquals(await waiting, null);
    assertEquals(await notifications.getMessage({ timeout, signal: stop.signal }), null);
  }
});

Deno.test("loops leave no listener on their signal, however they end", async () => {
  await using server = await startServer(TALKATIVE);
  const signal = new AbortController().signal;
  let listeners = 0;
  const { addEventListener: add, removeEventListener: remove } = signal;
  signal.addEventListener = (
    ...args: Parameters<typeof add>
  ) => (listeners++, add.apply(signal, args));
  signal.removeEventListener = (...args: Parameters<typeof remove>) => (
    listeners--, remove.apply(signal, args)
  );
  const notifications = await connect(server.url, { maxAttempts: 0 });
  await notifications.subscribeKeyevent("set");
  await notifications.listen({ signal }).return();
  const loops = [notifications.listen({ signal }), notifications.listen({ signal })];
  await server.command("CLIENT", "KILL", "TYPE", "pubsub");
  for (const loop of loops) await assertRejects(() => loop.next(), ConnectError);
  await notifications.close();
  assertEquals(listeners, 0);
});

Deno.test("the last loop to leave leaves what it has not read to the next reader", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url);
  await notifications.subscribeKeyevent("set");
  const one = notifications.listen();
  const two = notifications.listen();
  for (const key of ["a", "b"]) await server.command("SET", key, "x");
  assertEquals((await one.next()).value?.key, "a");
  assertEquals((await two.next()).value?.key, "a");
  assertEquals((await two.next()).value?.key, "b");
  await two.return();
  await one.return();
  assertEquals((await notifications.getMessage({ timeout: 10_000 }))?.key, "b");
});

Deno.test("an event is not taken for the one before, whatever was dropped and held in between", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url);
  await notifications.subscribe("__keyevent@0__:set", "__keyevent@0__:s*");
  for (let round = 0; round < 5; round++) {
    // Dropped and held again in one go, so that the server need not be reported.
    const dropped = notifications.unsubscribe("__keyevent@0__:set");
    const held = notifications.subscribe("__keyevent@0__:set");
    await Promise.all([dropped, held]);
    await server.command("SET", "k", "x");
    assertEquals((await notifications.getMessage({ timeout: 10_000 }))?.key, "k", `round ${round}`);
  }
  assertEquals(await notifications.getMessage({ timeout: 50 }), null);
});

Deno.test("a refused channel takes no other with it that is called the same", async () => {
  await using server = await startServer({
    ...TALKATIVE,
    acl: ["bo on >pw ~* resetchannels &__keyspace@0__:a? +@all"],
  });
  await using notifications = await connect(server.url, BOB);
  const seen: string[] = [];
  const error = await assertRejects(
    () =>
      notifications.subscribe(KeyspaceChannel.exact("a*"), KeyspaceChannel.pattern("a*"), {
        handler: ({ key }) => seen.push(key),
      }),
    SubscribeRefusedError,
    "the others are subscribed",
  );
  assertEquals(error.refused.map(({ channel }) => channel.isPattern), [true]);
  assertEquals(notifications.status().state, "ready");
  await server.command("SET", "a*", "x");
  await until("it has come", () => seen.length === 1);
  await error.subscription!.unsubscribe();
  assertEquals(notifications.subscribed, false);
  assertEquals(await server.command("PUBSUB", "CHANNELS"), []);
});

Deno.test("the advice fits what was refused", async () => {
  await using server = await startServer({
    ...TALKATIVE,
    acl: ["bo on >pw ~* &* +@all -psubscribe"],
  });
  await using notifications = await connect(server.url, BOB);
  const error = await assertRejects(
    () => notifications.subscribeKeyspace("a*"),
    SubscribeRefusedError,
    "+psubscribe), or subscribe exact channels",
  );
  assertEquals(error.message.includes("others"), false);
  assertEquals(error.subscription, null);
  await using old = await startServer({
    config: { "notify-keyspace-events": "KEA", "rename-command": 'PSUBSCRIBE ""' },
  });
  await using serverless = await connect(old.url);
  await assertRejects(
    () => serverless.subscribeKeyspace("a*"),
    SubscribeRefusedError,
    "this server has no PSUBSCRIBE, or subscribe exact channels",
  );
  await serverless.subscribeKeyspace("a");
});

Deno.test("status distinguishes subscribed channels from desired ones", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url, { flags: "ignore" });
  await notifications.subscribeKeyspace("a");
  assertEquals(notifications.status().nodes[0]!.flags, null);
  const dropping = notifications.unsubscribe();
  const holding = notifications.subscribeKeyspace("b");
  assertEquals(notifications.status().state, "subscribing");
  assertEquals(notifications.health().ok, false);
  await Promise.all([dropping, holding]);
  assertEquals(notifications.status().state, "ready");
});

Deno.test("a user who needs no password can be named in a URL", async () => {
  await using server = await startServer({ ...TALKATIVE, acl: ["bo on nopass ~* &* +@all"] });
  const notifications = await connect(`redis://bo:@127.0.0.1:${server.port}`);
  assertStringIncludes(String(await server.command("CLIENT", "LIST")), "user=bo");
  await notifications.close();
});

Deno.test("options go before what the URL says", async () => {
  await using server = await startServer({ ...TALKATIVE, acl: ["bo on >pw ~* &* +@all"] });
  const url = `redis://ana:wrong@127.0.0.1:${server.port}`;
  await (await connect(url, BOB)).close();
  await (await connect(url, { credentials: BOB })).close();
});

Deno.test("after a loss for good, close makes it closed", async () => {
  await using server = await startServer(TALKATIVE);
  const notifications = await connect(server.url, { maxAttempts: 0 });
  await notifications.subscribeKeyevent("set");
  await server.kill();
  await until("it is over", () => notifications.status().state === "closed");
  await notifications.close();
  assertEquals((await notifications.listen().next()).done, true);
  await assertRejects(() => notifications.subscribeKeyevent("set"), ClosedError);
  await assertRejects(() => notifications.getMessage(), ClosedError);
});

Deno.test("a peer that announces more than is accepted is left, and nothing is held of it", async () => {
  const gone = Promise.withResolvers<void>();
  await using peer = new Peer(async (connection) => {
    await connection.read(new Uint8Array(1024));
    await connection.write(new TextEncoder().encode("$536870912\r\n"));
    await connection.read(new Uint8Array(1024));
    gone.resolve();
  });
  const error = await assertRejects(() => connect(peer.url), ConnectError);
  assertStringIncludes(error.message, "maxBulkLength, which is 33554432");
  await within(gone.promise, 10_000, "the end");
});

Deno.test("a name with several addresses, none of which answers, is informed of with all reasons", async () => {
  const error = await assertRejects(
    () =>
      connect("redis://localhost:1", {
        dial: () =>
          Promise.reject(new AggregateError([new Error("refused ::1"), new Error("refused v4")])),
      }),
    ConnectError,
    "refused ::1, refused v4",
  );
  const { name, message } = error.cause as Error;
  assertEquals([name, message], ["AggregateError", "refused ::1, refused v4"]);
});

Deno.test("in Deno a missing permission is not taken for a missing server", async () => {
  const script = `
    import { connect } from ${JSON.stringify(import.meta.resolve("../../mod.ts"))};
    try { await connect("redis://127.0.0.1:1"); } catch (error) { console.log(error.message); }
  `;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, script);
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", file],
    stdin: "null",
  }).output();
  await Deno.remove(file);
  const message = new TextDecoder().decode(stdout);
  assertStringIncludes(message, "--allow-net");
  assertEquals(message.includes("check that a server"), false, message);
});

Deno.test("the coalesced rest of a key comes after the gap", async () => {
  await using server = await startServer(TALKATIVE);
  const gaps: Gap[] = [];
  await using notifications = await connect(server.url, {
    queue: { items: 16, overflow: "coalesce" },
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyspace("*");
  for (let n = 0; n < 40; n++) await server.command("APPEND", "busy", "x");
  await server.command("SET", "calm", "x");
  await until("all have come", () => notifications.status().nodes[0]!.messages === 41);
  const keys: string[] = [];
  for (;;) {
    const next = await notifications.getMessage();
    if (next === null) break;
    keys.push(next.key);
  }
  assertEquals(gaps.length, 1);
  assertEquals(gaps[0]!.dropped! + keys.length, 41);
  assertEquals(keys.at(-1), "calm");
  assert(keys.includes("busy") && keys.length < 20);
});
