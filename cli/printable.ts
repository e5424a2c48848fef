const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text that a terminal shows and does not obey; bytes that are not UTF-8 as `\xhh`. */
export function printable(value: string | Uint8Array): string {
  return escapeControls(typeof value === "string" ? value : decodeOrEscape(value));
}

/** Bytes as text; null when they are not UTF-8. */
export function decodeStrict(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

function decodeOrEscape(bytes: Uint8Array): string {
  return decodeStrict(bytes) ??
    Array.from(bytes, (byte) => byte < 0x80 ? String.fromCharCode(byte) : escapeByte(byte)).join(
      "",
    );
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Escapes controls, the marks that hide or turn text, and line separators. */
function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (mark) => {
    const code = mark.codePointAt(0)!;
    return SHORT_ESCAPES[mark] ?? (code < 0x100 ? escapeByte(code) : `\\u{${code.toString(16)}}`);
  });
}

function escapeByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
