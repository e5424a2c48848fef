import { assertEquals } from "@std/assert";
import { Decoder } from "../../resp/mod.ts";
import { KeyNotification } from "../../parse/mod.ts";
import { binary, utf8 } from "./texts.ts";

const CHANNEL = "__keyspace@3__:user:1";
const PATTERN = "__keyspace@3__:user:*";

const good: Record<string, unknown> = {
  "redis-py": { type: "pmessage", pattern: PATTERN, channel: CHANNEL, data: "set" },
  "redis-py, bytes": {
    type: "message",
    pattern: null,
    channel: utf8(CHANNEL),
    data: utf8("set"),
  },
  "node-redis, what a listener gets": ["set", CHANNEL],
  "node-redis, buffers": [utf8("set"), utf8(CHANNEL)],
  "an object with channel and message": { channel: CHANNEL, message: "set" },
  "ioredis, message": [CHANNEL, "set"],
  "ioredis, messageBuffer": [utf8(CHANNEL), utf8("set")],
  "ioredis, pmessage": [PATTERN, CHANNEL, "set"],
  "ioredis, pmessageBuffer": [PATTERN, utf8(CHANNEL), utf8("set")],
  "ioredis, as an object": { pattern: PATTERN, channel: CHANNEL, message: "set" },
  "a push of bytes": [utf8("pmessage"), utf8(PATTERN), utf8(CHANNEL), utf8("set")],
  "a push of text": ["message", CHANNEL, "set"],
  "a sharded message": ["smessage", CHANNEL, "set"],
  "a payload under that name": { type: "message", channel: CHANNEL, payload: "set" },
};

for (const [what, message] of Object.entries(good)) {
  Deno.test(`takes the message of ${what}`, () => {
    const found = KeyNotification.fromMessage(message, { timestamp: 7 });
    assertEquals(
      [found?.kind, found?.key, found?.eventType, found?.database, found?.timestamp],
      ["keyspace", "user:1", "set", 3, 7],
    );
  });
}

Deno.test("takes no message of another kind", () => {
  const bad: unknown[] = [
    { type: "subscribe", pattern: null, channel: CHANNEL, data: "1" },
    { type: "psubscribe", channel: CHANNEL, data: 1 },
    { type: "unsubscribe", channel: CHANNEL, data: "0" },
    { type: "pong", channel: null, data: "" },
    { type: "message", channel: CHANNEL },
    { type: "message", data: "set" },
    { type: "", channel: CHANNEL, data: "set" },
    { type: "messages", channel: CHANNEL, data: "set" },
    ["subscribe", CHANNEL, 1],
    ["subscribe", CHANNEL, "1"],
    [utf8("unsubscribe"), utf8(CHANNEL), utf8("0")],
    ["pong", ""],
    ["invalidate", [utf8("k")]],
    [CHANNEL],
    [],
    CHANNEL,
  ];
  for (const message of bad) {
    assertEquals(KeyNotification.fromMessage(message), null, JSON.stringify(message));
  }
});

Deno.test("takes what the decoder of this library pushes", () => {
  const pushes: unknown[] = [];
  const decoder = new Decoder({ push: (items) => pushes.push(items), reply: () => {} });
  decoder.write(
    binary(">3\r\n$7\r\nmessage\r\n$17\r\n__keyspace@0__:\xff\0\r\n$3\r\ndel\r\n"),
  );
  decoder.write(
    binary(
      ">4\r\n$8\r\npmessage\r\n$6\r\n__key*\r\n$19\r\n__keyevent@15__:hset\r\n".replace(
        "$19",
        "$20",
      ) + "$2\r\n\xff\n\r\n",
    ),
  );
  const found = pushes.map((push) => KeyNotification.fromMessage(push));
  assertEquals(found.map((one) => one?.keyBytes), [binary("\xff\0"), binary("\xff\n")]);
  assertEquals(found.map((one) => one?.eventType), ["del", "hset"]);
});

Deno.test("a notification is stamped with the time it was read unless it is given", () => {
  const before = Date.now();
  const found = KeyNotification.tryParse(CHANNEL, "set")!;
  assertEquals(found.timestamp >= before && found.timestamp <= Date.now(), true);
  assertEquals(KeyNotification.tryParse(CHANNEL, "set", { timestamp: 0 })!.timestamp, 0);
});

