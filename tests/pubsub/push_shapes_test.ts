import { assert, assertEquals, assertRejects } from "@std/assert";
import { AuthError, connect, ConnectError } from "../../mod.ts";
import { until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

/** The types in which a server can send a string. */
const TYPES: Record<string, (text: string) => string> = {
  simple: (text) => `+${text}\r\n`,
  bulk: (text) => `$${text.length}\r\n${text}\r\n`,
  verbatim: (text) => `=${text.length + 4}\r\ntxt:${text}\r\n`,
  attributed: (text) => `|1\r\n+ttl\r\n:1\r\n+${text}\r\n`,
};

/** A push, or the array that stands for one in RESP2. */
function push(protocol: 2 | 3, ...items: string[]): string {
  return `${protocol === 3 ? ">" : "*"}${items.length}\r\n${items.join("")}`;
}

for (const protocol of [2, 3] as const) {
  for (const [type, string] of Object.entries(TYPES)) {
    Deno.test(`RESP${protocol}: delivers messages whose strings are ${type} ones`, async () => {
      const kinds: Record<string, string> = { SUBSCRIBE: "message", PSUBSCRIBE: "pmessage" };
      await using server = new FakeServer(([name, channel]) => {
        if (!/SUBSCRIBE$/.test(name!)) return undefined;
        const confirmed = push(protocol, string(name!.toLowerCase()), string(channel!), ":1\r\n");
        const kind = kinds[name!];
        if (kind === undefined) return confirmed;
        const parts = kind === "message" ? [channel!] : [channel!, channel!.replace("*", "k")];
        return confirmed + push(protocol, ...[kind, ...parts, "set"].map(string));
      });
      await using notifications = await connect(server.url, { protocol, flags: "ignore" });
      for (const key of ["k", "*"]) {
        await using _subscription = await notifications.subscribeKeyspace(key);
        const { key: heard, eventType } = (await notifications.getMessage({ timeout: 10_000 }))!;
        assertEquals([heard, eventType], ["k", "set"]);
      }
      const [node] = notifications.status().nodes;
      assertEquals([node!.messages, node!.malformed], [2, 0]);
      assertEquals(node!.subscriptions, []);
    });
  }

  Deno.test(`RESP${protocol}: takes a confirmation without a name for that of the last channel`, async () => {
    for (const nothing of ["$-1\r\n", "_\r\n"]) {
      await using server = new FakeServer(([name]) =>
        name!.endsWith("UNSUBSCRIBE")
          ? push(protocol, `+${name!.toLowerCase()}\r\n`, nothing, ":0\r\n")
          : undefined
      );
      await using notifications = await connect(server.url, { protocol, flags: "ignore" });
      for (const key of ["k", "*"]) {
        const subscription = await notifications.subscribeKeyspace(key);
        await subscription.unsubscribe();
        assertEquals(notifications.status().nodes[0]!.subscriptions, []);
      }
      assertEquals(notifications.status().gaps, 0);
    }
  });
}

Deno.test("reconnects when a server says without being asked that nothing is subscribed", async () => {
  let connections = 0;
  await using server = new FakeServer(([name, channel]) => {
    if (name === "HELLO") connections++;
    if (name !== "SUBSCRIBE" || connections > 1) return undefined;
    return push(3, "+subscribe\r\n", `+${channel}\r\n`, ":1\r\n") +
      push(3, "+unsubscribe\r\n", "_\r\n", ":0\r\n");
  });
  await using notifications = await connect(server.url);
  await notifications.subscribeKeyspace("k");
  await until("it is back", () => notifications.status().gaps === 1);
  assertEquals(connections, 2);
});

/** Pushes of which nothing can be made. */
const UNUSABLE = [
  push(3, "$10\r\ninvalidate\r\n", "_\r\n"),
  push(3, "+invalidate\r\n", "*1\r\n$1\r\nk\r\n"),
  push(3, "+smessage\r\n", "+ch\r\n", "+x\r\n"),
  push(3, "+message\r\n", "+__keyspace@0__:k\r\n"),
  push(3, "+message\r\n", "+__keyspace@0__:k\r\n", ":1\r\n"),
  push(3, "+message\r\n", "+__keyspace@0__:k\r\n", "+a\ufffd\r\n"),
  push(3, "+pmessage\r\n", "+__keyspace@0__:*\r\n", "_\r\n", "+set\r\n"),
  push(3, "+MESSAGE\r\n", "+__keyspace@0__:k\r\n", "+set\r\n"),
  push(3, ":1\r\n", "+__keyspace@0__:k\r\n", "+set\r\n"),
  push(3, "-message\r\n", "+__keyspace@0__:k\r\n", "+set\r\n"),
  push(3, "+subscribe\r\n", "_\r\n", ":0\r\n"),
  push(3, "*1\r\n+message\r\n"),
];

Deno.test("counts each push that it cannot use, and goes on", async () => {
  await using server = new FakeServer(([name, channel]) =>
    name === "SUBSCRIBE"
      ? push(3, "+subscribe\r\n", `+${channel}\r\n`, ":1\r\n") + UNUSABLE.join("") +
        push(3, "+message\r\n", `+${channel}\r\n`, "+set\r\n")
      : undefined
  );
  await using notifications = await connect(server.url);
  await notifications.subscribeKeyspace("k");
  assertEquals((await notifications.getMessage({ timeout: 10_000 }))?.eventType, "set");
  const [node] = notifications.status().nodes;
  assertEquals([node!.messages, node!.malformed], [1, UNUSABLE.length]);
  assertEquals([notifications.status().gaps, notifications.health().ok], [0, true]);
});

Deno.test("skips attributes before every reply, and takes an attributed error for an error", async () => {
  const attributes = "|1\r\n+source\r\n*2\r\n+cache\r\n|0\r\n:1\r\n";
  const usual: Record<string, string> = {
    HELLO: `${attributes}%3\r\n${attributes}+server\r\n|0\r\n+redis\r\n+mode\r\n${attributes}` +
      `$10\r\nstandalone\r\n+role\r\n${attributes}+master\r\n`,
    CONFIG: `${attributes}%1\r\n+notify-keyspace-events\r\n${attributes}+AKE\r\n`,
    PING: `${attributes}+PONG\r\n`,
    CLIENT: `${attributes}-ERR unknown subcommand\r\n`,
  };
  const refuses = (word: string, refusal: string) =>
    new FakeServer(([name]) => name === word ? attributes + refusal : usual[name!]);
  {
    await using server = refuses("PING", "+PONG\r\n");
    const heartbeat = { interval: 1, timeout: 10_000 };
    await using notifications = await connect(server.url, { heartbeat });
    await notifications.subscribeKeyspace("k");
    const [node] = notifications.status().nodes;
    assertEquals([node!.protocol, node!.software, node!.role], [3, "redis", "primary"]);
    assertEquals(node!.flags, "AKE");
    await until(
      "its PINGs are answered",
      () => server.commands.filter((command) => command === "PING").length > 2,
    );
    assertEquals([notifications.status().gaps, notifications.health().ok], [0, true]);
  }
  {
    await using server = refuses("HELLO", "-WRONGPASS invalid username-password pair\r\n");
    await assertRejects(() => connect(server.url, { password: "no" }), AuthError, "WRONGPASS");
  }
  {
    await using server = refuses("HELLO", "-ERR max number of clients reached\r\n");
    await assertRejects(() => connect(server.url), ConnectError, "max number of clients");
  }
  {
    await using server = refuses("CONFIG", "-NOPERM no permissions\r\n");
    await using notifications = await connect(server.url);
    await notifications.subscribeKeyspace("k");
    assertEquals(notifications.status().nodes[0]!.flags, "unknown");
  }
  {
    await using server = refuses("SUBSCRIBE", "!18\r\nNOPERM no channels\r\n");
    await using notifications = await connect(server.url);
    const error = await assertRejects(() => notifications.subscribeKeyspace("k"));
    assert((error as Error).message.includes("NOPERM no channels"));
  }
});
