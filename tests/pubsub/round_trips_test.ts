/** How often a subscription waits for the server, and what comes meanwhile. */
import { assertEquals, assertRejects } from "@std/assert";
import { connect, MissingFlagsError } from "../../mod.ts";
import { sleep, until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

const BUSY = "-BUSY Redis is busy running a script\r\n";

function flagsReply(flags: string): string {
  return `%1\r\n$22\r\nnotify-keyspace-events\r\n$${flags.length}\r\n${flags}\r\n`;
}

function push(kind: string, channel: string, last: string): string {
  return `>3\r\n$${kind.length}\r\n${kind}\r\n$${channel.length}\r\n${channel}\r\n${last}`;
}

/** A message with an event of three letters. */
function message(channel: string, event: string): string {
  return push("message", channel, `$3\r\n${event}\r\n`);
}

Deno.test("RESP3: it takes one round trip to check and to subscribe a channel", async () => {
  let awaited: string[] = [];
  let answers = "";
  await using server = new FakeServer(([name, channel]) => {
    if (name === "SELECT") answers += "+OK\r\n";
    else if (name === "CONFIG") answers += flagsReply("AKE");
    else if (name === "SUBSCRIBE") answers += push("subscribe", channel!, ":1\r\n");
    else return undefined;
    awaited = awaited.filter((other) => other !== name);
    // Answered together, so that a client that waits for one before it sends the next would hang.
    if (awaited.length > 0) return null;
    const all = answers;
    answers = "";
    return all;
  });
  const heartbeat = { busyInterval: 3_600_000 };
  await using notifications = await connect(server.url, { timeout: 2_000, heartbeat });
  awaited = ["CONFIG", "SUBSCRIBE"];
  await notifications.subscribeKeyspace("k");
  awaited = ["SELECT", "CONFIG", "SUBSCRIBE"];
  await notifications.subscribeKeyspace("l", { db: 1 });
  assertEquals(awaited, []);
});

for (const flags of ["AKE", ""]) {
  const what = flags === "" ? "never, as nothing can be received" : "once it may be";
  Deno.test(`what comes before the flags are known is delivered ${what}`, async () => {
    let isBusy = true;
    await using server = new FakeServer(([name, channel]) => {
      if (name === "CONFIG") return isBusy ? BUSY : flagsReply(flags);
      if (name !== "SUBSCRIBE") return undefined;
      return push("subscribe", channel!, ":1\r\n") + message(channel!, "set");
    });
    await using notifications = await connect(server.url);
    const events: string[] = [];
    const subscribing = notifications.subscribeKeyspace("k", {
      handler: ({ eventType }) => void events.push(eventType),
    });
    subscribing.catch(() => {});
    await until("it is subscribed", () => server.heard("SUBSCRIBE"));
    await sleep(50);
    assertEquals([events, notifications.status().nodes[0]!.messages], [[], 0]);
    isBusy = false;
    if (flags === "") await assertRejects(() => subscribing, MissingFlagsError);
    else await subscribing;
    if (flags === "") await until("it is unsubscribed", () => server.heard("UNSUBSCRIBE"));
    else await until("it has come", () => events.length > 0);
    assertEquals(events, flags === "" ? [] : ["set"]);
  });
}

Deno.test("messages are not held while flags are added", async () => {
  let answers = 0;
  await using server = new FakeServer(([name, ...words]) => {
    if (name === "CONFIG" && words[0] === "SET") return "+OK\r\n";
    return name === "CONFIG" ? flagsReply(++answers > 1 ? "AKE" : "") : undefined;
  });
  await using notifications = await connect(server.url, { flags: "merge" });
  await notifications.subscribeKeyspace("k");
  const sent = server.commands.filter((command) => /^(CONFIG|SUBSCRIBE)/.test(command));
  assertEquals(sent.map((command) => command.split(" ", 2).join(" ")), [
    "CONFIG GET",
    "CONFIG SET",
    "CONFIG GET",
    "SUBSCRIBE __keyspace@0__:k",
  ]);
});

Deno.test("what comes for others while flags are not known is not lost with the connection", async () => {
  let isBusy = false;
  await using server = new FakeServer(([name, channel]) => {
    if (name === "CONFIG" && isBusy) return BUSY;
    if (name !== "SUBSCRIBE" || !isBusy) return undefined;
    // The answer to a command that was sent later proves that it was received.
    return push("subscribe", channel!, ":2\r\n") + message("__keyspace@0__:k", "set");
  });
  const seen: string[] = [];
  await using notifications = await connect(server.url, {
    heartbeat: { busyInterval: 10 },
    onGap: ({ reason }) => seen.push(reason),
  });
  await notifications.subscribeKeyspace("k", {
    handler: ({ eventType }) => void seen.push(eventType),
  });
  isBusy = true;
  const subscribing = notifications.subscribeKeyspace("l");
  await until("it is subscribed", () => server.heard("SUBSCRIBE __keyspace@0__:l"));
  await sleep(50);
  assertEquals(seen, []);
  isBusy = false;
  server.hangUp();
  await subscribing;
  assertEquals(seen, ["set", "disconnected"]);
});
