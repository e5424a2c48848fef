import { byteLength, isByteArray } from "../bytes/to_bytes.ts";
import { encodeUtf8 } from "../bytes/utf8.ts";
import { concat } from "./input_buffer.ts";

/**
 * The name of a command, or one of its arguments.
 *
 * Numbers are written as JavaScript writes them: `7`, `-1.5`, `1e+21`, `1e-7`; -0 is written as `0`.
 * Servers accept an exponent only where they accept a fraction. Use a bigint for larger integers.
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

/**
 * Encodes a command as an array of bulk strings.
 *
 * @param args The name of the command and its arguments. Strings are encoded as UTF-8.
 * @returns The bytes, in a buffer of their own.
 * @throws {TypeError} If `args` is empty, or if an argument cannot be encoded (`undefined`, `null`,
 * `NaN`, an infinity, an object, bytes whose buffer was transferred). The error names its index.
 *
 * @example
 * ```ts
 * import { encodeCommand } from "@keywatch/keywatch/resp";
 *
 * encodeCommand(["SET", "key", 7]); // *3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$1\r\n7\r\n
 * ```
 */
export function encodeCommand(args: readonly CommandArgument[]): Uint8Array<ArrayBuffer> {
  return encode([args], false);
}

/**
 * Encodes several commands for one write.
 *
 * @param commands The commands, each as for {@linkcode encodeCommand}.
 * @returns The bytes, in a buffer of their own; none if there are no commands.
 * @throws {TypeError} As {@linkcode encodeCommand}. The error names the index of the command too.
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
  return encode(commands, true);
}

function encode(
  commands: readonly (readonly CommandArgument[])[],
  isPipeline: boolean,
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  // What precedes the next argument that is bytes: most commands are one text.
  let text = "";
  for (const [index, given] of commands.entries()) {
    const fail = (what: string, why: string) => {
      const where = isPipeline ? ` of command ${index}` : "";
      throw new TypeError(`Cannot encode ${what}${where}: ${why}`);
    };
    // Read once, because a getter may return another argument each time.
    const args: unknown[] = Array.isArray(given) ? Array.from(given) : [];
    if (args.length === 0) fail("the arguments", "a command needs at least its name");
    text += `*${args.length}\r\n`;
    for (const [place, arg] of args.entries()) {
      const problem = problemOf(arg);
      if (problem !== null) fail(`argument ${place}`, problem);
      if (isByteArray(arg)) {
        parts.push(encodeUtf8(`${text}$${byteLength(arg)}\r\n`), arg);
        text = "\r\n";
      } else {
        const value = String(arg);
        const isAscii = /^[\0-\x7f]*$/.test(value);
        const length = isAscii ? value.length : encodeUtf8(value).length;
        text += `$${length}\r\n${value}\r\n`;
      }
    }
  }
  return concat([...parts, encodeUtf8(text)]);
}

/** Why an argument cannot be encoded; null if it can. */
function problemOf(arg: unknown): string | null {
  if (isByteArray(arg)) {
    return byteLength(arg) >= 0
      ? null
      : "its buffer was transferred or cut short, or its length is " +
        "not its own; pass a copy that was made before";
  }
  const type = typeof arg;
  if (type === "string" || type === "bigint" || Number.isFinite(arg)) return null;
  const what = arg === null || type === "undefined" || type === "number"
    ? arg
    : `a value of type ${type}`;
  return `${what} is neither a string, bytes, a finite number nor a bigint`;
}
