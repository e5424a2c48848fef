import { assertEquals } from "@std/assert";
import { KeyNotification, parseNotification } from "../../parse/notification.ts";
import { concat, utf8 } from "./texts.ts";

const KEYSPACE = "__keyspace@0__:k";
const SUBKEYSPACE = "__subkeyspace@0__:h";
const SUBKEYEVENT = "__subkeyevent@0__:hset";
const SUBKEYSPACEITEM = "__subkeyspaceitem@0__:h";
const SUBKEYSPACEEVENT = "__subkeyspaceevent@0__:hset|h";

const rows: Record<string, [channel: string, data: string][]> = {
  "no channel of a notification": [
    ["", ""],
    ["news", "set"],
    ["__keyspace", "set"],
    ["__keyspace@", "set"],
    ["__keyspace@0", "set"],
    ["__keyspace@0__", "set"],
    ["__keyspace0__:k", "set"],
    ["_keyspace@0__:k", "set"],
    ["__KEYSPACE@0__:k", "set"],
    ["__keyspent@0__:k", "set"],
    ["__keyevace@0__:k", "set"],
    ["__keyspace 0__:k", "set"],
    ["__keyevent@0__.k", "set"],
    ["__keyspaces@0__:k", "set"],
    ["__subkeyspaceitems@0__:h\nf", "hset"],
    [" __keyspace@0__:k", "set"],
    // The channel must not go on in the payload.
    ["__keyspace@0", "__:set"],
    ["__key", "space@0__:kset"],
    ["__keyspace@0__:", ""],
  ],
  "a database that is not a number": [
    ["__keyspace@__:k", "set"],
    ["__keyspace@*__:k", "set"],
    ["__keyspace@-1__:k", "set"],
    ["__keyspace@+1__:k", "set"],
    ["__keyspace@01__:k", "set"],
    ["__keyspace@1x__:k", "set"],
    ["__keyspace@ 1__:k", "set"],
    ["__keyspace@/__:k", "set"],
    ["__keyspace@:__:k", "set"],
    ["__keyevent@o__:set", "k"],
    ["__keyspace@1.0__:k", "set"],
    ["__keyspace@2147483648__:k", "set"],
    ["__keyspace@99999999999999999999__:k", "set"],
    ["__keyspace@0_:k", "set"],
    ["__keyspace@0__k", "set"],
    ["__keyspace@0--:k", "set"],
  ],
  "an event without a name": [
    [KEYSPACE, ""],
    ["__keyevent@0__:", "k"],
    [SUBKEYSPACE, "|1:f"],
    ["__subkeyevent@0__:", "1:k|1:f"],
    [`${SUBKEYSPACEITEM}\nf`, ""],
    ["__subkeyspaceevent@0__:|h", "1:f"],
  ],
  "no separator": [
    [SUBKEYSPACE, "hset"],
    [SUBKEYSPACE, "hset1:f"],
    [SUBKEYSPACE, "hset|1;f"],
    [SUBKEYSPACE, "hset|1ff"],
    [SUBKEYEVENT, "1:h"],
    [SUBKEYEVENT, "1:h1:f"],
    [SUBKEYEVENT, "1:h,1:f"],
    [SUBKEYEVENT, "1h|1:f"],
    [SUBKEYEVENT, "1;h|1:f"],
    [SUBKEYSPACEITEM, "hset"],
    ["__subkeyspaceevent@0__:hset", "1:f"],
    [SUBKEYSPACEEVENT, "1f"],
    [SUBKEYSPACEEVENT, "1:f1:g"],
    [SUBKEYSPACEEVENT, "1:f|1:g"],
  ],
  "no subkey": [
    [SUBKEYSPACE, "hset|"],
    [SUBKEYEVENT, "1:h|"],
    [SUBKEYSPACEEVENT, ""],
  ],
  "a length beyond the end": [
    [SUBKEYSPACE, "hset|2:f"],
    [SUBKEYSPACE, "hset|1:"],
    [SUBKEYSPACE, "hset|9007199254740993:f"],
    [SUBKEYSPACE, "hset|99999999999999999999999:f"],
    [SUBKEYSPACE, "hset|1:f,2:g"],
    [SUBKEYEVENT, "6:h|1:f"],
    [SUBKEYEVENT, "5:h|1:f"],
    [SUBKEYEVENT, "4:h|1:"],
    // As a length in characters it would fit.
    [SUBKEYSPACE, "hset|2:字段"],
  ],
  "a length that falls short": [
    [SUBKEYSPACE, "hset|1:fg"],
    [SUBKEYEVENT, "1:hh|1:f"],
    [SUBKEYSPACEEVENT, "0:f"],
  ],
  "letters where digits belong": [
    [SUBKEYSPACE, "hset|x:f"],
    [SUBKEYSPACE, "hset|1x:f"],
    [SUBKEYSPACE, "hset|:f"],
    [SUBKEYSPACE, "hset|0x1:f"],
    [SUBKEYSPACE, "hset|1e0:f"],
    [SUBKEYSPACE, "hset|１:f"],
    [SUBKEYEVENT, "x:h|1:f"],
    [SUBKEYEVENT, ":h|1:f"],
  ],
  "a length with a sign, space or leading zero": [
    [SUBKEYSPACE, "hset|+1:f"],
    [SUBKEYSPACE, "hset|-1:f"],
    [SUBKEYSPACE, "hset| 1:f"],
    [SUBKEYSPACE, "hset|1 :f"],
    [SUBKEYSPACE, "hset|01:f"],
    [SUBKEYSPACE, "hset|00:"],
    [SUBKEYEVENT, "01:h|1:f"],
    [SUBKEYEVENT, "+1:h|1:f"],
  ],
  "rubbish after the end": [
    [SUBKEYSPACE, "hset|1:f,"],
    [SUBKEYSPACE, "hset|1:f "],
    [SUBKEYSPACE, "hset|1:f,,1:g"],
    [SUBKEYSPACE, "hset|1:f;1:g"],
    [SUBKEYSPACE, "hset|1:f\n"],
    [SUBKEYEVENT, "1:h|1:f,"],
    [SUBKEYSPACEEVENT, "1:f,"],
    [SUBKEYSPACEEVENT, "1:f\0"],
  ],
};

