/**
 * Bytes that are not RESP.
 *
 * The decoder that threw it stays failed: after such bytes nobody knows where the next reply
 * begins.
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
  /** Where in the stream, in bytes since the decoder was made. */
  readonly offset: number;
  /** What stands there, printable. */
  readonly found: string;
  /** What should have stood there. */
  readonly expected: string;

  /**
   * Made by the decoder.
   *
   * @param offset Where in the stream, in bytes since the decoder was made.
   * @param found What stands there, printable.
   * @param expected What should have stood there.
   */
  constructor(offset: number, found: string, expected: string) {
    super(`Cannot parse the reply at byte ${offset}: found ${found}, expected ${expected}`);
    this.offset = offset;
    this.found = found;
    this.expected = expected;
  }
}

/**
 * A reply that is larger than the decoder was told to accept.
 *
 * The decoder that threw it stays failed. The limits are those of {@linkcode DecoderOptions}.
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
  /** The option that was exceeded. */
  readonly limit: string;
  /** The value of that option. */
  readonly value: number;
  /** Where in the stream, in bytes since the decoder was made, the reply became too large. */
  readonly offset: number;

  /**
   * Made by the decoder.
   *
   * @param limit The option that was exceeded.
   * @param value The value of that option.
   * @param offset Where in the stream, in bytes since the decoder was made.
   */
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
 * An error the server replied with: `-` or `!` on the wire.
 *
 * It is a value, never thrown by the decoder, and may stand inside an aggregate. The codec keeps the
 * server's text as it came, of any length and with any control character, and servers repeat the
 * arguments of commands they do not know, such as passwords. Clip and escape it before you log it. An
 * error that a connection of Keywatch throws or reports is clipped, escaped and free of passwords.
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
  /** The first word of the text, by custom in capitals: `ERR`, `WRONGTYPE`, `NOPERM`, `MOVED`. */
  readonly code: string;

  /**
   * Takes the code out of the text.
   *
   * @param text The whole text the server sent, its code included.
   */
  constructor(text: string) {
    super(text);
    const space = text.indexOf(" ");
    this.code = space === -1 ? text : text.slice(0, space);
  }
}

/**
 * Makes an error without a stack trace. A trace would name the decoder only, and capturing one for
 * each of many errors blocks the event loop.
 *
 * @param text The whole text the server sent.
 */
export function makeServerError(text: string): ServerError {
  const { stackTraceLimit } = Error as { stackTraceLimit?: number };
  // An assignment would throw where `Error` is frozen.
  Reflect.set(Error, "stackTraceLimit", 0);
  const error = new ServerError(text);
  Reflect.set(Error, "stackTraceLimit", stackTraceLimit);
  return error;
}
