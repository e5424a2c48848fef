import { assertEquals } from "@std/assert";
import fc from "npm:fast-check@4.10.2";
import { KeyNotification, parseNotification } from "../../parse/notification.ts";
import { concat, utf8 } from "./texts.ts";

/** Bytes in which what separates the parts of a message is frequent. */
const bytes = fc.array(
  fc.oneof(fc.constantFrom(...utf8("\n|,:@_*?[]\\019")), fc.integer({ min: 0, max: 255 })),
  { maxLength: 80 },
).map((array) => Uint8Array.from(array));
const without = (byte: string) => bytes.filter((array) => !array.includes(byte.charCodeAt(0)));
const notEmpty = (array: Uint8Array) => array.length > 0;
const subkeys = fc.array(bytes, { minLength: 1, maxLength: 5 });
const database = fc.oneof(fc.nat(11), fc.nat(2 ** 31 - 1));

interface Message {
  kind: string;
  database: number;
  key: Uint8Array;
  event: Uint8Array;
  subkeys: readonly Uint8Array[];
}

const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("keyspace", "keyevent"),
    database,
    key: bytes,
    event: bytes.filter(notEmpty),
    subkeys: fc.constant([]),
  }),
  fc.record({
    kind: fc.constant("subkeyevent"),
    database,
    key: bytes,
    event: bytes.filter(notEmpty),
    subkeys,
  }),
  fc.record({
    kind: fc.constantFrom("subkeyspace", "subkeyspaceevent"),
    database,
    key: bytes,
    event: without("|").filter(notEmpty),
    subkeys,
  }),
  fc.record({
    kind: fc.constant("subkeyspaceitem"),
    database,
    key: without("\n"),
    event: bytes.filter(notEmpty),
    subkeys: bytes.map((subkey) => [subkey]),
  }),
);

const counted = (part: Uint8Array) => concat(`${part.length}:`, part);

/** Writes a message as the servers do. */
function written({ kind, database, key, event, subkeys }: Message): [Uint8Array, Uint8Array] {
  const list = concat(
    ...subkeys.flatMap((subkey, i) => [i === 0 ? "" : ",", counted(subkey)]),
  );
  const types: Record<string, (string | Uint8Array)[][]> = {
    keyspace: [[key], [event]],
    keyevent: [[event], [key]],
    subkeyspace: [[key], [event, "|", list]],
    subkeyevent: [[event], [counted(key), "|", list]],
    subkeyspaceitem: [[key, "\n", subkeys[0] ?? ""], [event]],
    subkeyspaceevent: [[event, "|", key], [list]],
  };
  const [rest, data] = types[kind]!;
  return [concat(`__${kind}@${database}__:`, ...rest!), concat(...data!)];
}

