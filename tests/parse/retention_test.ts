import { Buffer } from "node:buffer";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { assertEquals } from "@std/assert";
import { type KeyNotification, parseNotification } from "../../parse/notification.ts";
import { decodeText } from "../../bytes/text.ts";
import { utf8 } from "./texts.ts";
import { sleep } from "../servers/wait.ts";

const messages: [what: string, channel: string, data: string][] = [
  ["a keyspace notification", "__keyspace@0__:user:1000:profile:name", "hset"],
  ["a keyevent notification", "__keyevent@0__:hset", "user:1000:profile:name"],
  ["a key that is not ASCII", "__keyspace@0__:用户:1000:profile:name", "hset"],
  ["an event that is not known", "__keyspace@0__:user:1000:profile:name", "json.set"],
  ["a long key", `__keyspace@0__:${"k".repeat(200)}`, "hset"],
  ["a subkey notification", "__subkeyspace@0__:user:1000", "hset|20:profile:name:of:user"],
];

const questions: Record<string, (found: KeyNotification) => unknown> = {
  key: (found) => found.key,
  keyBytes: (found) => found.keyBytes,
  eventType: (found) => found.eventType,
  subkeys: (found) => found.subkeys,
  subkeyBytes: (found) => found.subkeyBytes,
  channel: (found) => found.channel,
  data: (found) => found.data,
  keyStartsWith: (found) => found.keyStartsWith(""),
  toJSON: (found) => found.toJSON(),
  toString: (found: KeyNotification) => found.toString(),
  detach: (found) => found.detach(),
};

/** Parses a message that lies in a chunk of its own; of which a view would keep the memory, too. */
function parse(channel: string, data: string): [KeyNotification, WeakRef<ArrayBuffer>] {
  const chunk = new Uint8Array(65_536);
  const head = utf8(channel);
  const body = utf8(data);
  chunk.set(head, 100);
  chunk.set(body, 500);
  const place = {
    bytes: chunk,
    channelStart: 100,
    channelEnd: 100 + head.length,
    payloadStart: 500,
    payloadEnd: 500 + body.length,
  };
  return [
    parseNotification(place, 1, null)!,
    new WeakRef(chunk.buffer),
  ];
}

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

/** Which are still there after all garbage was collected. */
async function alive(refs: WeakRef<ArrayBuffer>[]): Promise<boolean[]> {
  // What a WeakRef was made of or gave lives until the end of the turn.
  await sleep(0);
  gc();
  return refs.map((ref) => ref.deref() !== undefined);
}

/** The decoder of texts keeps views of the two arrays that it read last. */
function forgetViews(): void {
  for (let i = 0; i < 2; i++) decodeText(new Uint8Array(1_000), 0, 10);
}

for (const [what, channel, data] of messages) {
  Deno.test(`${what} releases its chunk when its text is read`, async () => {
    const asked = Object.entries(questions).map(([name, ask]) => {
      const [found, ref] = parse(channel, data);
      return { name, ask, found, ref, answer: undefined as unknown };
    });
    const refs = asked.map(({ ref }) => ref);
    assertEquals((await alive(refs)).includes(true), true, "copied too early");
    for (const one of asked) one.answer = one.ask(one.found);
    forgetViews();
    const kept = await alive(refs);
    assertEquals(asked.filter((_, i) => kept[i]).map(({ name }) => name), [], "keeps its chunk");
    // Notifications and answers are in use here, so none of them was collected before.
    for (const { ask, found, answer } of asked) {
      assertEquals(ask(found), answer);
      assertEquals([found.channel, found.data], [channel, data]);
    }
  });
}

Deno.test("a filter neither copies nor decodes what it drops", async () => {
  const [found, ref] = parse("__keyspace@0__:user:1", "hset");
  const answers = [
    found.eventIs("del"),
    found.keyStartsWith("session:"),
    found.keyStartsWith(utf8("session:")),
    found.keyByteLength,
    found.copyKey(new Uint8Array(9)),
  ];
  assertEquals(answers, [false, false, false, 6, 6]);
  forgetViews();
  assertEquals(await alive([ref]), [true], "copied or decoded");
  found.detach();
  forgetViews();
  assertEquals(await alive([ref]), [false]);
});

Deno.test("a detached notification has its own bytes, also if it was read from a Buffer", () => {
  const head = "__keyevent@0__:hset";
  const chunk = Buffer.concat([utf8(head), Uint8Array.of(0x6b, 0xff)]);
  const end = head.length;
  const place = { bytes: chunk, channelStart: 0, channelEnd: end, payloadStart: end };
  const found = parseNotification({ ...place, payloadEnd: end + 2 }, 1, null)!.detach();
  chunk.fill(0);
  assertEquals([...found.keyBytes], [0x6b, 0xff]);
});
