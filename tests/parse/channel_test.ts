import { assertEquals, assertThrows } from "@std/assert";
import fc from "npm:fast-check@4.10.2";
import { EventType } from "../../events/mod.ts";
import {
  Channel,
  type ChannelOptions,
  ChannelType,
  escapeGlob,
  getChannelType,
  isPattern,
  KeyeventChannel,
  KeyNotification,
  KeyspaceChannel,
  matchGlob,
  type NotificationChannel,
  SubkeyeventChannel,
  SubkeyspaceChannel,
  SubkeyspaceeventChannel,
  SubkeyspaceitemChannel,
  toChannel,
} from "../../parse/mod.ts";
import { falseBytes } from "../false_bytes.ts";
import { binary, concat, utf8 } from "./texts.ts";

const rows: [NotificationChannel, string, boolean][] = [
  [new KeyspaceChannel("user:1"), "__keyspace@0__:user:1", false],
  [new KeyspaceChannel("user:*"), "__keyspace@0__:user:*", true],
  [new KeyspaceChannel("user:?", { db: 7 }), "__keyspace@7__:user:?", true],
  [new KeyspaceChannel("user:[12]"), "__keyspace@0__:user:[12]", true],
  [new KeyspaceChannel("user:[12"), "__keyspace@0__:user:[12", false],
  [new KeyspaceChannel("form[]"), "__keyspace@0__:form[]", false],
  [new KeyspaceChannel(""), "__keyspace@0__:", false],
  [new KeyspaceChannel("a\\*b"), "__keyspace@0__:a*b", false],
  [new KeyspaceChannel("a\\\\b"), "__keyspace@0__:a\\b", false],
  [new KeyspaceChannel("a\\b"), "__keyspace@0__:a\\b", false],
  [new KeyspaceChannel("a\\*b*"), "__keyspace@0__:a\\*b*", true],
  [new KeyspaceChannel("k", { db: "*" }), "__keyspace@*__:k", true],
  [new KeyspaceChannel("a\\*b", { db: "*" }), "__keyspace@*__:a\\*b", true],
  [new KeyspaceChannel("a[b", { db: "*" }), "__keyspace@*__:a\\[b", true],
  [new KeyspaceChannel("a*", { db: "*" }), "__keyspace@*__:a*", true],
  [KeyspaceChannel.exact("a*b"), "__keyspace@0__:a*b", false],
  [KeyspaceChannel.exact("a\\*b"), "__keyspace@0__:a\\*b", false],
  [KeyspaceChannel.exact("a*b", { db: 1 }), "__keyspace@1__:a*b", false],
  [KeyspaceChannel.exact("a*b", { db: "*" }), "__keyspace@*__:a\\*b", true],
  [KeyspaceChannel.prefix("a*b:"), "__keyspace@0__:a\\*b:*", true],
  [KeyspaceChannel.prefix("", { db: 2 }), "__keyspace@2__:*", true],
  [KeyspaceChannel.pattern("a\\*b"), "__keyspace@0__:a\\*b", true],
  [KeyspaceChannel.pattern("plain"), "__keyspace@0__:plain", true],
  [KeyspaceChannel.pattern("a[b", { db: "*" }), "__keyspace@*__:a[b", true],
  [new KeyeventChannel(EventType.EXPIRED), "__keyevent@0__:expired", false],
  [new KeyeventChannel("h*", { db: "*" }), "__keyevent@*__:h*", true],
  [KeyeventChannel.exact("set", { db: "*" }), "__keyevent@*__:set", true],
  [KeyeventChannel.prefix("z"), "__keyevent@0__:z*", true],
  [KeyeventChannel.allEvents(), "__keyevent@0__:*", true],
  [KeyeventChannel.allEvents({ db: 3 }), "__keyevent@3__:*", true],
  [new SubkeyspaceChannel("cart:7"), "__subkeyspace@0__:cart:7", false],
  [SubkeyspaceChannel.prefix("cart:"), "__subkeyspace@0__:cart:*", true],
  [new SubkeyeventChannel("hset", { db: 4 }), "__subkeyevent@4__:hset", false],
  [SubkeyeventChannel.allEvents({ db: "*" }), "__subkeyevent@*__:*", true],
  [new SubkeyspaceitemChannel("h", "f"), "__subkeyspaceitem@0__:h\nf", false],
  [new SubkeyspaceitemChannel("h", "f\n*"), "__subkeyspaceitem@0__:h\nf\n*", true],
  [new SubkeyspaceitemChannel("h\\*", "f*"), "__subkeyspaceitem@0__:h\\*\nf*", true],
  [SubkeyspaceitemChannel.exact("h*", "f\n*"), "__subkeyspaceitem@0__:h*\nf\n*", false],
  [SubkeyspaceitemChannel.prefix("h*", "f*", { db: 1 }), "__subkeyspaceitem@1__:h\\*\nf\\**", true],
  [SubkeyspaceitemChannel.pattern("h*", "f"), "__subkeyspaceitem@0__:h*\nf", true],
  [new SubkeyspaceeventChannel("hset", "a|b"), "__subkeyspaceevent@0__:hset|a|b", false],
  [new SubkeyspaceeventChannel("h*", "a[b"), "__subkeyspaceevent@0__:h*|a\\[b", true],
  [SubkeyspaceeventChannel.exact("hset", "k*"), "__subkeyspaceevent@0__:hset|k*", false],
  [SubkeyspaceeventChannel.prefix("hset", "k"), "__subkeyspaceevent@0__:hset|k*", true],
  [SubkeyspaceeventChannel.pattern("*", "k"), "__subkeyspaceevent@0__:*|k", true],
];

