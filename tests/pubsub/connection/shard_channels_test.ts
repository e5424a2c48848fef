import { assertEquals } from "@std/assert";
import { MessageReceiver } from "../../../pubsub/connection/receiver.ts";
import { ClosedError } from "../../../pubsub/connection/errors.ts";
import { openConnection } from "../../../pubsub/connection/handshake.ts";
import { resolveOptions } from "../../../pubsub/options.ts";
import { until } from "../../servers/mod.ts";
import { FakeServer } from "../fake_server.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

/** A push, or the array that stands for one in RESP2. */
function push(protocol: 2 | 3, ...items: readonly (string | number)[]): string {
  const each = items.map((item) => typeof item === "number" ? `:${item}\r\n` : bulk(item));
  return `${protocol === 3 ? ">" : "*"}${items.length}\r\n${each.join("")}`;
}

/** Connects to a server, and notes what comes in order. */
async function open(server: FakeServer, protocol: 2 | 3) {
  const seen: string[] = [];
  const settings = resolveOptions({}, { protocol });
  const port = Number(new URL(server.url).port);
  const receive = () => {
    const receiver = new MessageReceiver();
    receiver.message = () => void seen.push("message");
    receiver.confirmed = ({ bytes }) => void seen.push(`confirmed ${decoder.decode(bytes)}`);
    receiver.unusable = () => void seen.push("unusable");
    receiver.released = (channel) => {
      seen.push(`released ${decoder.decode(channel)}`);
      if (receiver.sentAfter > Date.now()) seen.push("in the future");
    };
    return receiver;
  };
  const signal = new AbortController().signal;
  const address = { hostname: "127.0.0.1", port };
  const { connection } = await openConnection({ ...settings, address, signal, receive });
  const subscribe = (...names: readonly string[]) =>
    connection.subscribeShard(names.map((name) => encoder.encode(name)), (channel, error) => {
      seen.push(`${decoder.decode(channel)} ${error === null ? "subscribed" : error.message}`);
    });
  return {
    connection,
    seen,
    subscribe,
    [Symbol.dispose]: () => connection.close(new ClosedError("The test is over")),
  };
}

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: each shard channel is answered at its place among the messages`, async () => {
    const message = push(protocol, "message", "c", "x");
    await using server = new FakeServer(([name, channel]) => {
      if (name !== "SSUBSCRIBE") return undefined;
      if (channel === "moved") return `${message}-MOVED 5 127.0.0.1:7001\r\n`;
      return message + push(protocol, "ssubscribe", channel!, 1) + message;
    });
    using opened = await open(server, protocol);
    const { connection, seen, subscribe } = opened;
    assertEquals(connection.hasShardChannels, false);
    subscribe("a", "moved", "b");
    assertEquals(connection.hasShardChannels, true);
    await until("all are answered", () => seen.length === 8);
    assertEquals(seen, [
      "message",
      "a subscribed",
      "message",
      "message",
      "moved MOVED 5 127.0.0.1:7001",
      "message",
      "b subscribed",
      "message",
    ]);
    // Each in a command of its own, because their slots differ.
    assertEquals(server.commands.filter((command) => command.startsWith("SSUBSCRIBE")), [
      "SSUBSCRIBE a",
      "SSUBSCRIBE moved",
      "SSUBSCRIBE b",
    ]);
    assertEquals(connection.closedReason, null);
  });

  Deno.test(`RESP${protocol}: a shard channel that the server ends is reported among the messages`, async () => {
    const message = push(protocol, "message", "c", "x");
    await using server = new FakeServer(([name, channel]) =>
      name === "SSUBSCRIBE"
        ? push(protocol, "ssubscribe", channel!, 1) + message +
          push(protocol, "sunsubscribe", channel!, 0) + message
        : undefined
    );
    using opened = await open(server, protocol);
    const { connection, seen, subscribe } = opened;
    subscribe("a");
    await until("all has come", () => seen.length === 4);
    assertEquals(seen, ["a subscribed", "message", "released a", "message"]);
    // Other commands are still answered.
    await connection.subscribe([{ bytes: encoder.encode("c"), isPattern: false }]);
    assertEquals(seen.at(-1), "confirmed c");
  });

  Deno.test(`RESP${protocol}: a confirmation of another shard channel than was asked for ends the connection`, async () => {
    await using server = new FakeServer(([name]) =>
      name === "SSUBSCRIBE" ? push(protocol, "ssubscribe", "other", 1) : undefined
    );
    using opened = await open(server, protocol);
    opened.subscribe("a");
    await until("it is over", () => opened.connection.closedReason !== null);
    assertEquals(opened.seen.length, 1);
  });
}

Deno.test("shard channels of a connection that is over get its reason", async () => {
  await using server = new FakeServer(([name, channel]) => {
    if (name !== "SSUBSCRIBE") return undefined;
    return channel === "a" ? push(3, "ssubscribe", channel, 1) : null;
  });
  using opened = await open(server, 3);
  const { connection, seen, subscribe } = opened;
  subscribe("a", "b", "c");
  await until("the first is answered", () => seen.length === 1);
  connection.close(new ClosedError("It was closed"));
  subscribe("d");
  assertEquals(seen, [
    "a subscribed",
    "b It was closed",
    "c It was closed",
    "d It was closed",
  ]);
});
