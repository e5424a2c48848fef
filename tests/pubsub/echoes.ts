/** Passwords, and how servers that are honest, careless or hostile repeat them. */
import { Random } from "../random.ts";

const ALPHABETS: Readonly<Record<string, readonly string[]>> = {
  digits: [..."0123456789"],
  token: [..."ABCDEFGHJKQXZabcdefghjkqxz0123456789"],
  marks: [..."!#$%^&*()[]{}<>|~.,:;/?=+-_"],
  awkward: [..."\"'`\\ \t\r\n@:/%qzxj7"],
  letters: [..."äöüßéжщыЯ字键盘ÀÉ"],
  pictures: [..."🔑🔒🗝🔓🧿🪬"],
};

/** Generated ones: short, as long as tokens, of every alphabet. */
function* generated(): Iterable<string> {
  const random = new Random(7);
  for (const letters of Object.values(ALPHABETS)) {
    for (const length of [4, 5, 8, 13, 32, 127, 130, 600]) {
      yield Array.from({ length }, () => random.pick(letters)).join("");
    }
  }
}

/** Those that are not generated are what people use. */
export const PASSWORDS: readonly string[] = [
  ...generated(),
  "q7Z",
  "xq",
  "hunter2hunter2",
  "correct horse battery staple",
  "p@ss:w/rd?#",
  "a\nb\nc\nd\ne",
  "' 'quoted' '",
];

const utf8 = new TextEncoder();
/** As Redis prints arguments in errors: newlines become spaces, 128 bytes at most. */
const argument = (text: string) => text.slice(0, 128).replace(/[\r\n]/g, " ");
/** As `sdscatrepr` does it. */
const repr = (text: string) =>
  Array.from(utf8.encode(text), (byte) => {
    const letter = String.fromCharCode(byte);
    if ('"\\'.includes(letter)) return `\\${letter}`;
    if (letter === "\n") return "\\n";
    if (letter === "\r") return "\\r";
    if (letter === "\t") return "\\t";
    return byte >= 0x20 && byte < 0x7f ? letter : `\\x${byte.toString(16).padStart(2, "0")}`;
  }).join("");

/** What a server answers that was sent a password. */
export const ECHOES: Readonly<Record<string, (password: string) => string>> = {
  "Redis 7": (p) =>
    `ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' '${argument(p)}' `,
  "Redis 5": (p) =>
    `ERR unknown command \`HELLO\`, with args beginning with: \`3\`, \`${argument(p)}\`, `,
  "AUTH alone": (p) => `ERR unknown command 'AUTH', with args beginning with: '${argument(p)}' `,
  "other words": (p) => `ERR unknown command 'HELLO' with args: [3 AUTH default ${argument(p)}]`,
  "plain": (p) => `ERR cannot use ${argument(p)}`,
  "as the code": (p) => `${argument(p)} is not known`,
  "alone": (p) => argument(p),
  "quoted": (p) => `ERR invalid argument "${repr(p)}" for HELLO`,
  "in JSON": (p) => `ERR ${JSON.stringify({ auth: ["default", argument(p)] })}`,
  "a URL": (p) => `ERR redis://default:${encodeURIComponent(p.replace(/\p{Cs}/gu, ""))}@host`,
  "capitals": (p) => `ERR cannot use ${argument(p).toUpperCase()}`,
  "small": (p) => `ERR cannot use ${argument(p).toLowerCase()}`,
  "spread": (p) => `ERR cannot use ${[...argument(p)].join("-")}`,
  "with marks of no width": (p) => `ERR cannot use ${[...argument(p)].join("\u200b")}`,
  "in two arguments": (p) => `ERR '${p.slice(0, 6)}' '${p.slice(6, 100)}'`,
  "its head": (p) => `ERR cannot use ${p.slice(0, 6)}`,
  "its tail": (p) => `ERR cannot use ${argument(p.slice(-6))}`,
  "behind much": (p) => `ERR ${"so ".repeat(60)}${argument(p)}`,
  "behind too much": (p) => `ERR ${"so ".repeat(1e5)}${argument(p)}`,
  "many lines": (p) => `ERR no\r\x1b[2J\n${argument(p)}`,
};

/**
 * What of a password stands in a text, whatever the library thinks of it: any four characters that
 * follow each other, or all of a shorter one by itself.
 */
export function leaksOf(text: string, password: string): string[] {
  const all = text.toLowerCase();
  const lower = password.toLowerCase();
  if (password.length < 4) {
    const words = all.split(/[^\p{L}\p{N}]/u);
    return words.filter((word) => word === lower);
  }
  const leaks: string[] = [];
  for (let at = 0; at + 4 <= lower.length; at++) {
    const part = lower.slice(at, at + 4);
    if (all.includes(part) && !KNOWN.includes(part)) leaks.push(part);
  }
  return leaks;
}

/** Parts of passwords may stand in these by chance. */
const KNOWN =
  "err unknown command 'hello' (not shown, because it may repeat the password) cannot use so so so servererror at https://jsr.io file:///";
