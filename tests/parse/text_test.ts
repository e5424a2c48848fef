import { assertEquals } from "@std/assert";
import { decodeText, isExact } from "../../parse/text.ts";
import { binary, utf8 } from "./texts.ts";

Deno.test("bytes become text, at any length and place", () => {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (let length = 0; length < 200; length++) {
    for (const filling of ["a", "é", "用", "😀", "\ufeff", "\ufffd", "\0"]) {
      const text = filling.repeat(length).slice(0, length);
      const bytes = utf8(`<${text}>`);
      const [start, end] = [1, bytes.length - 1];
      const wanted = decoder.decode(bytes.subarray(start, end));
      assertEquals(decodeText(bytes, start, end), wanted);
      assertEquals(isExact, !wanted.includes("\ufffd"));
    }
  }
});

Deno.test("bytes that are not UTF-8 show as U+FFFD and are known for it", () => {
  for (const bytes of ["\xff", "a\xe9", "\xc3", "\xed\xa0\x80", "a".repeat(100) + "\x80"]) {
    assertEquals(decodeText(binary(bytes)).includes("\ufffd"), true);
    assertEquals(isExact, false);
  }
});
