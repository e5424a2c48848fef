/**
 * Thrown when the input is not RESP. The decoder stays failed, because it cannot know where the next
 * reply begins.
 *
 * @example What was wrong, and where
 * ```ts
 * import { Decoder, RespSyntaxError } from "@keywatch/keywatch/resp";
 *
 * const decoder = new Decoder({ reply() {}, push() {} });
 * try {
 *   decoder.write(new TextEncoder().encode(":1a\r\n"));
 * } catch (error) {
 *   if (error instanceof RespSyntaxError) console.log(error.offset, error.found, error.expected);
 *   // 2 '"a"' 'a digit'
 * }
 * ```
 */
export class RespSyntaxError extends SyntaxError {
  /** `"RespSyntaxError"`. */
  override readonly name = "RespSyntaxError";
  /** Always `"RESP_SYNTAX"`. */
  readonly code = "RESP_SYNTAX";
  /** Offset in the stream, in bytes since the decoder was created. */
  readonly offset: number;
  /** What was found there, printable. */
  readonly found: string;
  /** What was expected there. */
  readonly expected: string;

  /** Created by the decoder, from the values of the fields. */
  constructor(offset: number, found: string, expected: string) {
    super(`Cannot parse the reply at byte ${offset}: found ${found}, expected ${expected}`);
    this.offset = offset;
    this.found = found;
    this.expected = expected;
  }
}

/**
 * Thrown when a reply exceeds a limit of the decoder, which then stays failed.
 *
 * @example Which limit
 * ```ts
 * import { Decoder, RespLimitError } from "@keywatch/keywatch/resp";
 *
 * const decoder = new Decoder({ reply() {}, push() {} }, { maxBulkLength: 1024 });
 * try {
 *   decoder.write(new TextEncoder().encode("$1025\r\n"));
 * } catch (error) {
 *   if (error instanceof RespLimitError) console.log(error.limit, error.value, error.offset);
 *   // "maxBulkLength" 1024 0
 * }
 * ```
 */
export class RespLimitError extends RangeError {
  /** `"RespLimitError"`. */
  override readonly name = "RespLimitError";
  /** Always `"RESP_LIMIT"`. */
  readonly code = "RESP_LIMIT";
  /** The option that was exceeded: one of {@linkcode DecoderLimits}. */
  readonly limit: string;
  /** The value of that option. */
  readonly value: number;
  /** Offset in the stream, in bytes since the decoder was created, where the reply became too large. */
  readonly offset: number;

  /** Created by the decoder, from the values of the fields. */
  constructor(limit: string, value: number, offset: number) {
    super(
      `Cannot parse the reply at byte ${offset}: it exceeds ${limit}, which is ${value}; ` +
        `raise that option if the server is to be trusted with more`,
    );
    this.limit = limit;
    this.value = value;
    this.offset = offset;
  }
}

/**
 * An error reply of the server: `-` or `!` on the wire. It is a value, which the decoder never throws.
 *
 * The message is the server's text, of any length and with any control character. Servers repeat
 * arguments of commands in it, such as passwords: truncate and escape it before you log it. Errors
 * that a connection of Keywatch throws or reports are truncated, escaped and free of passwords.
 *
 * @example
 * ```ts
 * import { ServerError } from "@keywatch/keywatch/resp";
 *
 * const error = new ServerError("WRONGTYPE Operation against a key holding the wrong kind of value");
 * console.log(error.code); // "WRONGTYPE"
 * ```
 */
export class ServerError extends Error {
  /** `"ServerError"`. */
  override readonly name = "ServerError";
  /** The first word of the text, usually in capitals: `ERR`, `WRONGTYPE`, `NOPERM`, `MOVED`. */
  readonly code: string;

  /** Wraps the whole text that the server sent. */
  constructor(text: string) {
    super(text);
    this.code = text.split(" ", 1)[0]!;
  }
}

/**
 * Creates an error without a stack trace, which would name only the decoder. Capturing one for each of
 * many errors would block the event loop.
 */
export function makeServerError(text: string): ServerError {
  const { stackTraceLimit } = Error as { stackTraceLimit?: number };
  // An assignment would throw where `Error` is frozen.
  Reflect.set(Error, "stackTraceLimit", 0);
  const error = new ServerError(text);
  Reflect.set(Error, "stackTraceLimit", stackTraceLimit);
  return error;
}
