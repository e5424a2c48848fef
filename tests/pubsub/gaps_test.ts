/**
 * Where gaps begin: at the last proof that all had come, never when something was noticed. The
 * clock is put forward in between, so that the two are apart.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, type ConnectOptions, type Gap, MissingFlagsError } from "../../mod.ts";
import { until } from "../servers/mod.ts";
import { WallClock } from "../wall_clock.ts";
import { FakeServer } from "./fake_server.ts";

/** No question but those of the test. */
const QUIET: ConnectOptions = { heartbeat: { interval: 3_600_000, busyInterval: 3_600_000 } };

/** For so long the server is slow, in ms. */
const SLOW = 1_000;

function confirm(channel: string): string {
  return `>3\r\n$9\r\nsubscribe\r\n$${channel.length}\r\n${channel}\r\n:1\r\n`;
}

function message(channel: string): string {
  return `>3\r\n$7\r\nmessage\r\n$${channel.length}\r\n${channel}\r\n$3\r\nset\r\n`;
}

/** A server that is slow to confirm, and sends so many messages with each confirmation. */
function slowServer(count: number, clock: WallClock) {
  const heardAt: number[] = [];
  const server = new FakeServer(([name, channel]) => {
    if (name !== "SUBSCRIBE") return undefined;
    heardAt.push(Date.now());
    clock.advance(SLOW);
    return confirm(channel!) + message(channel!).repeat(count);
  });
  return { server, heardAt };
}

Deno.test("a lost connection's gap begins when the last command that was answered was sent", async () => {
  using clock = new WallClock();
  const { server, heardAt } = slowServer(0, clock);
  await using _ = server;
  const gaps: Gap[] = [];
  await using notifications = await connect(server.url, {
    ...QUIET,
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyspace("k");
  clock.advance(SLOW);
  server.hangUp();
  await until("the gap is reported", () => gaps.length === 1);
  assert(gaps[0]!.from <= heardAt[0]!, `it begins ${gaps[0]!.from - heardAt[0]!} ms late`);
});

Deno.test("an overflow's gap begins when the last command that was answered was sent", async () => {
  using clock = new WallClock();
  const { server, heardAt } = slowServer(10, clock);
  await using _ = server;
  await using notifications = await connect(server.url, { ...QUIET, queue: { items: 4 } });
  await notifications.subscribeKeyspace("k");
  await until("all have come", () => notifications.status().nodes[0]!.messages === 10);
  const { value } = await notifications.listen({ gaps: true }).next();
  assert(value?.kind === "gap");
  assertEquals([value.reason, value.dropped], ["overflow", 6]);
  assert(value.from <= heardAt[0]!, `it begins ${value.from - heardAt[0]!} ms late`);
  await notifications.close();
  await until("the server is left", () => server.connections === 0);
});

Deno.test("so does that of messages that found no room while it reconnected", async () => {
  using clock = new WallClock();
  const { server, heardAt } = slowServer(10, clock);
  await using _ = server;
  const gaps: Gap[] = [];
  await using notifications = await connect(server.url, {
    ...QUIET,
    queue: { items: 4 },
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyspace("k", { handler() {} });
  server.hangUp();
  await until("it is reported", () => gaps.length === 2);
  const { reason, from, dropped } = gaps[1]!;
  assertEquals([reason, dropped], ["overflow", 6]);
  assert(from <= heardAt[1]!, `it begins ${from - heardAt[1]!} ms late`);
});

for (const isSeen of [false, true]) {
  const where = isSeen ? "a call that was refused for them" : "nobody";
  Deno.test(`the gap of flags that are taken away begins before that, though ${where} saw it`, async () => {
    using clock = new WallClock();
    let isTaken = false;
    let soundAt = 0;
    let refused: Promise<unknown> | null = null;
    let checks = 0;
    await using server = new FakeServer(([name]) => {
      if (name !== "CONFIG") return undefined;
      const flags = isTaken ? "" : "AKE";
      // The third question is the first that is asked from time to time.
      if (++checks === 3) {
        soundAt = Date.now();
        isTaken = true;
        clock.advance(SLOW);
        if (isSeen) {
          setTimeout(() => {
            refused = assertRejects(() => notifications.subscribeKeyspace("x"), MissingFlagsError);
          });
        }
      }
      return `%1\r\n$22\r\nnotify-keyspace-events\r\n$${flags.length}\r\n${flags}\r\n`;
    });
    const gaps: Gap[] = [];
    await using notifications = await connect(server.url, {
      heartbeat: { interval: 100, busyInterval: 3_600_000 },
      onGap: (gap) => gaps.push(gap),
      onError() {},
    });
    await notifications.subscribeKeyspace("k");
    await until("the gap is reported", () => gaps.length === 1);
    await refused;
    assert(gaps[0]!.from <= soundAt, `it begins ${gaps[0]!.from - soundAt} ms late`);
  });
}
