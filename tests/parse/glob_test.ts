import { assertEquals } from "@std/assert";
import fc from "npm:fast-check@4.10.2";
import { escapeGlob, isPattern, matchGlob } from "../../parse/mod.ts";
import { binary, utf8 } from "./texts.ts";

// Each was decided by a server: Redis 7.0.15 on x86-64.
const rows: [pattern: string, text: string, matches: boolean][] = [
  ["", "", true],
  ["", "a", false],
  ["*", "", false],
  ["**", "", false],
  ["*", "a\n\0", true],
  ["a*", "a", true],
  ["a**", "a", true],
  ["*a*b*c*", "xxaxxbxxcxx", true],
  ["*a*b*c*", "xxaxxcxxbxx", false],
  ["a*a", "a", false],
  ["*aab", "aaaab", true],
  ["?", "", false],
  ["?", "é", false],
  ["??", "é", true],
  ["a?c", "abc", true],
  ["[abc]", "b", true],
  ["[abc]", "d", false],
  ["[^abc]", "d", true],
  ["[^abc]", "b", false],
  ["[a-c]", "b", true],
  ["[c-a]", "b", true],
  ["[a-c]", "-", false],
  ["[a-c-e]", "d", false],
  ["[a-c-e]", "e", true],
  ["[-a]", "-", true],
  ["[a-]", "^", true],
  ["[a-]", "b", false],
  ["[a\\-c]", "b", false],
  ["[a\\-c]", "-", true],
  ["[\\]]", "]", true],
  ["[\\\\]", "\\", true],
  ["[\\", "\\", true],
  ["[]", "]", false],
  ["[]a]", "a]", false],
  ["[^]", "q", true],
  ["[^]", "", false],
  ["[", "[", false],
  ["[^", "z", true],
  ["[abc", "a", true],
  ["[abc", "[abc", false],
  ["[a-c", "b", true],
  ["[a-", "-", true],
  ["x[", "x", false],
  ["x[", "x[", false],
  ["\\", "\\", true],
  ["a\\", "a\\", true],
  ["\\a", "a", true],
  ["\\a", "\\a", false],
  ["\\*", "*", true],
  ["\\*", "a", false],
  ["a\\?c", "abc", false],
  ["]", "]", true],
  ["a]", "a]", true],
];

Deno.test("a pattern matches what the servers say it matches", () => {
  for (const [pattern, text, matches] of rows) {
    assertEquals(matchGlob(pattern, text), matches, `${pattern} on ${JSON.stringify(text)}`);
    assertEquals(matchGlob(utf8(pattern), utf8(text)), matches);
  }
});

Deno.test("bytes from 0x80 come before the others in a range", () => {
  const rows: [string, string, boolean][] = [
    ["[\x01-\xff]", "\x80", false],
    ["[\x01-\xff]", "\xff", true],
    ["[\x01-\xff]", "\x00", true],
    ["[\x80-\xff]", "\x90", true],
    ["[a-\xff]", "z", false],
    ["[a-\xff]", "A", true],
  ];
  for (const [pattern, text, matches] of rows) {
    assertEquals(matchGlob(binary(pattern), binary(text)), matches, JSON.stringify(pattern));
  }
});

Deno.test("a pattern that is made to be slow is matched quickly", () => {
  const text = "a".repeat(2000);
  assertEquals(matchGlob("a*".repeat(900) + "b", text), false);
  assertEquals(matchGlob("*".repeat(50_000) + "b", text), false);
  assertEquals(isPattern("[".repeat(1_000_000)), false);
  assertEquals(isPattern("\\".repeat(1_000_001)), false);
});

Deno.test("a pattern is what has a glob that is not escaped", () => {
  const patterns = [
    "*",
    "a*",
    "?",
    "[a]",
    "[^]",
    "[[]",
    "a\\\\*",
    "[a\\]b]",
    "\\[a]*",
    "[]*",
    "é*",
  ];
  const names = [
    "",
    "a",
    "\\*",
    "\\?",
    "\\[a]",
    "[a\\]",
    "[a",
    "]a[",
    "]a[b",
    "[]",
    "form[]",
    "a]",
    "\\",
    "a\\\\\\*",
    "^-",
    "é",
  ];
  for (const text of patterns) {
    assertEquals([isPattern(text), isPattern(utf8(text))], [true, true], text);
  }
  for (const text of names) {
    assertEquals([isPattern(text), isPattern(utf8(text))], [false, false], text);
  }
});

Deno.test("an escaped text is not a pattern, and as one matches only itself", () => {
  assertEquals(escapeGlob("a*?[]\\é^-"), "a\\*\\?\\[\\]\\\\é^-");
  const bytes = fc.array(
    fc.oneof(fc.constantFrom(...utf8("*?[]\\^-")), fc.integer({ min: 0, max: 255 })),
    { maxLength: 12 },
  ).map((array) => Uint8Array.from(array));
  fc.assert(
    fc.property(bytes, bytes, (text, other) => {
      const escaped = escapeGlob(text);
      assertEquals(isPattern(escaped), false);
      assertEquals(matchGlob(escaped, text), true);
      assertEquals(matchGlob(escaped, other), text.join() === other.join());
    }),
    { numRuns: 1000, seed: 1 },
  );
});