Deno.test("each class builds the channel or the pattern that is meant", () => {
  for (const [channel, text, isPattern] of rows) {
    assertEquals([channel.toString(), channel.isPattern], [text, isPattern]);
    assertEquals(channel.bytes, utf8(text));
  }
});

Deno.test("a channel knows its type and its database", () => {
  const channels: [NotificationChannel, string][] = [
    [new KeyspaceChannel("k", { db: 1 }), ChannelType.KEYSPACE],
    [new KeyeventChannel("set", { db: 1 }), ChannelType.KEYEVENT],
    [new SubkeyspaceChannel("k", { db: 1 }), ChannelType.SUBKEYSPACE],
    [new SubkeyeventChannel("hset", { db: 1 }), ChannelType.SUBKEYEVENT],
    [new SubkeyspaceitemChannel("k", "f", { db: 1 }), ChannelType.SUBKEYSPACEITEM],
    [new SubkeyspaceeventChannel("hset", "k", { db: 1 }), ChannelType.SUBKEYSPACEEVENT],
  ];
  for (const [channel, type] of channels) {
    assertEquals([channel.type, channel.db], [type, 1] as unknown);
    assertEquals(getChannelType(channel.toString()), type as ChannelType);
    assertEquals(getChannelType(channel.bytes), type as ChannelType);
  }
  assertEquals(new KeyspaceChannel("k").db, 0);
  assertEquals(new KeyspaceChannel("k", { db: "*" }).db, "*");
  for (const other of ["", "__", "__keyspace", "__keyspaces@0__:", "keyspace@0__:", "news"]) {
    assertEquals(getChannelType(other), null);
    assertEquals(toChannel(other).type, null);
  }
});

Deno.test("keys that are not UTF-8 go to the server as they are", () => {
  const key = binary("\xff*\0");
  assertEquals(KeyspaceChannel.exact(key).bytes, concat("__keyspace@0__:", key));
  assertEquals(
    KeyspaceChannel.prefix(key).bytes,
    concat("__keyspace@0__:", binary("\xff\\*\0*")),
  );
  assertEquals(new KeyspaceChannel(key).isPattern, true);
  assertEquals(new KeyspaceChannel(key).bytes, concat("__keyspace@0__:", key));
  assertEquals(
    SubkeyspaceitemChannel.exact(key, key).bytes,
    concat("__subkeyspaceitem@0__:", key, "\n", key),
  );
});

Deno.test("bytes given to a channel may change afterwards", () => {
  for (const key of [utf8("plain"), utf8("glob*")]) {
    const channels = [
      new KeyspaceChannel(key),
      KeyspaceChannel.exact(key),
      KeyspaceChannel.pattern(key),
      toChannel(key),
    ];
    const before = channels.map(String);
    key.fill(0);
    assertEquals(channels.map(String), before);
  }
});

