import type { Mutant } from "./mutant.ts";

/** Breakages of `bytes/`. */
export const bytes: readonly Mutant[] = [
  {
    name: "takes one text for another that differs in the middle",
    file: "bytes/text.ts",
    before: "|| slots[place + 1] !== high",
    after: "",
    tests: ["tests/bytes/text_test.ts", "--filter=never taken for one another"],
  },
  {
    name: "takes what is not ASCII for ASCII in a short array",
    file: "bytes/text.ts",
    before: "all |= bytes[i]!;",
    after: "all |= bytes[start]!;",
    tests: ["tests/bytes/utf8_test.ts"],
  },
  {
    name: "decodes surrogates without a decoder of the runtime",
    file: "bytes/utf8.ts",
    before: "first === 0xed ? 0x9f",
    after: "first === 0xed ? 0xbf",
    tests: ["tests/bytes/utf8_test.ts"],
  },
  {
    name: "takes two invalid bytes for one without a decoder of the runtime",
    file: "bytes/utf8.ts",
    before: "first < 0xc2 ||",
    after: "first < 0xc0 ||",
    tests: ["tests/bytes/utf8_test.ts"],
  },
  {
    name: "encodes a lone surrogate as nothing valid without an encoder of the runtime",
    file: "bytes/utf8.ts",
    before: 'text.replace(isolated, "\\ufffd")',
    after: 'text.replace(isolated, "?")',
    tests: ["tests/bytes/utf8_test.ts"],
  },
];
