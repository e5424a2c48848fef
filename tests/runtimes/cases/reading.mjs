/** The ways notifications are read: by message, by loop, by handler. */
import { equal, FOREVER, ok, sleep, take, takeOne, until } from "../kit.mjs";

async function getsMessages(scene) {
  const notifications = await scene.connect();
  await notifications.subscribeKeyevent("set");
  equal(await notifications.getMessage(), null);
  equal(await notifications.getMessage({ timeout: 20 }), null);

  const waiting = notifications.getMessage({ timeout: FOREVER });
  await scene.command("SET", "a", "x");
  equal((await waiting).key, "a");

  await scene.commands([["SET", "b", "x"], ["SET", "c", "x"]]);
  await until("both have come", () => notifications.status().queued === 2);
  equal((await notifications.getMessage()).key, "b");
  equal((await notifications.getMessage({ timeout: FOREVER })).key, "c");
  equal(await notifications.getMessage(), null);

  const stop = new AbortController();
  const stopped = notifications.getMessage({ timeout: FOREVER, signal: stop.signal });
  stop.abort();
  equal(await stopped, null);
}

async function loops(scene) {
  const notifications = await scene.connect();
  await notifications.subscribeKeyevent("set");
  // Before the loop, which takes over what waits.
  await scene.commands(["a", "b", "c"].map((key) => ["SET", key, "x"]));
  const seen = [];
  for await (const { key } of notifications) {
    seen.push(key);
    if (key === "b") break;
  }
  for await (const { key } of notifications) {
    seen.push(key);
    if (key === "c") await scene.command("SET", "d", "x");
    if (key === "d") break;
  }
  equal(seen, ["a", "b", "c", "d"]);

  const error = new Error("thrown in the loop");
  await scene.command("SET", "e", "x");
  const left = (async () => {
    for await (const _ of notifications) throw error;
  })();
  equal(await left.catch((thrown) => thrown === error), true, "the loop's own error is thrown");
  await scene.command("SET", "f", "x");
  equal(await take(notifications, 1), ["set f"]);
}

async function listens(scene) {
  const notifications = await scene.connect();
  await notifications.subscribeKeyevent("set");
  const stop = new AbortController();
  const first = notifications.listen({ signal: stop.signal });
  const second = notifications.listen({ gaps: true });
  await scene.commands([["SET", "a", "x"], ["SET", "b", "x"]]);
  for (const loop of [first, second]) {
    for (const key of ["a", "b"]) {
      const { done, value } = await loop.next();
      equal([done, value.key], [false, key]);
    }
  }
  const waiting = first.next();
  stop.abort();
  equal(await waiting, { done: true, value: undefined });
  equal(await first.next(), { done: true, value: undefined });
  await scene.command("SET", "c", "x");
  equal((await second.next()).value.key, "c");
  equal(await second.return(), { done: true, value: undefined });
  equal((await notifications.listen({ signal: stop.signal }).next()).done, true);
}