Deno.test("a whole channel is taken as it stands", () => {
  const rows: [string, string, boolean][] = [
    ["__keyspace@0__:user:1", "__keyspace@0__:user:1", false],
    ["__keyspace@0__:user:*", "__keyspace@0__:user:*", true],
    ["__key*__:*", "__key*__:*", true],
    ["__keyspace@0__:a\\*b", "__keyspace@0__:a*b", false],
    ["__keyspace@0__:a\\*b*", "__keyspace@0__:a\\*b*", true],
    ["news", "news", false],
  ];
  for (const [given, text, isPattern] of rows) {
    for (const value of [given, utf8(given)]) {
      const channel = toChannel(value);
      assertEquals([channel.toString(), channel.isPattern], [text, isPattern]);
    }
  }
  const channel = new KeyspaceChannel("k");
  assertEquals(toChannel(channel) === channel, true);
});

Deno.test("channels are equal when they are the same subscription", () => {
  const channel = new KeyspaceChannel("user:*");
  assertEquals(channel.equals(new KeyspaceChannel("user:*")), true);
  assertEquals(channel.equals(KeyspaceChannel.prefix("user:")), true);
  assertEquals(channel.equals("__keyspace@0__:user:*"), true);
  assertEquals(channel.equals(utf8("__keyspace@0__:user:*")), true);
  assertEquals(channel.equals(KeyspaceChannel.exact("user:*")), false);
  assertEquals(channel.equals(new KeyspaceChannel("user:*", { db: 1 })), false);
  assertEquals(channel.equals(new KeyspaceChannel("user:")), false);
  assertEquals(KeyspaceChannel.exact("user:*").equals("__keyspace@0__:user:*"), false);
  const [a, b] = [binary("\xff"), binary("\xfe")].map((key) => KeyspaceChannel.exact(key));
  assertEquals(a!.equals(b!), false, "bytes are compared, not the text made of them");
});

Deno.test("a channel that can never bring anything is refused, with the reason", () => {
  const item = (key: string) => () => new SubkeyspaceitemChannel(key, "f");
  const event = (event: string) => () => new SubkeyspaceeventChannel(event, "k");
  assertThrows(item("a\nb"), TypeError, "subkeyspaceitem");
  assertThrows(item("a\n*"), TypeError, '"\\n"');
  assertThrows(() => SubkeyspaceitemChannel.exact(utf8("a\nb"), "f"), TypeError, '"\\n"');
  assertThrows(() => SubkeyspaceitemChannel.pattern("a\n*", "f"), TypeError, '"\\n"');
  assertThrows(event("a|b"), TypeError, "subkeyspaceevent");
  assertThrows(() => SubkeyspaceeventChannel.exact("a|b", "k"), TypeError, '"|"');
  // In the other place both may stand.
  new SubkeyspaceitemChannel("a|b", "f\ng");
  new SubkeyspaceeventChannel("hset", "a|b\nc");
});

Deno.test("a name that is neither text nor bytes is refused, with what it is", () => {
  const refused: [name: unknown, said: string][] = [
    [undefined, "undefined"],
    [null, "object"],
    [7, "number"],
    [["k"], "object"],
  ];
  for (const [name, said] of refused) {
    const message = `Cannot take ${said} for text or bytes`;
    assertThrows(() => new KeyspaceChannel(name as string), TypeError, message);
    assertThrows(() => new SubkeyspaceitemChannel("k", name as string), TypeError, message);
    assertThrows(() => toChannel(name as string), TypeError, message);
  }
});

Deno.test("bytes that are gone, or are not as many as they say, are refused with their place", () => {
  for (const [what, value] of Object.entries(falseBytes())) {
    const calls: [place: number, call: () => unknown][] = [
      [0, () => new Channel(value, false)],
      [0, () => toChannel(value)],
      [0, () => new KeyspaceChannel(value)],
      [0, () => new SubkeyspaceitemChannel(value, "f")],
      [1, () => new SubkeyspaceitemChannel("k", value)],
      [1, () => new SubkeyspaceeventChannel("hset", value, { as: "prefix" })],
      [0, () => isPattern(value)],
      [0, () => escapeGlob(value)],
      [0, () => matchGlob(value, "k")],
      [1, () => matchGlob("k", value)],
      [0, () => getChannelType(value)],
      [0, () => new KeyspaceChannel("k").equals(value)],
      [0, () => KeyNotification.tryParse("__keyspace@0__:k", "set")!.keyStartsWith(value)],
    ];
    for (const [place, call] of calls) {
      assertThrows(call, TypeError, `for text or bytes (argument ${place})`, `${what}: ${call}`);
    }
    for (const as of ["exact", "prefix", "pattern"] as const) {
      assertThrows(() => KeyspaceChannel[as](value), TypeError, "for text or bytes", what);
    }
    assertEquals(KeyNotification.tryParse(value, "set"), null, what);
    assertEquals(KeyNotification.tryParse("__keyspace@0__:k", value), null, what);
    const options = { keyPrefix: value };
    assertEquals(KeyNotification.tryParse("__keyspace@0__:k", "set", options), null, what);
  }
});

