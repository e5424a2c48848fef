import { assertEquals } from "@std/assert";
import { KeyNotification } from "../../parse/mod.ts";

// Each row: channel, payload, then what must come of it. The payloads are the servers' own.
const rows: [string, string, Record<string, unknown>][] = [
  ["__keyspace@0__:user:1", "set", {
    kind: "keyspace",
    key: "user:1",
    eventType: "set",
    database: 0,
    subkeys: [],
    isKeyspace: true,
  }],
  ["__keyevent@15__:xgroup-create", "s", {
    kind: "keyevent",
    key: "s",
    eventType: "xgroup-create",
    database: 15,
    subkeys: [],
    isKeyspace: false,
  }],
  ["__subkeyspace@0__:h", "hset|6:字段,7:a|b,c:d", {
    kind: "subkeyspace",
    key: "h",
    eventType: "hset",
    database: 0,
    subkeys: ["字段", "a|b,c:d"],
    isKeyspace: true,
  }],
  ["__subkeyevent@2__:hdel", "4:a|:b|1:x,1:x", {
    kind: "subkeyevent",
    key: "a|:b",
    eventType: "hdel",
    database: 2,
    subkeys: ["x", "x"],
    isKeyspace: false,
  }],
  ["__subkeyspaceitem@0__:h|1\na\nb", "hincrby", {
    kind: "subkeyspaceitem",
    key: "h|1",
    eventType: "hincrby",
    database: 0,
    subkeys: ["a\nb"],
    isKeyspace: true,
  }],
  ["__subkeyspaceevent@0__:hexpire|a|b\nc", "0:,3:,:|", {
    kind: "subkeyspaceevent",
    key: "a|b\nc",
    eventType: "hexpire",
    database: 0,
    subkeys: ["", ",:|"],
    isKeyspace: false,
  }],
];

for (const [channel, data, wanted] of rows) {
  Deno.test(`reads ${JSON.stringify(channel)} with ${JSON.stringify(data)}`, () => {
    const found = KeyNotification.tryParse(channel, data);
    assertEquals(
      found && Object.fromEntries(
        Object.keys(wanted).map((name) => [name, found[name as keyof KeyNotification]]),
      ),
      wanted,
    );
    assertEquals([found?.channel, found?.data], [channel, data]);
  });
}
