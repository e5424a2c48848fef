import { byteLength, isByteArray } from "../bytes/to_bytes.ts";
import { writeUtf8 } from "../bytes/utf8.ts";

/**
 * What a command is made of.
 *
 * Numbers are written as JavaScript writes them and bigints in decimal: `7`, `-1.5`, from 1e21 on and
 * below 1e-6 with an exponent, `1e+21`, `1e-7`, as servers take them wherever they take a number with
 * a fraction; -0 is written as `0`. To have 1e21 as digits, which servers take for no integer either,
 * give a bigint.
 *
 * @example
 * ```ts
 * import { type CommandArgument, encodeCommand } from "@keywatch/keywatch/resp";
 *
 * const args: CommandArgument[] = ["SET", new Uint8Array([0xff]), 10n ** 21n];
 * encodeCommand(args);
 * ```
 */
export type CommandArgument = string | Uint8Array | number | bigint;

const CR = 13;
const LF = 10;
const ARRAY = 42;
const BULK = 36;
const ZERO = 48;

/** Longest text that is written a letter at a time. */
const SHORT = 64;

/**
 * Lays a command out as the array of bulk strings a server takes.
 *
 * It is measured first, so that one buffer of its very length is all that is made of it.
 *
 * @param args The name of the command and its arguments. Strings are written as UTF-8.
 * @returns The bytes, in a buffer of their own.
 * @throws {TypeError} When there is nothing to send, or an argument cannot be encoded (`undefined`,
 * `null`, `NaN`, an infinity, an object, bytes whose buffer was transferred or whose `length` is not
 * their own): the message names its place, the command's name being 0.
 *
 * @example
 * ```ts
 * import { encodeCommand } from "@keywatch/keywatch/resp";
 *
 * encodeCommand(["SET", "key", 7]); // *3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$1\r\n7\r\n
 * ```
 */
export function encodeCommand(args: readonly CommandArgument[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(measure(args, 0, -1));
  checkFilled(bytes, write(args, 0, bytes, 0));
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
  let size = 0;
  let count = 0;
  for (let i = 0; i < commands.length; i++) {
    size += measure(commands[i]!, count, i);
    count += commands[i]!.length;
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  count = 0;
  for (const args of commands) {
    at = write(args, count, bytes, at);
    count += args.length;
  }
  checkFilled(bytes, at);
  return bytes;
}

/**
 * Lengths of the first arguments between measuring and writing: one place for all commands, because an
 * array for each would be a second thing to make. Those of further arguments are worked out twice.
 */
const lengths: Float64Array = /* @__PURE__ */ new Float64Array(256);

/**
 * How long a command is on the wire.
 *
 * @param before How many arguments there are in commands before it.
 * @param command Its place in a pipeline, or -1.
 */
function measure(args: readonly CommandArgument[], before: number, command: number): number {
  if (!Array.isArray(args) || args.length === 0) {
    throw new TypeError(
      `Cannot encode the arguments${of(command)}: a command needs at least its name`,
    );
  }
  let size = headLength(args.length);
  // By index: an array with holes has undefined arguments, not fewer.
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    const length = lengthOf(arg);
    if (length < 0) throw refusal(arg, i, command);
    if (before + i < lengths.length) lengths[before + i] = length;
    size += headLength(length) + length + 2;
  }
  return size;
}

function refusal(arg: unknown, place: number, command: number): TypeError {
  const what = isByteArray(arg)
    ? "its bytes cannot be read: their buffer was transferred or cut short, or their length is " +
      "not their own; give a copy that is made before"
    : `${
      arg === null || arg === undefined || typeof arg === "number"
        ? String(arg)
        : `a value of type ${typeof arg}`
    } is neither a string, bytes, a finite number nor a bigint`;
  return new TypeError(`Cannot encode argument ${place}${of(command)}: ${what}`);
}

function of(command: number): string {
  return command === -1 ? "" : ` of command ${command}`;
}

/** How many bytes it has on the wire; -1 for what cannot be encoded. */
function lengthOf(arg: unknown): number {
  if (typeof arg === "string") return utf8Length(arg);
  if (typeof arg === "number" || typeof arg === "bigint") {
    if (isCount(arg)) return countDigits(arg);
    return typeof arg === "bigint" || Number.isFinite(arg) ? String(arg).length : -1;
  }
  return isByteArray(arg) ? byteLength(arg) : -1;
}

/** Whether it is digits and nothing else, which need not become a string to be written. */
function isCount(arg: number | bigint): arg is number {
  return Number.isSafeInteger(arg) && arg as number >= 0;
}

function write(
  args: readonly CommandArgument[],
  before: number,
  bytes: Uint8Array,
  start: number,
): number {
  const count = args.length;
  let at = writeHead(bytes, start, ARRAY, count);
  for (let i = 0; i < count; i++) {
    const arg = args[i]!;
    const length = before + i < lengths.length ? lengths[before + i]! : lengthOf(arg);
    at = writeHead(bytes, at, BULK, length);
    if (typeof arg === "string") writeText(bytes, at, arg, length);
    else if (typeof arg === "object") {
      // A getter in the arguments can have changed it.
      if (lengthOf(arg) !== length || at + length > bytes.length) throw changed();
      bytes.set(arg, at);
    } else if (isCount(arg)) writeDigits(bytes, at, at + length, arg);
    else writeText(bytes, at, String(arg), length);
    at += length;
    bytes[at++] = CR;
    bytes[at++] = LF;
  }
  return at;
}

/** Arguments that a proxy or a getter gives can be others when they are read again. */
function checkFilled(bytes: Uint8Array, end: number): void {
  if (end !== bytes.length) throw changed();
}

function changed(): TypeError {
  return new TypeError("Cannot encode the arguments: they change while they are read; give a copy");
}

function writeText(bytes: Uint8Array, at: number, text: string, length: number): void {
  if (length === text.length && length < SHORT) {
    for (let i = 0; i < length; i++) bytes[at + i] = text.charCodeAt(i);
  } else {
    writeUtf8(text, bytes.subarray(at, at + length));
  }
}

function countDigits(n: number): number {
  if (n < 10) return 1;
  let digits = 2;
  for (let rest = n; rest >= 100; rest = Math.floor(rest / 10)) digits++;
  return digits;
}

/** The length of a type byte, a decimal number and CR LF. */
function headLength(n: number): number {
  return countDigits(n) + 3;
}

function writeHead(bytes: Uint8Array, start: number, type: number, n: number): number {
  const end = start + headLength(n);
  bytes[start] = type;
  writeDigits(bytes, start + 1, end - 2, n);
  bytes[end - 2] = CR;
  bytes[end - 1] = LF;
  return end;
}

function writeDigits(bytes: Uint8Array, start: number, end: number, n: number): void {
  let rest = n;
  for (let at = end - 1; at >= start; at--) {
    bytes[at] = ZERO + rest % 10;
    rest = Math.floor(rest / 10);
  }
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
