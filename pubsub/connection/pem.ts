import { toBytes } from "../../bytes/to_bytes.ts";

/** The text between two PEM markers. */
interface Block {
  readonly label: string;
  readonly body: string;
}

const CERTIFICATE = /^(?:X509 )?CERTIFICATE$/;
const PRIVATE_KEY = /^(?:(?:RSA|EC|DSA) )?PRIVATE KEY$/;
const MARKER = /-----\s*(BEGIN|END)\s*([A-Z0-9 ]+?)\s*-----/g;
/** Matches line breaks, also as environment variables write them. */
const BREAK = /\\+[rn]|\s+/g;
const WHOLE = "give the whole content of the PEM file";

/** Makes the error that says why a value cannot be used, and what to do about it. */
type Fail = (why: string, advice: string) => TypeError;

/**
 * Reads certificates or a key without the runtime's help. Each runtime gets the same text, and damage
 * is found before anything is dialled.
 *
 * A byte order mark, line breaks of any kind or written as `\n`, and text around the blocks are
 * accepted.
 *
 * @param name the field
 * @param value the caller's value
 * @param option the name of the options for TLS, for messages
 * @returns PEM text of the certificates or the key alone
 * @throws {TypeError} if it is damaged or of another kind; the message repeats no part of it
 */
export function readPem(name: "ca" | "cert" | "key", value: unknown, option: string): string {
  const fail: Fail = (why, advice) =>
    new TypeError(`Cannot use the option ${option}.${name}: ${why}; ${advice}`);
  if (name === "ca" && Array.isArray(value)) {
    if (value.length > 0) return value.map((one) => readPem(name, one, option)).join("");
    throw fail("the list is empty", "leave it out, or give a certificate");
  }
  const blocks = readBlocks(textOf(value, fail), fail);
  const isKey = name === "key";
  const wanted = blocks.filter(({ label }) => (isKey ? PRIVATE_KEY : CERTIFICATE).test(label));
  const what = isKey ? "private key" : "certificate";
  if (isKey && blocks.some(isEncrypted)) throw fail("it is encrypted", "give it decrypted");
  if (wanted.length === 0) {
    const found = [...new Set(blocks.map(({ label }) => `"${label}"`))].join(" and ");
    throw fail(`there is no ${what} in it but ${found}`, `give the PEM file of the ${what}`);
  }
  if (isKey && wanted.length > 1) {
    throw fail(`there are ${wanted.length} private keys in it`, "give that of the certificate");
  }
  return wanted.map(({ label, body }, index) => {
    const which = wanted.length === 1 ? `the ${what}` : `${what} ${index + 1}`;
    const lines = readBase64(body, which, fail).match(/.{1,64}/g)!.join("\n");
    const plainLabel = isKey ? label : "CERTIFICATE";
    return `-----BEGIN ${plainLabel}-----\n${lines}\n-----END ${plainLabel}-----\n`;
  }).join("");
}

function textOf(value: unknown, fail: Fail): string {
  const text = typeof value === "string" ? value : new TextDecoder().decode(bytesOf(value, fail));
  if (!/\S/.test(text)) throw fail("it is empty", WHOLE);
  return text;
}

function bytesOf(value: unknown, fail: Fail): Uint8Array {
  try {
    return toBytes(value);
  } catch {
    throw fail("it is neither text nor bytes that are still there", WHOLE);
  }
}

function readBlocks(text: string, fail: Fail): Block[] {
  const markers = [...text.matchAll(MARKER)];
  if (markers.length === 0) {
    if (/[\0\uFFFD]/.test(text)) {
      throw fail(
        "it is binary (DER, PKCS#12 or UTF-16) rather than PEM text",
        "convert it to PEM",
      );
    }
    if (/^\s*LS0tLS1CRUdJTi/.test(text)) throw fail("it is PEM in base64", "decode it first");
    if (text.includes("BEGIN")) throw fail("its BEGIN line is damaged", WHOLE);
    throw fail("it is not PEM text", "read the file, and give what is in it");
  }
  const blocks: Block[] = [];
  for (let at = 0; at < markers.length; at += 2) {
    const [begin, end] = [markers[at]!, markers[at + 1]];
    const [line, kind, label] = begin;
    if (kind === "END") throw fail(`it has an END line of "${label}" without a BEGIN line`, WHOLE);
    if (end?.[1] !== "END" || end[2] !== label) {
      throw fail(`it is truncated: a "${label}" has no END line`, WHOLE);
    }
    blocks.push({ label: label!, body: text.slice(begin.index + line.length, end.index) });
  }
  return blocks;
}

/** PKCS #8 marks encryption in the label, older formats in a header. */
function isEncrypted({ label, body }: Block): boolean {
  return label.includes("ENCRYPTED") || body.includes("ENCRYPTED");
}

function readBase64(body: string, which: string, fail: Fail): string {
  const base64 = body.replace(BREAK, "");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    throw fail(`${which} has characters that are not base64`, WHOLE);
  }
  if (base64.length % 4 !== 0 || !isOneSequence(atob(base64))) {
    throw fail(`${which} is damaged or incomplete`, WHOLE);
  }
  return base64;
}

/** Whether these bytes are one DER sequence, as every certificate and key is. */
function isOneSequence(bytes: string): boolean {
  if (bytes.charCodeAt(0) !== 0x30) return false;
  const first = bytes.charCodeAt(1);
  const header = first < 0x80 ? 2 : 2 + (first & 0x7f);
  let length = first < 0x80 ? first : 0;
  for (let at = 2; at < header; at++) length = length * 256 + bytes.charCodeAt(at);
  return bytes.length === header + length;
}
