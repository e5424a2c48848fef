import type { Random } from "../random.ts";
import { bytes } from "./harness.ts";

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

/** Bytes that are mostly text, of about that length. */
export function mixedText(random: Random, length: number): Uint8Array {
  const bytes: number[] = [];
  const foreign = random.below(3);
  for (let i = 0; i < length; i++) {
    const ascii = foreign === 0 || random.below(8) > foreign;
    if (ascii) bytes.push(random.below(128));
    else bytes.push(...random.pick(PARTS));
  }
  return Uint8Array.from(bytes);
}
