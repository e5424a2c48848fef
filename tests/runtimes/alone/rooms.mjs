/** The rooms without a socket: what they do where there is nothing but the language. */
import { requiredFlags } from "@keywatch/keywatch/events";
import { KeyeventChannel, KeyNotification, KeyspaceChannel } from "@keywatch/keywatch/parse";
import * as resp from "@keywatch/keywatch/resp";
import { equal, ok } from "../expect.mjs";

/** Nothing but the language makes bytes of text here. */
const utf8 = {
  encode(text) {
    const codes = encodeURIComponent(text).replace(
      /%(..)/g,
      (_, hex) => String.fromCharCode(parseInt(hex, 16)),
    );
    return Uint8Array.from(codes, (character) => character.charCodeAt(0));
  },
};

function parsesAlone() {
  const found = KeyNotification.tryParse(
    utf8.encode("__subkeyspace@3__:ключ"),
    utf8.encode("hset|6:字段,7:a|b,c:d"),
  );
  equal([found.kind, found.database, found.key, found.eventType, found.subkeys], [
    "subkeyspace",
    3,
    "ключ",
    "hset",
    ["字段", "a|b,c:d"],
  ]);
  const cut = KeyNotification.tryParse("__keyevent@0__:del", utf8.encode("ключ").subarray(0, 3));
  equal([cut.key, [...cut.keyBytes]], ["к\ufffd", [0xd0, 0xba, 0xd0]]);
  equal(KeyNotification.tryParse("__keyspace@0__:ключ:😀", "set").key, "ключ:😀");
  equal(KeyNotification.tryParse("news", "hello"), null);
}

function showsAlone() {
  const found = KeyNotification.tryParse("__keyspace@0__:k", "set", { timestamp: 5 });
  equal(String(found), 'set "k" in database 0');
  // Which Node, Deno and Bun call in `console.log`.
  const shown = found[Symbol.for("nodejs.util.inspect.custom")]();
  equal([shown.key, shown.eventType, "node" in shown], ["k", "set", false]);
}

function tellsFlagsAlone() {
  equal(requiredFlags(new KeyeventChannel("expired")), "xE");
}

function decodesAlone() {
  equal(
    resp.encodeCommand(["SET", "é", 7]),
    utf8.encode("*3\r\n$3\r\nSET\r\n$2\r\né\r\n$1\r\n7\r\n"),
  );
  const replies = [];
  const pushes = [];
  const decoder = new resp.Decoder({
    reply: (reply) => replies.push(reply),
    push: (items) => pushes.push(items),
  });
  const wire = utf8.encode("$2\r\nok\r\n:42\r\n>2\r\n+news\r\n$1\r\nx\r\n-ERR no\r\n");
  // Byte by byte, in memory that is used again.
  const chunk = new Uint8Array(1);
  for (const byte of wire) {
    chunk[0] = byte;
    decoder.write(chunk);
  }
  equal(replies.slice(0, 2), [utf8.encode("ok"), 42]);
  ok(replies[2] instanceof resp.ServerError, "an error reply is a value");
  equal(pushes, [["news", utf8.encode("x")]]);
  equal(resp.decodeText(utf8.encode("\ufeffgröße 字 😀")), "\ufeffgröße 字 😀");
}

/** Bytes that are gone, or are not as many as they say. */
function falseBytes() {
  class Longer extends Uint8Array {
    get length() {
      return 9;
    }
  }
  const all = [new Longer(3), new Proxy(new Uint8Array(3), {})];
  // Older engines have no buffers that can be resized.
  const shrunk = new ArrayBuffer(8, { maxByteLength: 8 });
  if (typeof shrunk.resize === "function") {
    all.push(new Uint8Array(shrunk, 4, 4));
    shrunk.resize(2);
  }
  // V8 by itself has nothing that transfers.
  if (typeof structuredClone === "function") {
    const sent = new Uint8Array(3);
    structuredClone(sent.buffer, { transfer: [sent.buffer] });
    all.push(sent);
  }
  return all;
}

function refusesFalseBytes() {
  for (const bytes of falseBytes()) {
    for (
      const [words, call] of [
        ["Cannot encode argument 1", () => resp.encodeCommand(["GET", bytes])],
        ["(argument 0)", () => new KeyspaceChannel(bytes)],
      ]
    ) {
      let thrown = null;
      try {
        call();
      } catch (error) {
        thrown = error;
      }
      ok(thrown instanceof TypeError && thrown.message.includes(words), `${words}: ${thrown}`);
    }
  }
  equal(resp.encodeCommand([new Uint8Array()]), utf8.encode("*1\r\n$0\r\n\r\n"));
}

export const rooms = [
  { name: "./parse works by itself", run: parsesAlone },
  { name: "./parse shows what a notification says", run: showsAlone },
  { name: "./events works with it", run: tellsFlagsAlone },
  { name: "./resp works by itself", run: decodesAlone },
  { name: "bytes that are gone are refused", run: refusesFalseBytes },
];