async function reportsOverflow(scene) {
  const gaps = [];
  const notifications = await scene.connect({
    queue: { items: 3 },
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyevent("set");
  await scene.commands(Array.from({ length: 10 }, (_, n) => ["SET", `k${n}`, "x"]));
  await until("all have come", () => notifications.status().nodes[0].messages === 10);
  const loop = notifications.listen({ gaps: true });
  const { value: gap } = await loop.next();
  equal([gap.kind, gap.reason, gap.dropped], ["gap", "overflow", 7]);
  ok(gaps.length === 1 && gaps[0] === gap, "onGap is called with it");
  equal((await loop.next()).value.key, "k7");
}

function showsFlushes(protocol) {
  return async (scene) => {
    const flushes = [];
    const notifications = await scene.connect({
      protocol,
      flushes: true,
      onFlush: (flush) => flushes.push(flush),
    });
    await notifications.subscribeKeyevent("set");
    const loop = notifications.listen({ flushes: true });
    await scene.commands([["SET", "a", "x"], ["FLUSHDB"], ["SET", "b", "x"]]);
    equal((await loop.next()).value.key, "a");
    const { value: flush } = await loop.next();
    equal([flush.kind, flush.node], ["flush", notifications.status().nodes[0].node]);
    ok(flushes.length === 1 && flushes[0] === flush, "onFlush is called with it");
    equal((await loop.next()).value.key, "b");
  };
}

async function callsHandlers(scene) {
  const notifications = await scene.connect();
  const seen = [];
  await notifications.subscribeKeyevent("set", { handler: ({ key }) => seen.push(key) });
  await notifications.subscribeKeyspace("*", {
    handler: ({ key, eventType }) => seen.push(`${eventType} ${key}`),
  });
  await notifications.subscribeKeyevent("del");
  await scene.commands([["SET", "a", "x"], ["DEL", "a"]]);
  equal(await take(notifications, 1), ["del a"], "the merged stream");
  equal(seen, ["set a", "a", "del a"]);
}

async function awaitsHandlers(scene) {
  const notifications = await scene.connect();
  const trace = [];
  await notifications.subscribeKeyevent("set", {
    handler: async ({ key }) => {
      trace.push(`begin ${key}`);
      await sleep(5);
      trace.push(`end ${key}`);
    },
  });
  await scene.commands(["a", "b", "c"].map((key) => ["SET", key, "x"]));
  await until("all is done", () => trace.length === 6);
  equal(trace, ["begin a", "end a", "begin b", "end b", "begin c", "end c"]);
}

async function reportsThrown(scene) {
  const errors = [];
  const seen = [];
  const notifications = await scene.connect({ onError: (error) => errors.push(error.message) });
  await notifications.subscribeKeyevent("set", {
    handler: ({ key }) => {
      seen.push(key);
      if (key === "thrown") throw new Error(key);
      return key === "rejected" ? Promise.reject(new Error(key)) : undefined;
    },
  });
  await scene.commands(["thrown", "rejected", "fine"].map((key) => ["SET", key, "x"]));
  await until("all is done", () => seen.length === 3);
  equal([seen, errors], [["thrown", "rejected", "fine"], ["thrown", "rejected"]]);
  equal(notifications.status().state, "ready");
}

/** Fails at the first key that is not the next one. */
function expectInOrder(got, keys) {
  const at = keys.findIndex((key, at) => got[at] !== key);
  ok(at === -1, `number ${at} is ${keys[at]}, not ${got[at]}`);
  equal(got.length, keys.length, "how many came");
}

function takesBursts(protocol) {
  return async (scene) => {
    const notifications = await scene.connect({ protocol });
    const handled = [];
    await notifications.subscribeKeyspace("burst:*");
    await notifications.subscribeKeyspace("burst:*", { handler: ({ key }) => handled.push(key) });
    const keys = Array.from(
      { length: 20_000 },
      (_, n) => `burst:${String(n).padStart(200, "x")}`,
    );
    const before = notifications.status().nodes[0].bytes;
    const looped = (async () => {
      const looped = [];
      for await (const { key } of notifications) {
        looped.push(key);
        if (looped.length === keys.length / 2) break;
      }
      return looped;
    })();
    await scene.commands(keys.map((key) => ["SET", key, "x"]));
    await until("the handler has them all", () => handled.length >= keys.length);
    expectInOrder(handled, keys);
    const { bytes } = notifications.status().nodes[0];
    ok(bytes - before >= 5_000_000, `${bytes - before} bytes are a burst of 5 MB`);
    // The other half has waited.
    const read = await looped;
    while (read.length < keys.length) read.push((await takeOne(notifications)).key);
    expectInOrder(read, keys);
    equal(notifications.status().gaps, 0);
  };
}

export const reading = [
  { name: "getMessage takes what is there, waits, and gives up", run: getsMessages },
  { name: "for await can be left and taken up again", run: loops },
  { name: "listen gives each loop everything until it is left", run: listens },
  { name: "a full queue reports a gap", run: reportsOverflow },
  { name: "RESP3: a flush stands between the notifications", run: showsFlushes(3) },
  { name: "RESP2: a flush stands between the notifications", run: showsFlushes(2) },
  { name: "a handler takes its notifications out of the stream", run: callsHandlers },
  { name: "an async handler is awaited before the next notification", run: awaitsHandlers },
  { name: "what a handler throws goes to onError and stops nothing", run: reportsThrown },
  { name: "RESP3: 5 MB in a burst arrive whole and in order", run: takesBursts(3) },
  { name: "RESP2: 5 MB in a burst arrive whole and in order", run: takesBursts(2) },
];