Deno.test("only of bytes it is said that their buffer was transferred", () => {
  for (const value of [new Int8Array(3), new Float64Array(3), new DataView(new ArrayBuffer(3))]) {
    const { message } = assertThrows(() => toChannel(value as never), TypeError);
    assertEquals(message.includes("transferred"), false, message);
  }
});

Deno.test("a channel has bytes of its own", () => {
  const bytes = new Uint8Array(utf8("__keyspace@0__:k"));
  const channels = [new Channel(bytes, false), toChannel(bytes)];
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  for (const channel of channels) assertEquals(`${channel}`, "__keyspace@0__:k");
});

Deno.test("a database is a whole number from 0, or all", () => {
  for (const db of [-1, 0.5, NaN, Infinity, 1e21, "", "?", "0*", null] as number[]) {
    assertThrows(() => new KeyspaceChannel("k", { db }), RangeError, "keyspace");
  }
  const refused: [unknown, string][] = [
    [2 ** 40, "the number 1099511627776, not a whole number from 0 to 2147483647"],
    [2 ** 31, "the number 2147483648"],
    ["3", "the string 3"],
  ];
  for (const [db, message] of refused) {
    assertThrows(() => new KeyspaceChannel("k", { db: db as number }), RangeError, message);
  }
  // What can be subscribed to can be read.
  const last = new KeyspaceChannel("k", { db: 2 ** 31 - 1 });
  assertEquals(KeyNotification.tryParse(last.bytes, "set")?.database, last.db);
});

const anyBytes = fc.array(
  fc.oneof(fc.constantFrom(...utf8("*?[]\\^-ab")), fc.integer({ min: 0, max: 255 })),
  { maxLength: 12 },
).map((array) => Uint8Array.from(array));

Deno.test("an exact key is exact whatever it holds, in one database or in all", () => {
  fc.assert(
    fc.property(anyBytes, anyBytes, (key, other) => {
      const exact = KeyspaceChannel.exact(key);
      assertEquals(exact.isPattern, false);
      assertEquals(exact.bytes, concat("__keyspace@0__:", key));
      const everywhere = KeyspaceChannel.exact(key, { db: "*" });
      assertEquals(everywhere.isPattern, true);
      assertEquals(matchGlob(everywhere.bytes, concat("__keyspace@12__:", key)), true);
      assertEquals(
        matchGlob(everywhere.bytes, concat("__keyspace@12__:", other)),
        concat(key).join() === other.join(),
      );
    }),
    { numRuns: 1000, seed: 1 },
  );
});

Deno.test("a prefix matches what begins so, and nothing else", () => {
  fc.assert(
    fc.property(anyBytes, anyBytes, (prefix, key) => {
      const { bytes, isPattern } = KeyspaceChannel.prefix(prefix);
      assertEquals(isPattern, true);
      assertEquals(matchGlob(bytes, concat("__keyspace@0__:", prefix, key)), true);
      assertEquals(
        matchGlob(bytes, concat("__keyspace@0__:", key)),
        prefix.every((byte, i) => byte === key[i]),
      );
    }),
    { numRuns: 1000, seed: 1 },
  );
});

Deno.test("an escaped name, guessed, is the name", () => {
  fc.assert(
    fc.property(anyBytes, (key) => {
      assertEquals(new KeyspaceChannel(escapeGlob(key)).equals(KeyspaceChannel.exact(key)), true);
    }),
    { numRuns: 1000, seed: 1 },
  );
});

Deno.test("an option of a channel that does not exist is rejected", () => {
  const options = { database: 2 } as object as ChannelOptions;
  const says = "Cannot build a keyspace channel: the option database is not db or as";
  assertThrows(() => new KeyspaceChannel("k", options), TypeError, says);
  assertThrows(() => KeyspaceChannel.prefix("k", options), TypeError, says);
});
