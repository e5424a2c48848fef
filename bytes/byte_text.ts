/** The most arguments of a call; engines take more, but not any number. */
const STEP = 1024;

/**
 * Returns a text with one character for each byte, so that equal bytes have equal texts.
 *
 * Appended character by character, a text would be a tree of all additions for as long as it lives.
 */
export function byteText(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += STEP) {
    text += String.fromCharCode(...bytes.subarray(start, start + STEP));
  }
  return text;
}

/** Reverts {@linkcode byteText}. */
export function fromByteText(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
