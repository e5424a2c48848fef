import { assert, assertEquals } from "@std/assert";
import { connect, type Gap } from "../../mod.ts";
import type { Connection } from "../../pubsub/connection/connection.ts";
import { ServerError } from "../../resp/mod.ts";
import { Heartbeat } from "../../pubsub/heartbeat.ts";
import { sleep, startServer, type TestServer, until } from "../servers/mod.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

async function countPings(server: TestServer): Promise<number> {
  const stats = String(await server.command("INFO", "commandstats"));
  return Number(/cmdstat_ping:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: busyInterval says how often a busy connection is asked, and where gaps begin`, async () => {
    await using server = await startServer(TALKATIVE);
    for (const busyInterval of [1, 600_000]) {
      const before = await countPings(server);
      const gaps: Gap[] = [];
      await using notifications = await connect(server.url, {
        protocol,
        heartbeat: { busyInterval },
        onGap: (gap) => gaps.push(gap),
      });
      await notifications.subscribeKeyspace("k");
      const receive = async () => {
        await server.command("SET", "k", "x");
        const { timestamp } = (await notifications.getMessage({ timeout: 20_000 }))!;
        return timestamp;
      };
      // The first asks in either case.
      const first = await receive();
      await until("it was asked", async () => await countPings(server) > before);
      await until("a later ms has come", () => Date.now() > first);
      const second = await receive();
      if (busyInterval === 1) {
        // Each message asks, once the question before it has been answered.
        await until("it is asked again and again", async () => {
          await receive();
          return await countPings(server) - before > 20;
        });
      } else {
        // Longer than the interval that holds where none is set.
        while (Date.now() < first + 300) await receive();
        assertEquals(await countPings(server) - before, 1);
      }
      await server.command("CLIENT", "KILL", "TYPE", "pubsub");
      await until("the gap is reported", () => gaps.length === 1);
      const { from } = gaps[0]!;
      if (busyInterval === 1) assert(from > first, `${from} is after ${first}`);
      else assert(from < second, `${from} is before ${second}`);
    }
  });
}

/** A heartbeat on a connection that answers when the test says so. */
function beat(busyInterval: number) {
  const asked: (() => void)[] = [];
  const connection = {
    send: () => new Promise<string>((resolve) => asked.push(() => resolve("PONG"))),
    close() {},
  } as unknown as Connection;
  let messages = 0;
  const options = { interval: 600_000, timeout: 600_000, busyInterval };
  const heartbeat = new Heartbeat(connection, options, undefined, () => messages);
  return {
    heartbeat,
    asked,
    receive() {
      messages++;
      heartbeat.heard();
    },
    /** The last ping is answered. */
    async answer() {
      asked.at(-1)!();
      heartbeat.heard();
      await sleep(0);
    },
    [Symbol.dispose]: () => heartbeat.stop(),
  };
}

Deno.test("a ping follows the last message within busyInterval, though nothing else comes", async () => {
  using scene = beat(30);
  const { asked, receive, answer } = scene;
  receive();
  assertEquals(asked.length, 1);
  await answer();
  receive();
  assertEquals(asked.length, 1);
  await until("it is asked", () => asked.length === 2, 5_000);
});

Deno.test("a message that comes while a ping is under way is followed by another ping", async () => {
  using scene = beat(30);
  const { asked, receive, answer } = scene;
  receive();
  receive();
  await answer();
  await until("it is asked again", () => asked.length === 2, 5_000);
});

Deno.test("a ping is sent at once if something is awaited, and not more often than busyInterval says", async () => {
  using scene = beat(30);
  const { heartbeat, asked } = scene;
  for (let n = 0; n < 2; n++) heartbeat.expect();
  assertEquals(asked.length, 1);
  // Nothing else comes than the answer.
  asked[0]!();
  await sleep(0);
  heartbeat.expect();
  assertEquals(asked.length, 1);
  await until("it is asked again", () => asked.length === 2, 5_000);
});

Deno.test("what is awaited while a ping is under way is covered by another ping", async () => {
  using scene = beat(30);
  const { heartbeat, asked, answer } = scene;
  heartbeat.expect();
  heartbeat.expect();
  await answer();
  await until("it is asked again", () => asked.length === 2, 5_000);
  // And by no third one.
  await answer();
  await sleep(60);
  assertEquals(asked.length, 2);
});

Deno.test("a server that refuses the command is sent PING from then on, unless it is busy", async () => {
  const sent: string[] = [];
  const refusals = [new ServerError("BUSY running a script"), new ServerError("NOPERM no ROLE")];
  const connection = {
    send: (command: string) => {
      sent.push(command);
      return command === "PING" ? Promise.resolve("PONG") : Promise.reject(refusals.shift());
    },
    close() {},
  } as unknown as Connection;
  const options = { interval: 600_000, timeout: 600_000, busyInterval: 0 };
  const heartbeat = new Heartbeat(connection, options, { command: "ROLE", onReply() {} });
  for (let n = 0; n < 4; n++) {
    heartbeat.heard();
    await sleep(0);
  }
  heartbeat.stop();
  assertEquals(sent, ["ROLE", "ROLE", "PING", "PING"]);
});

Deno.test("once an answer covers every message nothing is asked until it is silent for long", async () => {
  using scene = beat(10);
  const { asked, receive, answer } = scene;
  receive();
  await answer();
  await sleep(60);
  assertEquals(asked.length, 1);
});

Deno.test("a connection on which something comes is not given up before it is silent", () => {
  const { setTimeout } = globalThis;
  const { now } = performance;
  let time = 0;
  let wake = () => {};
  let reason: Error | null = null;
  globalThis.setTimeout =
    ((work: () => void) => void (wake = work)) as unknown as typeof setTimeout;
  performance.now = () => time;
  try {
    const connection = {
      send: () => new Promise(() => {}),
      close: (error: Error) => void (reason = error),
    } as unknown as Connection;
    const options = { interval: 100, timeout: 50, busyInterval: 600_000 };
    const heartbeat = new Heartbeat(connection, options);
    time = 100;
    wake();
    time = 140;
    // Part of an answer that is long.
    heartbeat.heard();
    time = 150;
    wake();
    assertEquals([heartbeat.silentFor, reason], [10, null]);
    time = 190;
    wake();
    assert(reason !== null);
    heartbeat.stop();
  } finally {
    globalThis.setTimeout = setTimeout;
    performance.now = now;
  }
});

Deno.test("it reports the end of a steady flow of messages, and of no other", async () => {
  const { setTimeout, clearTimeout } = globalThis;
  const { now } = performance;
  let time = 0;
  let timers: { readonly id: number; readonly due: number; readonly work: () => void }[] = [];
  let lastId = 0;
  globalThis.setTimeout = ((work: () => void, ms: number) => {
    timers.push({ id: ++lastId, due: time + ms, work });
    return lastId;
  }) as unknown as typeof setTimeout;
  globalThis.clearTimeout = (id) => void (timers = timers.filter((timer) => timer.id !== id));
  performance.now = () => time;
  let ends = 0;
  let messages = 0;
  let pings = 0;
  const connection = {
    send: () => {
      pings++;
      return Promise.resolve("PONG");
    },
    close() {},
  } as unknown as Connection;
  const options = { interval: 600_000, timeout: 600_000, busyInterval: 100 };
  const heartbeat = new Heartbeat(connection, options, undefined, () => messages, () => ends++);
  /** Lets so many ms pass, with a message each time so many ms have passed. */
  const pass = async (ms: number, every = Infinity, isLate = false) => {
    for (const end = time + ms; time < end;) {
      time += 10;
      if (time % every === 0) {
        messages++;
        heartbeat.heard();
      }
      for (const { id, due, work } of isLate ? [] : timers) {
        if (due > time) continue;
        timers = timers.filter((timer) => timer.id !== id);
        work();
      }
      // A ping is answered.
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    }
  };
  try {
    await pass(900, 10);
    await pass(1_000);
    assertEquals(ends, 0, "too short");
    await pass(3_000, 300);
    await pass(1_000);
    assertEquals(ends, 0, "too few");
    await pass(3_000, 50);
    await pass(450);
    assertEquals(ends, 0, "too early");
    const before = pings;
    await pass(250);
    // The connection may be half-open since the last answer.
    assertEquals([ends, pings - before], [1, 1]);
    await pass(5_000);
    assertEquals([ends, pings - before], [1, 1], "twice");
    await pass(3_000, 50);
    await pass(100);
    // This process is busy, and what came was not read.
    await pass(2_000, Infinity, true);
    await pass(10);
    assertEquals(ends, 1, "of a busy process");
    messages++;
    heartbeat.heard();
    await pass(600);
    assertEquals(ends, 1, "that goes on");
    heartbeat.stop();
    assertEquals(timers.length, 0);
  } finally {
    globalThis.setTimeout = setTimeout;
    globalThis.clearTimeout = clearTimeout;
    performance.now = now;
  }
});
