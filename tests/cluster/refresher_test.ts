import { assert, assertEquals, assertRejects } from "@std/assert";
import { Refresher } from "../../cluster/topology_source.ts";
import { sleep, until } from "../servers/mod.ts";

/** Refreshes that end when the test resolves or rejects them. */
function refreshes() {
  const begun: PromiseWithResolvers<boolean>[] = [];
  const refresh = () => {
    const answer = Promise.withResolvers<boolean>();
    begun.push(answer);
    return answer.promise;
  };
  return { begun, refresh };
}

const SELDOM = 1_000_000;

Deno.test("one refresh is under way at a time, and one more serves all requests meanwhile", async () => {
  const { begun, refresh } = refreshes();
  const refresher = new Refresher({ refresh, interval: () => SELDOM, onFailure() {} });
  const first = refresher.request();
  const second = refresher.request();
  const third = refresher.request();
  assertEquals(begun.length, 1);
  begun[0]!.resolve(true);
  await first;
  await until("the next one begins", () => begun.length === 2);
  begun[1]!.resolve(true);
  await Promise.all([second, third]);
  assertEquals(begun.length, 2);
  refresher.stop();
});

Deno.test("refreshes on a timer, and again after a failure, which it reports", async () => {
  const { begun, refresh } = refreshes();
  const failures: string[] = [];
  const refresher = new Refresher({
    refresh,
    interval: () => 5,
    onFailure: ({ message }) => failures.push(message),
  });
  for (let n = 0; n < 3; n++) {
    await until("it begins", () => begun.length === n + 1);
    begun[n]!.reject(new Error(`failure ${n}`));
  }
  await until("it begins", () => begun.length === 4);
  begun[3]!.resolve(true);
  await until("it begins", () => begun.length === 5);
  assertEquals(failures, ["failure 0", "failure 1", "failure 2"]);
  refresher.stop();
  begun[4]!.resolve(true);
});

Deno.test("a refresh that is not enough is followed by another before the interval is over", async () => {
  const { begun, refresh } = refreshes();
  const refresher = new Refresher({ refresh, interval: () => SELDOM, onFailure() {} });
  const first = refresher.request();
  begun[0]!.resolve(false);
  await first;
  await until("the next one begins", () => begun.length === 2);
  begun[1]!.resolve(true);
  await sleep(100);
  assertEquals(begun.length, 2);
  refresher.stop();
});

Deno.test("a hint has a refresh follow the one under way", async () => {
  const { begun, refresh } = refreshes();
  const refresher = new Refresher({ refresh, interval: () => SELDOM, onFailure() {} });
  const first = refresher.request();
  refresher.hint();
  assertEquals(begun.length, 1);
  begun[0]!.resolve(true);
  await first;
  await until("the next one begins", () => begun.length === 2);
  begun[1]!.resolve(true);
  refresher.stop();
});

Deno.test("a request rejects when the refresh fails; once stopped, nothing is refreshed", async () => {
  const { begun, refresh } = refreshes();
  const refresher = new Refresher({ refresh, interval: () => SELDOM, onFailure() {} });
  const first = assertRejects(() => refresher.request(), Error, "no");
  const second = refresher.request();
  refresher.stop();
  begun[0]!.reject(new Error("no"));
  await first;
  await second;
  await refresher.request();
  assertEquals(begun.length, 1);
});

Deno.test("refreshes at once after a hint, and with backoff if each refresh is followed by one", async () => {
  let begun = 0;
  const refresh = () => {
    begun++;
    return Promise.resolve(true);
  };
  const refresher = new Refresher({ refresh, interval: () => SELDOM, onFailure() {} });
  refresher.hint();
  await until("it refreshes", () => begun === 1);
  for (let turn = 0; turn < 300; turn++) {
    await sleep(1);
    refresher.hint();
  }
  assert(begun < 50, `it refreshed ${begun} times`);
  const before = begun;
  await until("it goes on", () => begun > before);
  refresher.stop();
});

Deno.test("thousands of hints at once set few timers", async () => {
  const refresher = new Refresher({
    refresh: () => Promise.resolve(true),
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
      refresh: () => Promise.resolve(true),
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
      refresh: () => Promise.resolve(true),
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

Deno.test("after a refresh the failures before it are forgotten", async () => {
  const { setTimeout: real } = globalThis;
  const delays: number[] = [];
  globalThis.setTimeout = ((work: () => void, ms: number) => {
    delays.push(ms);
    return real(work, SELDOM);
  }) as typeof setTimeout;
  try {
    let fails = true;
    const refresher = new Refresher({
      refresh: () => fails ? Promise.reject(new Error("no")) : Promise.resolve(true),
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
