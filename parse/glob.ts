import { BACKSLASH, CARET, CLOSE, DASH, MAX_STARS, OPEN, QUESTION, STAR } from "./constants.ts";
import { byteText, fromByteText } from "../bytes/byte_text.ts";
import { toBytes } from "../bytes/to_bytes.ts";

/** Bytes as text with one character for each byte, so that patterns can be laid against them. */
export function toBinary(value: string | Uint8Array, place?: number): string {
  return byteText(toBytes(value, place));
}

/**
 * Whether a text holds a glob: `*`, `?` or a class in brackets, not escaped by a backslash.
 *
 * A `[` that no `]` closes and the empty class `[]` do not count. To a server they are classes too,
 * but a text with them and no other glob is far more likely a name, such as `form[]`.
 *
 * @param text A key, an event or a whole channel.
 *
 * @example
 * ```ts
 * import { isPattern } from "@keywatch/keywatch/parse";
 *
 * isPattern("user:*"); // true
 * isPattern("user:\\*"); // false
 * ```
 */
export function isPattern(text: string | Uint8Array): boolean {
  const bare = toBinary(text).replace(/\\./gs, "_");
  return /[*?]/.test(bare) || /\[[^\]]/.test(bare.slice(0, bare.lastIndexOf("]") + 1));
}

/**
 * Puts a backslash before each character that means something in a glob, so that the result as a
 * pattern matches exactly the text given.
 *
 * @param text Any text or bytes.
 * @returns The same kind as was given.
 *
 * @example
 * ```ts
 * import { escapeGlob } from "@keywatch/keywatch/parse";
 *
 * escapeGlob("cart[1]*"); // "cart\\[1\\]\\*"
 * ```
 */
export function escapeGlob<T extends string | Uint8Array>(text: T): T;
export function escapeGlob(text: string | Uint8Array): string | Uint8Array {
  return typeof text === "string"
    ? text.replace(/[*?[\]\\]/g, "\\$&")
    : fromByteText(escapeGlob(toBinary(text)));
}

/** Takes back {@linkcode escapeGlob}. A backslash before any other character stays. */
export function unescapeGlob(text: string): string {
  return text.replace(/\\([*?[\]\\])/g, "$1");
}

/**
 * Whether a pattern matches a whole text, as the servers decide it for `PSUBSCRIBE` and `KEYS`.
 *
 * Bytes are compared, not characters: `?` is one byte. Of what the servers do and one might not
 * expect: `[` without its `]` is a class that ends with the pattern; `[]` matches nothing and `[^]`
 * any byte; nothing but the empty pattern matches the empty text; in a range bytes from 0x80 count
 * as negative (seen on x86-64); a pattern with more than 1,000 `*` that are not at its end matches
 * nothing. The time taken is at most the product of the two lengths.
 *
 * @param pattern The glob.
 * @param text What it is laid against, such as a channel or a key.
 *
 * @example
 * ```ts
 * import { matchGlob } from "@keywatch/keywatch/parse";
 *
 * matchGlob("user:[0-9]*", "user:42"); // true
 * ```
 */
export function matchGlob(pattern: string | Uint8Array, text: string | Uint8Array): boolean {
  // Signed, as the servers' ranges compare them.
  const glob = new Int8Array(toBytes(pattern));
  const bytes = new Int8Array(toBytes(text, 1));
  let g = 0;
  let t = 0;
  // Only the last `*` gets another try: had an earlier one to take more, the last could as well.
  let retryGlob = 0;
  let retryText = 0;
  let stars = 0;
  while (t < bytes.length) {
    if (glob[g] === STAR) {
      while (glob[g] === STAR) g++;
      if (g === glob.length) return true;
      if (++stars > MAX_STARS) return false;
      retryGlob = g;
      retryText = t;
    } else {
      const next = matchByte(glob, g, bytes[t]!);
      if (next) {
        g = next;
        t++;
      } else if (stars) {
        g = retryGlob;
        t = ++retryText;
      } else {
        return false;
      }
    }
  }
  while (t && glob[g] === STAR) g++;
  return g >= glob.length;
}

/** Lays one byte against what stands at `g`: the place after that, past the end if unclosed, or 0. */
function matchByte(glob: Int8Array, g: number, byte: number): number {
  let from = glob[g++];
  if (from === QUESTION) return g;
  if (from !== OPEN) {
    if (from === BACKSLASH && g < glob.length) from = glob[g++];
    return from === byte ? g : 0;
  }
  const negated = glob[g] === CARET;
  if (negated) g++;
  let found = false;
  for (; g < glob.length && glob[g] !== CLOSE; g++) {
    from = glob[g];
    if (from === BACKSLASH && g + 1 < glob.length) from = glob[++g];
    else if (glob[g + 1] === DASH && g + 2 < glob.length) g += 2;
    if ((byte - from!) * (byte - glob[g]!) <= 0) found = true;
  }
  return found === negated ? 0 : g + 1;
}