for (const [what, pairs] of Object.entries(rows)) {
  Deno.test(`takes no message with ${what}`, () => {
    for (const [channel, data] of pairs) {
      const what = `${JSON.stringify(channel)} with ${JSON.stringify(data)}`;
      assertEquals(KeyNotification.tryParse(channel, data), null, what);
      // In a chunk, directly before bytes that would make it valid.
      const head = utf8(channel);
      const body = utf8(data);
      for (const after of ["", "f", "|1:f", ",1:f", ":f", "\n"]) {
        const chunk = concat(head, body, after);
        const place = {
          channelStart: 0,
          channelEnd: head.length,
          payloadStart: head.length,
          payloadEnd: head.length + body.length,
        };
        assertEquals(parseNotification({ bytes: chunk, ...place }, 1, null), null, what + after);
        // Long chunks are read by words.
        const bytes = concat(chunk, new Uint8Array(256));
        assertEquals(parseNotification({ bytes, ...place }, 1, null), null, what + after);
      }
    }
  });
}

Deno.test("takes no message that is neither text nor bytes, and throws nothing", () => {
  const fails = () => {
    throw new Error("not to be seen");
  };
  const hostile = new Proxy({}, { get: fails, has: fails, ownKeys: fails, getPrototypeOf: fails });
  const values: unknown[] = [
    undefined,
    null,
    0,
    1,
    NaN,
    true,
    1n,
    Symbol("s"),
    {},
    [],
    ["__keyspace@0__:k"],
    [hostile, hostile],
    [hostile, hostile, hostile],
    fails,
    new Date(),
    new Map(),
    new ArrayBuffer(8),
    new DataView(new ArrayBuffer(8)),
    new Proxy([], { get: fails }),
    hostile,
    Object.create(null),
    { channel: hostile, data: hostile },
    {
      get channel() {
        return fails();
      },
    },
    { toString: fails, valueOf: fails },
  ];
  for (const value of values) {
    assertEquals(KeyNotification.fromMessage(value), null);
    assertEquals(KeyNotification.tryParse(value, "set"), null);
    assertEquals(KeyNotification.tryParse("__keyspace@0__:k", value), null);
    const message = { type: "message", channel: "__keyspace@0__:k", data: "set" };
    if (value !== undefined) {
      assertEquals(KeyNotification.fromMessage({ ...message, type: value }), null);
    }
    assertEquals(KeyNotification.fromMessage({ ...message, channel: value }), null);
    assertEquals(KeyNotification.fromMessage({ ...message, data: value }), null);
    if (value != null) {
      assertEquals(KeyNotification.fromMessage(message, { keyPrefix: value as string }), null);
    }
    KeyNotification.fromMessage(message, value as object);
  }
});

Deno.test("a message that lacks a part is refused without a look at what was read before it", () => {
  const before = "1:a,".repeat(100);
  const messages: [channel: string, data: string][] = [
    ["__subkeyspace@0__:k", "hset"],
    ["__subkeyspace@0__:k", ""],
    ["__subkeyevent@0__:hset", "1:k"],
    ["__subkeyspaceitem@0__:k", "hset"],
    ["__subkeyspaceevent@0__:hset", "1:a"],
    ["__keyspace@0__", "set"],
  ];
  for (const [channel, data] of messages) {
    const bytes = new TextEncoder().encode(before + channel + data);
    let looks = 0;
    const counted = new Proxy(bytes, {
      get(target, name) {
        if (Number(String(name)) < before.length) looks++;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const channelStart = before.length;
    const channelEnd = channelStart + channel.length;
    const place = { bytes: counted, channelStart, channelEnd };
    assertEquals(
      parseNotification({ ...place, payloadStart: channelEnd, payloadEnd: bytes.length }, 0, null),
      null,
    );
    assertEquals(looks, 0, channel);
  }
});
