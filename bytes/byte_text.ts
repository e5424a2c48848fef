/** How many arguments a call is given at most; engines take more, but not any number. */
const STEP = 1024;

/**
 * Bytes as a text of one character for each, so that the same bytes give the same text, whatever
 * they are, and others another.
 *
 * Character by character an engine keeps a tree of every addition for as long as the text lives: the
 * names of 10,000 channels took 2 kB each so, in place of 100 bytes.
 */
export function byteText(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += STEP) {
    text += String.fromCharCode(...bytes.subarray(start, start + STEP));
  }
  return text;
}

/** Takes back {@linkcode byteText}. */
export function fromByteText(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
