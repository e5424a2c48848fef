import { assert, assertEquals, assertRejects } from "@std/assert";
import { Refresher } from "../../cluster/refresher.ts";
import { sleep, until } from "../servers/mod.ts";

/** A question whose answers come when told to. */
function question() {
  const asked: PromiseWithResolvers<void>[] = [];
  const refresh = () => {
    const answer = Promise.withResolvers<void>();
    asked.push(answer);
    return answer.promise;
  };
  return { asked, refresh };
}

const SELDOM = 1_000_000;

Deno.test("one question is under way at a time, and one more serves all who ask meanwhile", async () => {
  const { asked, refresh } = question();
  const refresher = new Refresher({ refresh, interval: () => SELDOM, onFailure() {} });
  const first = refresher.request();
  const second = refresher.request();
  const third = refresher.request();
  assertEquals(asked.length, 1);
  asked[0]!.resolve();
  await first;
  await until("the next is asked", () => asked.length === 2);
  asked[1]!.resolve();
  await Promise.all([second, third]);
  assertEquals(asked.length, 2);
  refresher.stop();
});

Deno.test("it asks on a timer, and again after a failure, which it tells", async () => {
  const { asked, refresh } = question();
  const failures: string[] = [];
  const refresher = new Refresher({
    refresh,
    interval: () => 5,
    onFailure: ({ message }) => failures.push(message),
  });
  for (let n = 0; n < 3; n++) {
    await until("it is asked", () => asked.length === n + 1);
    asked[n]!.reject(new Error(`failure ${n}`));
  }
  await until("it is asked", () => asked.length === 4);
  asked[3]!.resolve();
  await until("it is asked", () => asked.length === 5);
  assertEquals(failures, ["failure 0", "failure 1", "failure 2"]);
  refresher.stop();
  asked[4]!.resolve();
});

Deno.test("an answer that calls for another question has it follow before its time", async () => {
  const { asked, refresh } = question();
  const refresher = new Refresher({ refresh, interval: () => SELDOM, onFailure() {} });
  const first = refresher.request();
  refresher.hasten(10);
  asked[0]!.resolve();
  await first;
  await until("the next is asked", () => asked.length === 2);
  asked[1]!.resolve();
  refresher.stop();
});

Deno.test("whoever asks learns of the failure; nobody asks once it is stopped", async () => {
  const { asked, refresh } = question();
  const refresher = new Refresher({ refresh, interval: () => SELDOM, onFailure() {} });
  const first = assertRejects(() => refresher.request(), Error, "no");
  const second = refresher.request();
  refresher.stop();
  asked[0]!.reject(new Error("no"));
  await first;
  await second;
  await refresher.request();
  assertEquals(asked.length, 1);
});

Deno.test("a hint has it ask at once, and with backoff where each answer is followed by one", async () => {
  let asked = 0;
  const refresh = () => {
    asked++;
    return Promise.resolve();
  };
  const refresher = new Refresher({ refresh, interval: () => SELDOM, onFailure() {} });
  refresher.hint();
  assertEquals(asked, 1);
  for (let turn = 0; turn < 300; turn++) {
    await sleep(1);
    refresher.hint();
  }
  assert(asked < 50, `it asked ${asked} times`);
  const before = asked;
  await until("it goes on", () => asked > before);
  refresher.stop();
});

Deno.test("thousands of hints at once set few timers", async () => {
  const refresher = new Refresher({
    refresh: () => Promise.resolve(),
    interval: () => SELDOM,
    onFailure() {},
  });
  await refresher.request();
  const { setTimeout: real } = globalThis;
  let timers = 0;
  globalThis.setTimeout = ((work: () => void, ms?: number) => {
    timers++;
    return real(work, ms);
  }) as typeof setTimeout;
  try {
    refresher.hint();
    await refresher.request();
    for (let n = 0; n < 5_000; n++) refresher.hint();
  } finally {
    globalThis.setTimeout = real;
  }
  assert(timers < 100, `it set ${timers} timers`);
  refresher.stop();
});

Deno.test("a hint that comes late sets no timer in the past", async () => {
  const { setTimeout: real } = globalThis;
  const delays: (number | undefined)[] = [];
  globalThis.setTimeout = ((work: () => void, ms?: number) => {
    delays.push(ms);
    return real(work, ms);
  }) as typeof setTimeout;
  try {
    const refresher = new Refresher({
      refresh: () => Promise.resolve(),
      interval: () => 5,
      onFailure() {},
    });
    refresher.hint();
    await refresher.request();
    // The timer is due, and nothing could run.
    const busyUntil = performance.now() + 20;
    while (performance.now() < busyUntil);
    refresher.hint();
    refresher.stop();
  } finally {
    globalThis.setTimeout = real;
  }
  assert(delays.length >= 2);
  assertEquals(delays.filter((ms) => ms! < 0), []);
});

Deno.test("the interval varies by a tenth, and may be another one each time", async () => {
  const { setTimeout: real } = globalThis;
  const { random } = Math;
  const delays: number[] = [];
  globalThis.setTimeout = ((work: () => void, ms: number) => {
    delays.push(Math.round(ms));
    return real(work, SELDOM);
  }) as typeof setTimeout;
  try {
    const drawn = [0, 0.5, 0.75];
    Math.random = () => drawn.shift()!;
    let interval = 1_000;
    const refresher = new Refresher({
      refresh: () => Promise.resolve(),
      interval: () => interval,
      onFailure() {},
    });
    await refresher.request();
    interval = 2_000;
    await refresher.request();
    refresher.stop();
  } finally {
    globalThis.setTimeout = real;
    Math.random = random;
  }
  assertEquals(delays, [900, 1_000, 2_100]);
});

Deno.test("after an answer the failures before it are forgotten", async () => {
  const { setTimeout: real } = globalThis;
  const delays: number[] = [];
  globalThis.setTimeout = ((work: () => void, ms: number) => {
    delays.push(ms);
    return real(work, SELDOM);
  }) as typeof setTimeout;
  try {
    let fails = true;
    const refresher = new Refresher({
      refresh: () => fails ? Promise.reject(new Error("no")) : Promise.resolve(),
      interval: () => SELDOM,
      onFailure() {},
    });
    await assertRejects(() => refresher.request(), Error, "no");
    assert(delays.at(-1)! <= 50, `${delays}`);
    fails = false;
    await refresher.request();
    assert(delays.at(-1)! >= 0.9 * SELDOM, `${delays}`);
    refresher.stop();
  } finally {
    globalThis.setTimeout = real;
  }
});
