import { assertEquals } from "@std/assert";
import { connect, type KeyNotification } from "../../mod.ts";
import { type TestServer, within } from "../servers/mod.ts";
import { binary, concat, utf8 } from "./texts.ts";

/** A message of one of the six channel types, and what it says. */
interface Message {
  what: string;
  database: number;
  channel: Uint8Array;
  data: Uint8Array;
  key: Uint8Array;
  event: string;
  subkeys: Uint8Array[];
}

const longSubkey = "s".repeat(70_000);

/** What Redis 8.8 publishes, byte for byte, for these changes. */
const SUBKEYS: readonly Message[] = [
  {
    what: "HSET h 字段 1 'a|b,c:d' 2",
    channel: utf8("__subkeyspace@0__:h"),
    data: utf8("hset|6:字段,7:a|b,c:d"),
    database: 0,
    key: utf8("h"),
    event: "hset",
    subkeys: [utf8("字段"), utf8("a|b,c:d")],
  },
  {
    what: "HDEL of the same field twice",
    channel: utf8("__subkeyevent@0__:hdel"),
    data: utf8("3:a|b|1:f,1:f"),
    database: 0,
    key: utf8("a|b"),
    event: "hdel",
    subkeys: [utf8("f"), utf8("f")],
  },
  {
    what: "a field with a newline",
    channel: utf8("__subkeyspaceitem@0__:h\nf\ng"),
    data: utf8("hincrby"),
    database: 0,
    key: utf8("h"),
    event: "hincrby",
    subkeys: [utf8("f\ng")],
  },
  {
    what: "an empty field of a key with a separator",
    channel: utf8("__subkeyspaceevent@0__:hpersist|a|b"),
    data: utf8("0:"),
    database: 0,
    key: utf8("a|b"),
    event: "hpersist",
    subkeys: [utf8("")],
  },
  {
    what: "keys and fields that are not UTF-8",
    channel: utf8("__subkeyevent@0__:hexpire"),
    data: concat("3:", binary("\xff\0\n"), "|2:", binary("\xfe,"), ",1:", binary("\x80")),
    database: 0,
    key: binary("\xff\0\n"),
    event: "hexpire",
    subkeys: [binary("\xfe,"), binary("\x80")],
  },
  {
    what: "a field longer than a chunk",
    channel: utf8("__subkeyspace@0__:long"),
    data: utf8(`hset|1:a,${longSubkey.length}:${longSubkey},1:b`),
    database: 0,
    key: utf8("long"),
    event: "hset",
    subkeys: [utf8("a"), utf8(longSubkey), utf8("b")],
  },
  {
    what: "an empty key in another database",
    channel: utf8("__subkeyspace@15__:"),
    data: utf8("hincrbyfloat|1:f"),
    database: 15,
    key: utf8(""),
    event: "hincrbyfloat",
    subkeys: [utf8("f")],
  },
];

/** What no pattern and no line may take for something of its own. */
const KEYS = ["k", "", "a\nb", "a|b", "1:a,2:b", "*?[x]\\", "__:", "\xff\0\x80", "\xe5"].map(binary)
  .concat(utf8("字段"));

/** What any server says of `SET`, with the flags `KE$`. */
const SETS: readonly Message[] = [0, 15].flatMap((database) =>
  KEYS.flatMap((key) => {
    const said = { what: "SET", database, key, event: "set", subkeys: [] };
    return [
      { ...said, channel: concat(`__keyspace@${database}__:`, key), data: utf8("set") },
      { ...said, channel: utf8(`__keyevent@${database}__:set`), data: key },
    ];
  })
);

const CHANNEL_TYPES = [
  "keyspace",
  "keyevent",
  "subkeyspace",
  "subkeyevent",
  "subkeyspaceitem",
  "subkeyspaceevent",
];

const text = (bytes: Uint8Array): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

/**
 * Has a server with the flags `KE$` say something on each channel type, and sees that `listen` gives it
 * whole: of keys what it says by itself, of subkeys what is published.
 */
export async function assertComesWhole(server: TestServer, protocol: 2 | 3): Promise<void> {
  await using notifications = await connect(server.url, { protocol, flags: "ignore" });
  await notifications.subscribe(...CHANNEL_TYPES.map((type) => `__${type}@*__:*`));
  const messages = [...SETS, ...SUBKEYS];
  const found: KeyNotification[] = [];
  const reading = (async () => {
    for await (const notification of notifications.listen()) {
      found.push(notification);
      if (found.length === messages.length) break;
    }
  })();
  for (const database of [0, 15]) {
    await server.command("SELECT", database);
    for (const key of KEYS) await server.command("SET", key, "v");
  }
  for (const { channel, data } of SUBKEYS) await server.command("PUBLISH", channel, data);
  await within(reading, 20_000, `${messages.length} messages`);
  for (const [i, { what, channel, data, database, key, event, subkeys }] of messages.entries()) {
    const one = found[i]!;
    assertEquals(
      [one.database, one.keyBytes, one.eventType, one.subkeyBytes, one.channel, one.data],
      [database, key, event, subkeys, text(channel), text(data)],
      `${what}: ${text(channel).slice(0, 100)}`,
    );
  }
}
