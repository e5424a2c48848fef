/** What a command is made of. Numbers and bigints are written in decimal. */
export type CommandArgument = string | Uint8Array | number | bigint;

const CR = 13;
const LF = 10;
const ARRAY = 42;
const BULK = 36;
const ZERO = 48;

const utf8 = new TextEncoder();

/**
 * Lays a command out as the array of bulk strings a server takes.
 *
 * @param args The name of the command and its arguments. Strings are written as UTF-8.
 * @returns The bytes, in a buffer of their own.
 * @throws {TypeError} When there is nothing to send, or an argument cannot be encoded (`undefined`,
 * `null`, `NaN`, an infinity, an object): the message names its place, the command's name being 0.
 *
 * @example
 * ```ts
 * import { encodeCommand } from "@keywatch/keywatch/resp";
 *
 * encodeCommand(["SET", "key", 7]); // *3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$1\r\n7\r\n
 * ```
 */
export function encodeCommand(args: readonly CommandArgument[]): Uint8Array<ArrayBuffer> {
  const parts = measure(args, "");
  const bytes = new Uint8Array(parts.size);
  write(parts, bytes, 0);
  return bytes;
}

/**
 * Lays many commands out in one buffer, to be sent in one write.
 *
 * @param commands The commands, each as for {@linkcode encodeCommand}.
 * @returns The bytes, in a buffer of their own; none for no commands.
 * @throws {TypeError} As {@linkcode encodeCommand}; the message names the command's place too.
 *
 * @example
 * ```ts
 * import { encodePipeline } from "@keywatch/keywatch/resp";
 *
 * encodePipeline([["MULTI"], ["INCR", "a"], ["EXEC"]]);
 * ```
 */
export function encodePipeline(
  commands: readonly (readonly CommandArgument[])[],
): Uint8Array<ArrayBuffer> {
  const all = commands.map((args, i) => measure(args, ` of command ${i}`));
  const bytes = new Uint8Array(all.reduce((size, parts) => size + parts.size, 0));
  let at = 0;
  for (const parts of all) at = write(parts, bytes, at);
  return bytes;
}

/** A command whose length on the wire is known, so that one allocation holds it. */
interface Measured {
  readonly args: readonly (string | Uint8Array)[];
  readonly lengths: readonly number[];
  readonly size: number;
}

function measure(args: readonly CommandArgument[], where: string): Measured {
  if (!Array.isArray(args) || args.length === 0) {
    throw new TypeError(`Cannot encode the arguments${where}: a command needs at least its name`);
  }
  const strings: (string | Uint8Array)[] = new Array(args.length);
  const lengths: number[] = new Array(args.length);
  let size = headLength(args.length);
  // By index: an array with holes has undefined arguments, not fewer.
  for (let i = 0; i < args.length; i++) {
    const arg = asString(args[i]!, i, where);
    const length = typeof arg === "string" ? utf8Length(arg) : arg.length;
    strings[i] = arg;
    lengths[i] = length;
    size += headLength(length) + length + 2;
  }
  return { args: strings, lengths, size };
}

function asString(arg: CommandArgument, place: number, where: string): string | Uint8Array {
  if (typeof arg === "string" || arg instanceof Uint8Array) return arg;
  if (typeof arg === "bigint" || (typeof arg === "number" && Number.isFinite(arg))) {
    return String(arg);
  }
  throw new TypeError(
    `Cannot encode argument ${place}${where}: ${describe(arg)} is neither a string, bytes, a ` +
      `finite number nor a bigint`,
  );
}

function describe(arg: unknown): string {
  if (arg === null || arg === undefined || typeof arg === "number") return String(arg);
  return `a value of type ${typeof arg}`;
}

function write(parts: Measured, bytes: Uint8Array, start: number): number {
  let at = writeHead(bytes, start, ARRAY, parts.args.length);
  for (let i = 0; i < parts.args.length; i++) {
    const arg = parts.args[i]!;
    const length = parts.lengths[i]!;
    at = writeHead(bytes, at, BULK, length);
    if (typeof arg !== "string") bytes.set(arg, at);
    else writeText(bytes, at, arg, length);
    at += length;
    bytes[at++] = CR;
    bytes[at++] = LF;
  }
  return at;
}

function writeText(bytes: Uint8Array, at: number, text: string, length: number): void {
  if (length === text.length && length < 64) {
    for (let i = 0; i < length; i++) bytes[at + i] = text.charCodeAt(i);
  } else {
    utf8.encodeInto(text, bytes.subarray(at, at + length));
  }
}

/** The length of a type byte, a decimal number and CR LF. */
function headLength(n: number): number {
  let digits = 1;
  for (let rest = n; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  return digits + 3;
}

function writeHead(bytes: Uint8Array, start: number, type: number, n: number): number {
  const end = start + headLength(n);
  bytes[start] = type;
  let rest = n;
  for (let at = end - 3; at > start; at--) {
    bytes[at] = ZERO + rest % 10;
    rest = Math.floor(rest / 10);
  }
  bytes[end - 2] = CR;
  bytes[end - 1] = LF;
  return end;
}

/** How many bytes `TextEncoder` makes of it: a lone surrogate becomes U+FFFD, three bytes. */
function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) {
      length += 1;
    } else if (isHighSurrogate(unit) && isLowSurrogate(text.charCodeAt(i + 1))) {
      length += 2;
      i++;
    } else {
      length += 2;
    }
  }
  return length;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
