/** What is subscribed comes, byte for byte, and nothing else does. */
import { KeyeventChannel, KeyspaceChannel } from "@keywatch/keywatch";
import { equal, ok, take, takeOne, until } from "../kit.mjs";

const utf8 = new TextEncoder();

async function deliversKeyspace(scene, protocol) {
  const notifications = await scene.connect({ protocol });
  await notifications.subscribeKeyspace("exact");
  await notifications.subscribeKeyspace("user:*");
  await notifications.subscribeKeyspace("all", { db: "*" });
  await scene.commands([
    ["SET", "exact", "x"],
    ["SET", "exactly", "x"],
    ["SET", "user:1", "x"],
    ["HSET", "user:2", "f", "x"],
    ["SELECT", 3],
    ["SET", "user:3", "x"],
    ["SET", "all", "x"],
    ["SELECT", 0],
    ["DEL", "exact"],
  ]);
  equal(await take(notifications, 5), [
    "set exact",
    "set user:1",
    "hset user:2",
    "set all",
    "del exact",
  ]);
}

async function deliversKeyevent(scene, protocol) {
  const notifications = await scene.connect({ protocol });
  await notifications.subscribeKeyevent("del");
  await notifications.subscribeKeyevent("h*");
  await notifications.subscribe(new KeyeventChannel("lpush", { db: 1 }), "__keyevent@0__:sadd");
  await scene.commands([
    ["SET", "a", "x"],
    ["DEL", "a"],
    ["HSET", "h", "f", "x"],
    ["LPUSH", "l", "x"],
    ["SADD", "s", "x"],
    ["SELECT", 1],
    ["LPUSH", "l1", "x"],
    ["SELECT", 0],
    ["HDEL", "h", "f"],
  ]);
  equal(await take(notifications, 6), [
    "del a",
    "hset h",
    "sadd s",
    "lpush l1",
    "hdel h",
    "del h",
  ]);
}

async function tellsAll(scene, protocol) {
  const notifications = await scene.connect({ protocol });
  await notifications.subscribeKeyspace("user:*", { db: "*" });
  const before = Date.now();
  await scene.commands([["SELECT", 3], ["HSET", "user:1", "name", "ana"], ["SELECT", 0]]);
  const told = await takeOne(notifications);
  const { kind, key, keyBytes, eventType, database, channel, data, isKeyspace, subkeys } = told;
  equal({ kind, key, keyBytes, eventType, database, channel, data, isKeyspace, subkeys }, {
    kind: "keyspace",
    key: "user:1",
    keyBytes: utf8.encode("user:1"),
    eventType: "hset",
    database: 3,
    channel: "__keyspace@3__:user:1",
    data: "hset",
    isKeyspace: true,
    subkeys: [],
  });
  ok(told.timestamp >= before && told.timestamp <= Date.now(), "it came between then and now");
}

/** Keys, with the text that every runtime must show of them. */
const KEYS = [
  [new Uint8Array(), ""],
  [Uint8Array.from({ length: 256 }, (_, byte) => byte), null],
  [utf8.encode("line\r\nbreak | , : ключ 🔑"), "line\r\nbreak | , : ключ 🔑"],
  [Uint8Array.of(0xff, 0xfe, 0x00, 0x61), "\ufffd\ufffd\0a"],
  // A sequence cut short is one U+FFFD, and a byte order mark is a character like any other.
  [Uint8Array.of(0xf0, 0x9f, 0x98, 0x41, 0xe2, 0x82), "\ufffdA\ufffd"],
  [Uint8Array.of(0xef, 0xbb, 0xbf, 0x61), "\ufeffa"],
];

async function keepsBytes(scene, protocol) {
  const notifications = await scene.connect({ protocol });
  const events = await scene.connect({ protocol });
  await notifications.subscribeKeyspace("*");
  await events.subscribeKeyevent("set");
  await scene.commands(KEYS.map(([key]) => ["SET", key, "x"]));
  for (const source of [notifications, events]) {
    for (const [bytes, text] of KEYS) {
      const told = await takeOne(source);
      equal(told.keyBytes, bytes);
      equal(told.key, text ?? new TextDecoder().decode(bytes));
    }
  }
}

/** Read only when much else has come, in memory that a runtime might use again. */
async function keepsNotifications(scene, protocol) {
  const notifications = await scene.connect({ protocol });
  const kept = [];
  await notifications.subscribeKeyspace("*", { handler: (told) => void kept.push(told) });
  const keys = Array.from({ length: 3_000 }, (_, n) => `${n}`.padStart(100, "x"));
  // In many reads, also where all that waits comes in one.
  for (let at = 0; at < keys.length; at += 100) {
    await scene.commands(keys.slice(at, at + 100).map((key) => ["SET", key, "x"]));
  }
  await until("all have come", () => kept.length === keys.length);
  for (const [at, told] of kept.entries()) equal(told.key, keys[at]);
}

async function takesBytes(scene, protocol) {
  const notifications = await scene.connect({ protocol });
  const exact = Uint8Array.of(0xff, 0x2a, 0x00, 0x5b);
  const prefix = Uint8Array.of(0xfe, 0x0d, 0x0a, 0x3f);
  await notifications.subscribe(KeyspaceChannel.exact(exact), KeyspaceChannel.prefix(prefix));
  const inside = Uint8Array.of(...prefix, 0xc3, 0x28);
  const outside = [Uint8Array.of(0xff, 0x41, 0x00, 0x5b), Uint8Array.of(0xfe, 0x0d, 0x0a, 0x41)];
  await scene.commands([...outside, exact, inside].map((key) => ["SET", key, "x"]));
  equal((await takeOne(notifications)).keyBytes, exact);
  equal((await takeOne(notifications)).keyBytes, inside);
}

