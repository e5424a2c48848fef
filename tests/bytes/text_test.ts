import { assertEquals } from "@std/assert";
import { Decoder, decodeText, type Reply } from "../../resp/mod.ts";
import { Random } from "../random.ts";
import { bytes } from "../resp/harness.ts";
import { mixedText } from "../resp/texts.ts";

/** Decodes in an array that is large enough for the cache to be used. */
function decodeInChunk(content: Uint8Array): string {
  const chunk = new Uint8Array(300);
  chunk.set(content, 3);
  return decodeText(chunk, 3, 3 + content.length);
}

const reference = new TextDecoder("utf-8", { ignoreBOM: true });

Deno.test("all of the bytes are text where no places are given, and none are none", () => {
  assertEquals(decodeText(bytes("größe")), "größe");
  assertEquals(decodeText(new Uint8Array(0)), "");
});

Deno.test("texts that differ in one byte or in length are never taken for one another", () => {
  for (let length = 1; length <= 70; length++) {
    for (const filler of [0, 0x61]) {
      const base = new Uint8Array(length).fill(filler);
      for (let place = 0; place < length; place++) {
        for (const byte of [0, 1, 0x20, 0x62, 0x7f]) {
          const one = base.slice();
          one[place] = byte;
          const expected = reference.decode(one);
          // Often enough to be remembered, and in between the others of its kind.
          for (let i = 0; i < 3; i++) assertEquals(decodeInChunk(one), expected);
        }
      }
    }
  }
});

Deno.test("texts that were made to have the same hash are never taken for one another", () => {
  // Somebody who may choose the names of keys can make such.
  const pairs = [["user:100", "user|V-1"], ["order:42", "L!^Dr:42"], ["session:", "sessr=>j"]];
  for (const pair of pairs) {
    for (let i = 0; i < 200; i++) {
      const text = pair[(i >> 5) % 2]!;
      assertEquals(decodeInChunk(bytes(text)), text);
    }
  }
});

Deno.test("text is right after its bytes were written over", () => {
  const buffer = new Uint8Array(512);
  for (let i = 0; i < 20_000; i++) {
    const key = `key:${i % 50}`;
    const length = buffer.set(bytes(key)) ?? key.length;
    assertEquals(decodeText(buffer, 0, length), key);
  }
});

Deno.test("texts of views into the same memory are distinguished", () => {
  const memory = bytes("abcdefghijklmnopqrstuvwxyz".repeat(20));
  for (let i = 0; i < 1000; i++) {
    const start = i % 7;
    const view = new Uint8Array(memory.buffer, start, 400);
    assertEquals(decodeText(view, 0, 12), reference.decode(memory.subarray(start, start + 12)));
  }
});

Deno.test("a large text that came in pieces is what it is whole", () => {
  const random = new Random(2);
  for (let i = 0; i < 40; i++) {
    const content = mixedText(random, random.between(40_000, 80_000));
    const replies: Reply[] = [];
    const decoder = new Decoder({ reply: (it) => replies.push(it), push() {} }, {
      strings: "text",
    });
    decoder.write(bytes(`$${content.length}\r\n`));
    for (let at = 0; at < content.length;) {
      const size = random.pick([1, 3, 100, 1400, 20_000, 65_536]);
      decoder.write(content.slice(at, at + size));
      at += size;
    }
    decoder.write(bytes("\r\n"));
    assertEquals(replies.length, 1);
    assertEquals(replies[0] === reference.decode(content), true);
  }
});
