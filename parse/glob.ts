import { decodeText, toBytes } from "./text.ts";

const STAR = 42;
const DASH = 45;
const QUESTION = 63;
const OPEN = 91;
const BACKSLASH = 92;
const CLOSE = 93;
const CARET = 94;

/** The servers give up on a pattern after this many runs of `*`, whatever the text. */
const MAX_STARS = 1000;

/** Whether a backslash before this byte is there to take its meaning away. */
function isSpecial(byte: number | undefined): boolean {
  return byte === STAR || byte === QUESTION || byte === OPEN || byte === BACKSLASH ||
    byte === CLOSE;
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
  const bytes = toBytes(text);
  let open = -1;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === BACKSLASH) i++;
    else if (byte === STAR || byte === QUESTION) return true;
    else if (byte === OPEN && open < 0) open = i;
    else if (byte === CLOSE && open >= 0) {
      if (i > open + 1) return true;
      open = -1;
    }
  }
  return false;
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
  const out: number[] = [];
  for (const byte of toBytes(text)) {
    if (isSpecial(byte)) out.push(BACKSLASH);
    out.push(byte);
  }
  const bytes = Uint8Array.from(out);
  return typeof text === "string" ? decodeText(bytes) : bytes;
}

/** Takes back {@linkcode escapeGlob}. A backslash before any other character stays. */
export function unescapeGlob(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === BACKSLASH && isSpecial(bytes[i + 1])) i++;
    out.push(bytes[i]!);
  }
  return Uint8Array.from(out);
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
  const glob = toBytes(pattern);
  const bytes = toBytes(text);
  let g = 0;
  let t = 0;
  // Only the last `*` seen needs another try: had an earlier one to take more, the last could too.
  let retryGlob = -1;
  let retryText = 0;
  let stars = 0;
  while (t < bytes.length) {
    if (glob[g] === STAR) {
      while (glob[g + 1] === STAR) g++;
      if (++g === glob.length) return true;
      if (++stars > MAX_STARS) return false;
      retryGlob = g;
      retryText = t;
      continue;
    }
    const next = g < glob.length ? matchOne(glob, g, bytes[t]!) : -1;
    if (next >= 0) {
      g = next;
      t++;
    } else if (retryGlob >= 0) {
      g = retryGlob;
      t = ++retryText;
    } else {
      return false;
    }
  }
  if (t > 0) { while (glob[g] === STAR) g++; }
  return g === glob.length;
}

/** Matches one byte at `g`, which is no `*`: the place after what matched it, or -1. */
function matchOne(glob: Uint8Array, g: number, byte: number): number {
  let char = glob[g]!;
  if (char === QUESTION) return g + 1;
  if (char === BACKSLASH && g + 1 < glob.length) char = glob[++g]!;
  else if (char === OPEN) return matchClass(glob, g + 1, byte);
  return char === byte ? g + 1 : -1;
}

function matchClass(glob: Uint8Array, g: number, byte: number): number {
  const negated = glob[g] === CARET;
  if (negated) g++;
  let found = false;
  for (; g < glob.length && glob[g] !== CLOSE; g++) {
    if (glob[g] === BACKSLASH && g + 1 < glob.length) {
      g++;
    } else if (glob[g + 1] === DASH && g + 2 < glob.length) {
      const from = signed(glob[g]!);
      const to = signed(glob[g += 2]!);
      const at = signed(byte);
      if (at >= Math.min(from, to) && at <= Math.max(from, to)) found = true;
      continue;
    }
    if (glob[g] === byte) found = true;
  }
  return found === negated ? -1 : Math.min(g + 1, glob.length);
}

function signed(byte: number): number {
  return byte << 24 >> 24;
}
