import { BACKSLASH, CARET, CLOSE, DASH, OPEN, QUESTION, STAR } from "./constants.ts";
import { byteText, fromByteText } from "../bytes/byte_text.ts";
import { toBytes } from "../bytes/to_bytes.ts";

/** Returns bytes as text with one character for each byte, so that regular expressions see bytes. */
export function toBinary(value: string | Uint8Array, place?: number): string {
  return byteText(toBytes(value, place));
}

/**
 * Returns whether a text contains a glob: `*`, `?` or a class in brackets, not escaped by a backslash.
 *
 * An unclosed `[` and the empty class `[]` do not count. Servers read them as classes, but a text with
 * them and no other glob is more likely a name, such as `form[]`.
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
 * Escapes all glob characters with backslashes. As a pattern, the result matches exactly the text.
 *
 * @param text Any text or bytes.
 * @returns Text for text, bytes for bytes.
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

/** Reverts {@linkcode escapeGlob}. Keeps backslashes before other characters. */
export function unescapeGlob(text: string): string {
  return text.replace(/\\([*?[\]\\])/g, "$1");
}

/**
 * Returns whether a pattern matches a whole text, as servers decide for `PSUBSCRIBE` and `KEYS`.
 *
 * Bytes are compared, so `?` is one byte. As on servers: an unclosed `[` is a class that ends with the
 * pattern; `[]` matches nothing, `[^]` any byte; only the empty pattern matches the empty text; in
 * ranges, bytes from 0x80 are negative (seen on x86-64). The time is at most proportional to the product of both lengths.
 *
 * @param pattern The glob.
 * @param text A channel or a key, for example.
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
  // Only the last `*` is retried: if an earlier one could take more, so could the last.
  let retryGlob = 0;
  let retryText = 0;
  while (t < bytes.length) {
    if (glob[g] === STAR) {
      while (glob[g] === STAR) g++;
      if (g === glob.length) return true;
      retryGlob = g;
      retryText = t;
    } else {
      const next = matchByte(glob, g, bytes[t]!);
      if (next) {
        g = next;
        t++;
      } else if (retryGlob) {
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

/** Matches one byte against the glob at `g`. Returns the index after that part of the glob, or 0. */
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
