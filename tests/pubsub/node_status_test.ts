/** What is counted and noted of a node stays right through a loss of its connection. */
import { assert, assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { until } from "../servers/mod.ts";
import { WallClock } from "../wall_clock.ts";
import { FakeServer } from "./fake_server.ts";

const CHANNEL = "__keyspace@0__:k";
const PATTERN = "__keyspace@0__:*";

/** A push in RESP3. */
function push(...words: string[]): string {
  return `>${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

Deno.test("the bytes of a lost connection stay counted, and since is when the state changed", async () => {
  using clock = new WallClock();
  let isFirst = true;
  await using server = new FakeServer(([name, channel]) => {
    if (name !== "SUBSCRIBE" || !isFirst) return undefined;
    isFirst = false;
    return `>3\r\n$9\r\nsubscribe\r\n$${channel!.length}\r\n${channel}\r\n:1\r\n` +
      push("message", channel!, "set").repeat(100);
  });
  await using notifications = await connect(server.url);
  await notifications.subscribe(CHANNEL);
  await until("all have come", () => notifications.status().nodes[0]!.messages === 100);
  const before = notifications.status().nodes[0]!;
  clock.advance(3_600_000);
  server.hangUp();
  await until("it is back", () => notifications.status().gaps === 1);
  const after = notifications.status().nodes[0]!;
  assert(after.bytes > before.bytes, `${after.bytes} bytes after ${before.bytes}`);
  assert(after.since >= before.since + 3_600_000, `${after.since - before.since} ms later`);
});

Deno.test("the same event before and after a confirmation is two, also while it reconnects", async () => {
  let isBack = false;
  await using server = new FakeServer(([name, word]) => {
    if (!isBack) return undefined;
    if (name === "SUBSCRIBE") {
      return `>3\r\n$9\r\nsubscribe\r\n$${word!.length}\r\n${word}\r\n:1\r\n` +
        push("message", CHANNEL, "set");
    }
    if (name === "PSUBSCRIBE") {
      return `>3\r\n$10\r\npsubscribe\r\n$${word!.length}\r\n${word}\r\n:2\r\n` +
        push("pmessage", PATTERN, CHANNEL, "set");
    }
    return undefined;
  });
  await using notifications = await connect(server.url);
  await notifications.subscribe(CHANNEL);
  await notifications.subscribe(PATTERN);
  isBack = true;
  server.hangUp();
  await until("both have come", () => notifications.status().nodes[0]!.messages === 2);
  assertEquals(notifications.status().queued, 2);
});
