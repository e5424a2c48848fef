import { assertEquals } from "@std/assert";
import { decodeText, isAscii, makeText } from "../../bytes/text.ts";
import { decodePlainly, decodeUtf8, encodePlainly, encodeUtf8 } from "../../bytes/utf8.ts";
import { Random } from "../random.ts";
import { mixedText } from "../resp/texts.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

const DECODERS = { decodeText, makeText, decodeUtf8, decodePlainly };

/** Checks that all decoders agree with the runtime's, at a place within a larger array. */
function checkDecoders(content: Uint8Array): void {
  const expected = decoder.decode(content);
  const end = 4 + content.length;
  // Few bytes are read one by one, and more of them in words.
  for (const size of [end + 5, end + 300]) {
    const bytes = new Uint8Array(size).fill(0xbf);
    bytes.set(content, 4);
    for (const [name, decode] of Object.entries(DECODERS)) {
      assertEquals(decode(bytes, 4, end), expected, `${name} of ${content.join()}`);
    }
    assertEquals(isAscii(bytes, 4, end), content.every((byte) => byte < 128));
  }
}

Deno.test("random bytes become the text that TextDecoder makes of them", () => {
  const random = new Random(16);
  for (let i = 0; i < 5_000; i++) {
    // Mostly bytes that occur in UTF-8, so that many sequences are nearly right.
    const ranges: [number, number][] = [[0, 255], [0x80, 0xbf], [0xc0, 0xff], [0xe0, 0xf4]];
    const content = Uint8Array.from(
      { length: random.below(i % 50 === 0 ? 3_000 : 12) },
      () => random.between(...random.pick(ranges)),
    );
    checkDecoders(content);
  }
});

Deno.test("text with characters of every length becomes the text that TextDecoder makes of it", () => {
  const random = new Random(17);
  for (let length = 0; length < 200; length++) {
    for (let i = 0; i < 10; i++) checkDecoders(mixedText(random, length));
  }
});

Deno.test("every sequence of two bytes becomes the text that TextDecoder makes of it", () => {
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      const content = Uint8Array.of(first, second);
      assertEquals(decodePlainly(content, 0, 2), decoder.decode(content));
      assertEquals(decodeText(content), decoder.decode(content));
    }
  }
});

Deno.test("text becomes the bytes that TextEncoder makes of it, lone surrogates included", () => {
  const random = new Random(18);
  const parts = [
    "",
    "a",
    "%",
    "%41",
    "é",
    "字",
    "😀",
    "\ufeff",
    "\0",
    "\ud800",
    "\udfff",
    "\udc00a",
  ];
  for (let i = 0; i < 2_000; i++) {
    const text = Array.from({ length: random.below(8) }, () => random.pick(parts)).join("");
    const expected = encoder.encode(text);
    assertEquals(encodePlainly(text), expected);
    assertEquals(encodeUtf8(text), expected);
  }
});
