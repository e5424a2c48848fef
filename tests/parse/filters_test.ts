import { assertEquals, assertThrows } from "@std/assert";
import { KeyNotification } from "../../parse/mod.ts";
import { binary, utf8 } from "./texts.ts";

/** Notifications of a key, of both old channel types and of one with subkeys. */
function notificationsOf(key: string | Uint8Array, event = "hset"): KeyNotification[] {
  const bytes = typeof key === "string" ? utf8(key) : key;
  const channel = Uint8Array.of(...utf8("__keyspace@12__:"), ...bytes);
  const sub = Uint8Array.of(...utf8("__sub"), ...channel.subarray(2));
  return [
    KeyNotification.tryParse(channel, event)!,
    KeyNotification.tryParse(`__keyevent@0__:${event}`, bytes)!,
    KeyNotification.tryParse(sub, `${event}|1:f`)!,
  ];
}

Deno.test("an event is compared with a name, before and after its text is read", () => {
  for (const event of ["del", "json.set", "größe", "\u{1f600}"]) {
    for (const one of notificationsOf("k", event)) {
      for (let round = 0; round < 2; round++) {
        assertEquals(one.eventIs(event), true, event);
        const others = [
          "",
          event.slice(0, -1),
          `${event}x`,
          `x${event}`,
          event.toUpperCase() + "é",
        ];
        for (const other of others) assertEquals(one.eventIs(other), false, `${event} is ${other}`);
        one.detach();
      }
    }
  }
});

Deno.test("an event that is not UTF-8 is compared as its text", () => {
  const one = KeyNotification.tryParse(binary("__keyevent@0__:a\xff"), "k")!;
  assertEquals([one.eventIs("a"), one.eventIs("a\xff"), one.eventIs("a\ufffd")], [
    false,
    false,
    true,
  ]);
});

Deno.test("the length of a key is that of its bytes, before and after its text is read", () => {
  for (const key of ["", "user:1", "größe", "\u{1f600}"].map(utf8).concat(binary("\xff\xfe:1"))) {
    for (const one of notificationsOf(key)) {
      assertEquals(one.keyByteLength, key.length);
      assertEquals(one.detach().keyByteLength, key.length);
    }
  }
});

Deno.test("the length of a key does not count its prefix", () => {
  const one = KeyNotification.tryParse("__keyevent@0__:set", "app:k", { keyPrefix: "app:" })!;
  assertEquals([one.keyByteLength, one.copyKey(new Uint8Array(1))], [1, 1]);
});

Deno.test("a key is copied to the beginning of an array", () => {
  for (const key of ["", "user:1", "größe"].map(utf8).concat(binary("\xff\xfe:1"))) {
    for (const one of notificationsOf(key)) {
      for (let round = 0; round < 2; round++) {
        const into = new Uint8Array(key.length + 2).fill(7);
        assertEquals(one.copyKey(into), key.length);
        assertEquals([...into], [...key, 7, 7]);
        one.detach();
      }
    }
  }
});

Deno.test("a key that does not fit is not copied", () => {
  for (const one of notificationsOf("user:1")) {
    for (let round = 0; round < 2; round++) {
      const into = new Uint8Array(5);
      assertThrows(() => one.copyKey(into), RangeError);
      assertEquals([...into], [0, 0, 0, 0, 0]);
      one.detach();
    }
  }
});

Deno.test("a text that is compared with a key is not encoded if it is ASCII", () => {
  const [one] = notificationsOf("user:1");
  const encode = TextEncoder.prototype.encode;
  TextEncoder.prototype.encode = () => {
    throw new Error("encoded");
  };
  try {
    assertEquals(one!.keyStartsWith("session:"), false);
    assertEquals(one!.keyStartsWith("user:12"), false);
    assertEquals(one!.keyStartsWith("user:"), true);
  } finally {
    TextEncoder.prototype.encode = encode;
  }
});
