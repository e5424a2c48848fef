import { assertEquals } from "@std/assert";
import { Decoder, decodeText, type Reply } from "../../resp/mod.ts";
import { bytes, random } from "./harness.ts";

const reference = new TextDecoder("utf-8", { ignoreBOM: true });

/** Letters of each length in UTF-8, and bytes that are none. */
const PARTS: readonly Uint8Array[] = [
  ...["a", "Z", "0", "\0", "\x7f", "é", "߿", "ࠀ", "字", "\ufeff", "\uffff", "😀", "\u{10ffff}"]
    .map(bytes),
  ...[
    [0x80],
    [0xbf, 0xbf],
    [0xc0, 0x80],
    [0xc3],
    [0xe5, 0xad],
    [0xe5],
    [0xed, 0xa0, 0x80],
    [0xf0, 0x9f, 0x98],
    [0xf0, 0x9f],
    [0xf0],
    [0xf4, 0x90, 0x80, 0x80],
    [0xf8, 0x88],
    [0xff],
  ].map((part) => Uint8Array.from(part)),
];

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Bytes that are mostly text, of about that length. */
function text(next: () => number, length: number): Uint8Array {
  const parts: Uint8Array[] = [];
  const foreign = next() % 3;
  for (let i = 0; i < length; i++) {
    const ascii = foreign === 0 || next() % 8 > foreign;
    parts.push(ascii ? Uint8Array.of(next() % 128) : PARTS[next() % PARTS.length]!);
  }
  return concat(parts);
}

Deno.test("text of bytes is what TextDecoder makes of them, made or remembered", () => {
  const next = random(1);
  for (let i = 0; i < 20_000; i++) {
    const bytes = text(next, next() % 80);
    const start = next() % (bytes.length + 1);
    const end = start + next() % (bytes.length - start + 1);
    const expected = reference.decode(bytes.subarray(start, end));
    for (let again = 0; again < 3; again++) {
      assertEquals(decodeText(bytes, start, end), expected);
    }
  }
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
          for (let i = 0; i < 3; i++) assertEquals(decodeText(one), expected);
        }
      }
    }
  }
});

Deno.test("text is right after its bytes were written over", () => {
  const buffer = new Uint8Array(64);
  for (let i = 0; i < 20_000; i++) {
    const key = `key:${i % 50}`;
    const length = buffer.set(bytes(key)) ?? key.length;
    assertEquals(decodeText(buffer, 0, length), key);
  }
});

Deno.test("text of views into one memory is told apart", () => {
  const memory = bytes("abcdefghijklmnopqrstuvwxyz");
  for (let i = 0; i < 1000; i++) {
    const start = i % 7;
    const view = new Uint8Array(memory.buffer, start, 12);
    assertEquals(decodeText(view), reference.decode(memory.subarray(start, start + 12)));
  }
});

Deno.test("a large text that came in pieces is what it is whole", () => {
  const next = random(2);
  for (let i = 0; i < 40; i++) {
    const content = text(next, 40_000 + next() % 40_000);
    const replies: Reply[] = [];
    const decoder = new Decoder({ reply: (it) => replies.push(it), push() {} }, {
      strings: "text",
    });
    decoder.write(bytes(`$${content.length}\r\n`));
    for (let at = 0; at < content.length;) {
      const size = [1, 3, 100, 1400, 20_000, 65_536][next() % 6]!;
      decoder.write(content.slice(at, at + size));
      at += size;
    }
    decoder.write(bytes("\r\n"));
    assertEquals(replies.length, 1);
    assertEquals(replies[0] === reference.decode(content), true);
  }
});