Deno.test("bytes given to a notification may change afterwards", () => {
  const channel = utf8(CHANNEL);
  const data = utf8("set");
  const found = KeyNotification.tryParse(channel, data)!;
  channel.fill(0);
  data.fill(0);
  assertEquals([found.key, found.eventType], ["user:1", "set"]);
});

Deno.test("JSON of a notification says what happened to what", () => {
  const found = KeyNotification.tryParse("__subkeyspace@1__:h", "hset|1:f", { timestamp: 5 })!;
  found.node = "127.0.0.1:7000";
  assertEquals(JSON.parse(JSON.stringify(found)), {
    kind: "subkeyspace",
    key: "h",
    eventType: "hset",
    database: 1,
    subkeys: ["f"],
    timestamp: 5,
    node: "127.0.0.1:7000",
  });
});

Deno.test("the text of a notification says what happened to what", () => {
  const found = KeyNotification.tryParse("__keyspace@1__:user\n1", "hset")!;
  assertEquals(String(found), 'hset "user\\n1" in database 1');
});

Deno.test("a key prefix does not go on behind the key", () => {
  const options = { keyPrefix: "user:" };
  assertEquals(KeyNotification.tryParse("__keyspace@0__:us", "er:1", options), null);
  assertEquals(KeyNotification.tryParse("__keyspace@0__:user", ":set", options), null);
  assertEquals(KeyNotification.tryParse("__keyspace@0__:user:", "set", options)!.key, "");
});

Deno.test("bytes that a notification gave may be changed", () => {
  for (const key of ["user:1", "\xff\xfe"]) {
    const channel = binary(`__subkeyspaceitem@0__:${key}\nf`);
    const found = [
      KeyNotification.tryParse(channel, "hset")!,
      KeyNotification.tryParse(binary("__keyevent@0__:set"), binary(key))!,
    ];
    for (const one of found) {
      one.keyBytes.fill(0);
      for (const subkey of one.subkeyBytes) subkey.fill(0);
      assertEquals(one.keyBytes, binary(key));
      assertEquals(one.subkeys, one === found[0] ? ["f"] : []);
      assertEquals(one.subkeyBytes, one === found[0] ? [utf8("f")] : []);
    }
  }
});

Deno.test("a payload that is a channel's name too is not taken for the channel", () => {
  const key = "__keyspace@0__:k";
  assertEquals(KeyNotification.fromMessage(["__keyevent@0__:set", key])?.key, key);
  assertEquals(KeyNotification.tryParse("set", CHANNEL), null, "tryParse has its order");
  assertEquals(KeyNotification.fromMessage(["news", "hello"]), null);
});

Deno.test("keys are compared byte by byte, before and after the bytes are released", () => {
  for (const key of ["", "abc", "a\u00e4b", "\u{1f600}x", "a\u{1f600}", "\ufeffa"]) {
    const whole = utf8(key);
    const longer = utf8(key + "a");
    for (const kind of ["keyspace", "keyevent"]) {
      const make = () =>
        kind === "keyspace"
          ? KeyNotification.tryParse(`__keyspace@0__:${key}`, "set")!
          : KeyNotification.tryParse("__keyevent@0__:set", key)!;
      const found = make().detach();
      for (let i = 0; i <= whole.length; i++) {
        const part = whole.slice(0, i);
        assertEquals([make().keyStartsWith(part), found.keyStartsWith(part)], [true, true]);
        if (i === 0) continue;
        part[i - 1]! ^= 1;
        assertEquals([make().keyStartsWith(part), found.keyStartsWith(part)], [false, false]);
      }
      assertEquals([make().keyStartsWith(longer), found.keyStartsWith(longer)], [false, false]);
      assertEquals([make().keyBytes, found.keyBytes], [whole, whole]);
    }
  }
});

Deno.test("bytes are not made of the key's text where they are there", () => {
  const prefix = utf8("user:");
  const parsed = [1, 2].map(() => KeyNotification.tryParse(CHANNEL, "set")!);
  const encode = TextEncoder.prototype.encode;
  let encoded = 0;
  TextEncoder.prototype.encode = function (text) {
    encoded++;
    return encode.call(this, text);
  };
  try {
    assertEquals(parsed[0]!.keyBytes.length, 6);
    assertEquals(parsed[1]!.keyStartsWith(prefix), true);
  } finally {
    TextEncoder.prototype.encode = encode;
  }
  assertEquals(encoded, 0);
});
