import { fromByteText } from "./byte_text.ts";

/** Makes text of `this[start..end)`. */
type Slice = (this: Uint8Array, start: number, end: number) => string;

/** What a runtime offers for text, or `null` for what it does not offer. */
const encoder: TextEncoder | null = /* @__PURE__ */ makeEncoder();
const decoder: TextDecoder | null = /* @__PURE__ */ makeDecoder();
const slices: { readonly utf8: Slice; readonly latin1: Slice } | null =
  /* @__PURE__ */ findSlices();

function makeEncoder(): TextEncoder | null {
  return typeof TextEncoder === "undefined" ? null : new TextEncoder();
}

function makeDecoder(): TextDecoder | null {
  return typeof TextDecoder === "undefined" ? null : new TextDecoder("utf-8", { ignoreBOM: true });
}

/** Finds the methods by which a `Buffer` makes text; they are the fastest for short texts. */
function findSlices(): typeof slices {
  const { Buffer } = globalThis as {
    Buffer?: { prototype?: { utf8Slice?: Slice; latin1Slice?: Slice } };
  };
  const { utf8Slice: utf8, latin1Slice: latin1 } = Buffer?.prototype ?? {};
  if (utf8 === undefined || latin1 === undefined) return null;
  // A polyfill under these names must do the same.
  try {
    const text = "\ufeffgröße 字 😀";
    const sample = encodeUtf8(`<${text}>`);
    const isSame = utf8.call(sample, 1, sample.length - 1) === text &&
      latin1.call(sample, 0, 1) === "<";
    return isSame ? { utf8, latin1 } : null;
  } catch {
    return null;
  }
}

/** Returns the UTF-8 of a text. A lone surrogate becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder === null ? encodePlainly(text) : encoder.encode(text);
}

/** Returns the text of `bytes[start..end)`. Invalid UTF-8 becomes U+FFFD, as in `TextDecoder`. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  if (slices !== null) return slices.utf8.call(bytes, start, end);
  return decoder === null
    ? decodePlainly(bytes, start, end)
    : decoder.decode(bytes.subarray(start, end));
}

/** Returns the text of `bytes[start..end)`, which must be ASCII. */
export function decodeAscii(bytes: Uint8Array, start: number, end: number): string {
  return slices === null ? decodeUtf8(bytes, start, end) : slices.latin1.call(bytes, start, end);
}

/** Whether the runtime's own way is the faster one for texts of more than one character. */
export const isNativeFast: boolean = /* @__PURE__ */ findOutIfNativeIsFast();

function findOutIfNativeIsFast(): boolean {
  // The errors of JavaScriptCore have a property that those of V8 lack.
  return slices !== null && "sourceURL" in new Error();
}

/** As {@linkcode encodeUtf8}, for engines that have nothing but the language. */
export function encodePlainly(text: string): Uint8Array<ArrayBuffer> {
  const isolated = /\p{Surrogate}/gu;
  const escaped = encodeURIComponent(text.replace(isolated, "\ufffd"));
  const unescaped = escaped.replace(/%(..)/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return fromByteText(unescaped);
}

/** As {@linkcode decodeUtf8}, for engines that have nothing but the language. */
export function decodePlainly(bytes: Uint8Array, start: number, end: number): string {
  const characters: string[] = [];
  for (let at = start; at < end;) {
    const first = bytes[at++]!;
    const following = first < 0xc2 || first > 0xf4 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    // The second byte is limited further: no overlong forms, no surrogates, nothing past U+10FFFF.
    let least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    let most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    let code = first & 0x7f >> (following && following + 1);
    let missing = following;
    while (missing && at < end && bytes[at]! >= least && bytes[at]! <= most) {
      code = code << 6 | bytes[at++]! & 0x3f;
      missing--;
      least = 0x80;
      most = 0xbf;
    }
    const isInvalid = missing || first > 0x7f && !following;
    characters.push(String.fromCodePoint(isInvalid ? 0xfffd : code));
  }
  return characters.join("");
}