const text = (part: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(part);

function assertReads(found: KeyNotification | null | undefined, message: Message): void {
  const [channel, data] = written(message);
  assertEquals(
    found && {
      kind: found.kind,
      database: found.database,
      keyBytes: found.keyBytes,
      key: found.key,
      eventType: found.eventType,
      subkeyBytes: found.subkeyBytes,
      subkeys: found.subkeys,
      channel: found.channel,
      data: found.data,
    },
    {
      kind: message.kind,
      database: message.database,
      keyBytes: message.key,
      key: text(message.key),
      eventType: text(message.event),
      subkeyBytes: message.subkeys,
      subkeys: message.subkeys.map(text),
      channel: text(channel),
      data: text(data),
    },
  );
}

Deno.test("what is written in any channel type is read back equal", () => {
  fc.assert(
    fc.property(message, (message) => {
      assertReads(KeyNotification.tryParse(...written(message)), message);
    }),
    { numRuns: 2000, seed: 1 },
  );
});

Deno.test("what lies anywhere in a chunk is read back equal, also when the chunk is gone", () => {
  fc.assert(
    fc.property(message, bytes, bytes, bytes, (message, before, between, after) => {
      const [channel, data] = written(message);
      // So long that it is read by words.
      const chunk = concat(before, channel, between, data, after, new Uint8Array(256));
      const dataStart = before.length + channel.length + between.length;
      const place = {
        bytes: chunk,
        channelStart: before.length,
        channelEnd: before.length + channel.length,
        payloadStart: dataStart,
        payloadEnd: dataStart + data.length,
      };
      const found = parseNotification(place, 1, null);
      found?.detach();
      chunk.fill(0);
      assertReads(found, message);
    }),
    { numRuns: 2000, seed: 1 },
  );
});

Deno.test("the first question asked is answered right, whichever it is", () => {
  const names = ["key", "keyBytes", "eventType", "subkeys", "subkeyBytes", "channel", "data"];
  fc.assert(
    fc.property(message, fc.shuffledSubarray(names, { minLength: 7 }), (message, order) => {
      const found = KeyNotification.tryParse(...written(message))!;
      for (const name of order) found[name as keyof KeyNotification];
      assertReads(found, message);
    }),
    { numRuns: 500, seed: 1 },
  );
});

Deno.test("whatever is read at all is what a server would have written", () => {
  const channel = fc.tuple(
    fc.constantFrom(
      ..."keyspace keyevent subkeyspace subkeyevent subkeyspaceitem subkeyspaceevent".split(" "),
    ),
    fc.constantFrom("0", "1", "01", "x", ""),
    bytes,
  ).map(([kind, database, rest]) => concat(`__${kind}@${database}__:`, rest));
  const list = fc.array(
    fc.oneof(fc.constantFrom("0:", "1:", "2:", "|", ",", "a|", "1:a", "10:"), bytes),
    { maxLength: 6 },
  ).map((parts) => concat(...parts));
  let read = 0;
  fc.assert(
    fc.property(channel, list, (channel, data) => {
      const found = KeyNotification.tryParse(channel, data);
      if (!found) return;
      read++;
      const again = written({
        kind: found.kind,
        database: found.database,
        key: found.keyBytes,
        event: utf8(found.eventType),
        subkeys: found.subkeyBytes,
      });
      if (!found.eventType.includes("\ufffd")) assertEquals(again, [channel, data]);
    }),
    { numRuns: 20_000, seed: 1 },
  );
  assertEquals(read > 100, true, `${read} were read`);
});

Deno.test("a key prefix filters and strips bytes, in all channel types", () => {
  fc.assert(
    fc.property(message, bytes, fc.boolean(), (message, prefix, begins) => {
      if (message.kind === "subkeyspaceitem" && prefix.includes(10)) return;
      const given = begins ? { ...message, key: concat(prefix, message.key) } : message;
      const [channel, data] = written(given);
      const found = KeyNotification.tryParse(channel, data, { keyPrefix: prefix });
      const fits = prefix.every((byte, i) => byte === given.key[i]);
      assertEquals(found !== null, fits);
      if (!found) return;
      const rest = given.key.slice(prefix.length);
      assertEquals(found.keyBytes, rest);
      assertEquals(found.key, text(rest));
      assertEquals(found.subkeyBytes, given.subkeys);
      assertEquals(found.channel, text(channel));
      assertEquals(found.data, text(data));
      assertEquals(found.keyStartsWith(rest), true);
    }),
    { numRuns: 2000, seed: 1 },
  );
});

Deno.test("a key starts with what its bytes start with", () => {
  fc.assert(
    fc.property(
      bytes,
      fc.oneof(bytes, fc.integer({ min: 0, max: 20 })),
      fc.boolean(),
      (key, wanted, asText) => {
        const prefix = typeof wanted === "number" ? key.slice(0, wanted) : wanted;
        const found = KeyNotification.tryParse(concat("__keyspace@0__:", key), "set")!;
        const given = asText ? text(prefix) : prefix;
        const bytes = asText ? utf8(text(prefix)) : prefix;
        assertEquals(
          found.keyStartsWith(given),
          bytes.every((byte, i) => byte === key[i]),
        );
      },
    ),
    { numRuns: 2000, seed: 1 },
  );
});
