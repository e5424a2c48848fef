import { assertEquals } from "@std/assert";
import { connect, type KeyNotification } from "../../mod.ts";
import { startServer } from "../servers/mod.ts";
import { binary, concat, utf8 } from "./texts.ts";

interface Row {
  what: string;
  channel: Uint8Array;
  data: Uint8Array;
  key: Uint8Array;
  event: string;
  subkeys: Uint8Array[];
}

const longSubkey = "s".repeat(70_000);

/** What Redis 8.8 publishes, byte for byte, for these changes. */
const rows: Row[] = [
  {
    what: "HSET h 字段 1 'a|b,c:d' 2",
    channel: utf8("__subkeyspace@0__:h"),
    data: utf8("hset|6:字段,7:a|b,c:d"),
    key: utf8("h"),
    event: "hset",
    subkeys: [utf8("字段"), utf8("a|b,c:d")],
  },
  {
    what: "HDEL of the same field twice",
    channel: utf8("__subkeyevent@0__:hdel"),
    data: utf8("3:a|b|1:f,1:f"),
    key: utf8("a|b"),
    event: "hdel",
    subkeys: [utf8("f"), utf8("f")],
  },
  {
    what: "a field with a newline",
    channel: utf8("__subkeyspaceitem@0__:h\nf\ng"),
    data: utf8("hincrby"),
    key: utf8("h"),
    event: "hincrby",
    subkeys: [utf8("f\ng")],
  },
  {
    what: "an empty field of a key with a separator",
    channel: utf8("__subkeyspaceevent@0__:hpersist|a|b"),
    data: utf8("0:"),
    key: utf8("a|b"),
    event: "hpersist",
    subkeys: [utf8("")],
  },
  {
    what: "keys and fields that are not UTF-8",
    channel: utf8("__subkeyevent@0__:hexpire"),
    data: concat("3:", binary("\xff\0\n"), "|2:", binary("\xfe,"), ",1:", binary("\x80")),
    key: binary("\xff\0\n"),
    event: "hexpire",
    subkeys: [binary("\xfe,"), binary("\x80")],
  },
  {
    what: "a field longer than a chunk",
    channel: utf8("__subkeyspace@0__:long"),
    data: utf8(`hset|1:a,${longSubkey.length}:${longSubkey},1:b`),
    key: utf8("long"),
    event: "hset",
    subkeys: [utf8("a"), utf8(longSubkey), utf8("b")],
  },
  {
    what: "an empty key in another database",
    channel: utf8("__subkeyspace@15__:"),
    data: utf8("hincrbyfloat|1:f"),
    key: utf8(""),
    event: "hincrbyfloat",
    subkeys: [utf8("f")],
  },
];

const patterns = ["subkeyspace", "subkeyevent", "subkeyspaceitem", "subkeyspaceevent"];

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: what Redis 8.8 says of subkeys comes through a server whole`, async () => {
    await using server = await startServer();
    await using notifications = await connect(server.url, { protocol, flags: "ignore" });
    await notifications.subscribe(...patterns.map((kind) => `__${kind}@*__:*`));
    const found: KeyNotification[] = [];
    const reading = (async () => {
      for await (const notification of notifications.listen()) {
        found.push(notification);
        if (found.length === rows.length) break;
      }
    })();
    for (const { channel, data } of rows) await server.command("PUBLISH", channel, data);
    await reading;
    for (const [i, { what, channel, data, key, event, subkeys }] of rows.entries()) {
      const one = found[i]!;
      assertEquals(
        [one.keyBytes, one.eventType, one.subkeyBytes, utf8(one.channel), utf8(one.data).length],
        [
          key,
          event,
          subkeys,
          utf8(new TextDecoder().decode(channel)),
          utf8(new TextDecoder().decode(data)).length,
        ],
        what,
      );
    }
  });
}

Deno.test("each way to subscribe to subkeys brings its own and no others", async () => {
  await using server = await startServer();
  await using notifications = await connect(server.url, { flags: "ignore" });
  const heard: string[] = [];
  const handler = ({ kind, key, subkeys }: KeyNotification) => {
    heard.push([kind, key, ...subkeys].join(" "));
  };
  await notifications.subscribeSubkeyspace("cart:7", { handler });
  await notifications.subscribeSubkeyevent("hdel", { handler });
  await notifications.subscribeSubkeyspaceitem("cart:7", "total", { handler });
  await notifications.subscribeSubkeyspaceevent("hset", "cart:*", { handler });
  const messages: [string, string][] = [
    ["__subkeyspace@0__:cart:7", "hset|5:total"],
    ["__subkeyspace@0__:cart:8", "hset|5:total"],
    ["__subkeyevent@0__:hdel", "6:cart:9|1:f"],
    ["__subkeyevent@0__:hset", "6:cart:9|1:f"],
    ["__subkeyspaceitem@0__:cart:7\ntotal", "hset"],
    ["__subkeyspaceitem@0__:cart:7\nother", "hset"],
    ["__subkeyspaceevent@0__:hset|cart:8", "1:g"],
    ["__subkeyspaceevent@0__:hdel|cart:8", "1:g"],
    // What is malformed reaches nobody.
    ["__subkeyspace@0__:cart:7", "hset|6:total"],
    ["__subkeyevent@0__:hdel", "done"],
    ["__subkeyevent@0__:hdel", "4:done|1:x"],
  ];
  for (const [channel, data] of messages) await server.command("PUBLISH", channel, data);
  const deadline = performance.now() + 10_000;
  while (!heard.at(-1)?.includes("done") && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals(heard, [
    "subkeyspace cart:7 total",
    "subkeyevent cart:9 f",
    "subkeyspaceitem cart:7 total",
    "subkeyspaceevent cart:8 g",
    "subkeyevent done x",
  ]);
});
