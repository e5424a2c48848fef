/**
 * RESP2 and RESP3, the protocols of Redis and Valkey, between bytes and replies. Pure: no socket,
 * no runtime's name.
 *
 * All types of the [specification](https://redis.io/docs/latest/develop/reference/protocol-spec/),
 * and the streamed ones and the attributes of
 * [RESP3 as it was proposed](https://github.com/antirez/RESP3/blob/master/spec.md).
 *
 * @example
 * ```ts
 * import { Decoder, encodeCommand } from "@keywatch/keywatch/resp";
 *
 * const decoder = new Decoder({
 *   reply: (reply) => console.log(reply),
 *   push: (items) => console.log(items),
 * }, { strings: "text" });
 *
 * using connection = await Deno.connect({ port: 6379 });
 * await connection.write(encodeCommand(["PING"]));
 * const chunk = new Uint8Array(65536);
 * const length = await connection.read(chunk);
 * if (length !== null) decoder.write(chunk.subarray(0, length)); // PONG
 * ```
 *
 * @module
 */

export { Decoder } from "./decoder.ts";
export { type CommandArgument, encodeCommand, encodePipeline } from "./encoder.ts";
export { RespLimitError, RespSyntaxError, ServerError } from "./errors.ts";
export { type DecoderLimits, type DecoderOptions, type DecoderSink } from "./options.ts";
export type { MessageFrame } from "./message_frame.ts";
export { decodeText } from "../bytes/text.ts";
export { type Reply, RespMap } from "./types.ts";