/** No runtime hands over as much at once, so it is put together from many chunks. */
async function takesLargeKeys(scene, protocol) {
  const notifications = await scene.connect({ protocol });
  const keys = [1, 2, 3].map((seed) =>
    Uint8Array.from({ length: 1_000_000 }, (_, at) => (at * seed + (at >> 8)) & 0xff)
  );
  const events = await scene.connect({ protocol });
  await notifications.subscribeKeyspace("*");
  await events.subscribeKeyevent("set");
  await scene.commands(keys.map((key) => ["SET", key, "x"]));
  for (const source of [notifications, events]) {
    for (const key of keys) {
      const told = await takeOne(source);
      equal(told.eventType, "set");
      // Not by `equal`, which is no way to compare a million.
      const { keyBytes } = told;
      ok(keyBytes.length === key.length, "the key is whole");
      ok(keyBytes.every((byte, at) => byte === key[at]), "the key is intact");
    }
  }
}

async function deliversSubkeys(scene, protocol) {
  // Whether this server sends any of them on its own does not matter.
  const notifications = await scene.connect({ protocol, flags: "ignore" });
  await notifications.subscribeSubkeyspace("ha*");
  await notifications.subscribeSubkeyevent("hset");
  await notifications.subscribeSubkeyspaceitem("h", "f");
  await notifications.subscribeSubkeyspaceevent("hdel", "h");
  await scene.commands([
    ["PUBLISH", "__subkeyspace@0__:ha1", "hset|6:字段,7:a|b,c:d"],
    ["PUBLISH", "__subkeyevent@0__:hset", "2:h2|1:f,0:"],
    ["PUBLISH", "__subkeyspaceitem@0__:h\nf", "hset"],
    ["PUBLISH", "__subkeyspaceevent@0__:hdel|h", "1:g"],
    ["PUBLISH", "__subkeyspace@0__:ha1", "hset|99:short"],
    ["PUBLISH", "__subkeyspace@0__:ha2", "hset|1:z"],
  ]);
  const told = [];
  for (let n = 0; n < 5; n++) {
    const { kind, key, eventType, subkeys } = await takeOne(notifications);
    told.push([kind, key, eventType, subkeys]);
  }
  equal(told, [
    ["subkeyspace", "ha1", "hset", ["字段", "a|b,c:d"]],
    ["subkeyevent", "h2", "hset", ["f", ""]],
    ["subkeyspaceitem", "h", "hset", ["f"]],
    ["subkeyspaceevent", "h", "hdel", ["g"]],
    ["subkeyspace", "ha2", "hset", ["z"]],
  ]);
  equal(notifications.status().nodes[0].malformed, 1);
}

async function mergesMatches(scene, protocol) {
  const notifications = await scene.connect({ protocol });
  await notifications.subscribe("__keyevent@0__:set", "__keyevent@*__:s*", "__keyevent@0__:*t");
  await scene.commands([["SET", "k", 1], ["SET", "k", 2], ["SET", "m", 1], ["SET", "k", 3]]);
  equal(await take(notifications, 4), ["set k", "set k", "set m", "set k"]);
}

async function unsubscribes(scene, protocol) {
  const notifications = await scene.connect({ protocol });
  await notifications.subscribeKeyspace("a");
  await notifications.subscribeKeyspace("b*");
  const hold = await notifications.subscribeKeyspace("c");
  await notifications.unsubscribe(new KeyspaceChannel("a"));
  await hold.unsubscribe();
  await scene.commands(["a", "c", "b1"].map((key) => ["SET", key, "x"]));
  equal(await take(notifications, 1), ["set b1"]);
  equal(await scene.command("PUBSUB", "CHANNELS"), []);
  await notifications.unsubscribe();
  equal(await scene.command("PUBSUB", "NUMPAT"), 0);
  equal(notifications.subscribed, false);
  await notifications.subscribeKeyspace("d");
  await scene.commands(["b1", "d"].map((key) => ["SET", key, "x"]));
  equal(await take(notifications, 1), ["set d"]);
}

/** Node writes a warning where many listen to one signal, and what a case writes is a failure. */
async function subscribesManyAtOnce(scene, protocol) {
  const notifications = await scene.connect({ protocol });
  await notifications.subscribeKeyspace("first");
  const keys = Array.from({ length: 50 }, (_, n) => `k${n}`);
  await Promise.all(keys.map((key) => notifications.subscribeKeyspace(key)));
  await scene.command("SET", "k49", "x");
  equal(await take(notifications, 1), ["set k49"]);
}

const each = {
  "keyspace subscriptions deliver, exact and pattern": deliversKeyspace,
  "keyevent subscriptions deliver, exact and pattern": deliversKeyevent,
  "a notification says all there is to say": tellsAll,
  "keys of any bytes come intact": keepsBytes,
  "a notification that is kept stays what it was": keepsNotifications,
  "keys of any bytes can be subscribed": takesBytes,
  "keys of a megabyte come whole": takesLargeKeys,
  "the four subkey channel types deliver": deliversSubkeys,
  "one event is one item, however many patterns match": mergesMatches,
  "many subscriptions at once need no more than one further connection": subscribesManyAtOnce,
  "unsubscribing ends what was subscribed and nothing else": unsubscribes,
};

export const subscribing = [3, 2].flatMap((protocol) =>
  Object.entries(each).map(([name, run]) => ({
    name: `RESP${protocol}: ${name}`,
    run: (scene) => run(scene, protocol),
  }))
);
