import { decodeText } from "../bytes/text.ts";
import { toBytes } from "../bytes/to_bytes.ts";
import { usefulViewOf } from "../bytes/view.ts";
import { ChannelType, channelTypeAt, getChannelType } from "./channel_type.ts";
import { MAX_DATABASE, NEWLINE, PIPE, UNDERSCORE } from "./constants.ts";
import { indexOfByte, readCounted, readDecimal, readList, type Span, startsWith } from "./spans.ts";

/**
 * Options for {@linkcode KeyNotification.tryParse}.
 *
 * @example
 * ```ts
 * import { KeyNotification, type ParseOptions } from "@keywatch/keywatch/parse";
 *
 * const options: ParseOptions = { keyPrefix: "app:", timestamp: 1_700_000_000_000 };
 * KeyNotification.tryParse("__keyspace@0__:app:user:1", "set", options)?.key; // "user:1"
 * ```
 */
export interface ParseOptions {
  /** Accepts only keys with this prefix, and strips it from them. Does not apply to subkeys. */
  keyPrefix?: string | Uint8Array | null | undefined;
  /** When the message was read, in ms since the epoch. Default: now. */
  timestamp?: number | undefined;
}

/** What stands between the database and the first name of a channel. */
const SEPARATOR = "__:";

/** Length of `__keyspace@0__:` and of `__keyevent@0__:`. */
export const SHORT_HEAD = 15;

/** What {@linkcode readShortHead} adds to the database of a keyevent channel. */
export const KEYEVENT = 16;

/**
 * Reads the beginning of a keyspace or keyevent channel with a database below 10.
 *
 * Nearly all messages have one. It is compared four bytes at a time, as numbers whose lowest byte is
 * the first, because comparing byte by byte takes several times as long.
 *
 * @returns The database, with {@linkcode KEYEVENT} added for a keyevent channel; -1 for another channel.
 */
export function readShortHead(bytes: Uint8Array, start: number, end: number): number {
  const words = end - start < SHORT_HEAD ? null : usefulViewOf(bytes);
  // __ke
  if (words === null || words.getInt32(start, true) !== 0x656b5f5f) return -1;
  const middle = words.getInt32(start + 4, true);
  const last = words.getInt32(start + 7, true);
  // A digit before __: leaves its value.
  const database = words.getInt32(start + 11, true) ^ 0x3a5f5f30;
  if (database < 0 || database > 9) return -1;
  // yspa ace@
  if (middle === 0x61707379 && last === 0x40656361) return database;
  // yeve ent@
  return middle === 0x65766579 && last === 0x40746e65 ? database + KEYEVENT : -1;
}

/** Where a message lies in a larger buffer. */
export interface MessagePlace {
  readonly bytes: Uint8Array;
  /** Index of the first byte of the channel. */
  readonly channelStart: number;
  /** Index after its last byte; not after the start of the payload. */
  readonly channelEnd: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

/** Copies a channel and a payload. */
export function placeTogether(channel: Uint8Array, payload: Uint8Array): MessagePlace {
  const bytes = new Uint8Array(channel.length + payload.length);
  bytes.set(channel);
  bytes.set(payload, channel.length);
  return {
    bytes,
    channelStart: 0,
    channelEnd: channel.length,
    payloadStart: channel.length,
    payloadEnd: bytes.length,
  };
}

/** The type of another message, such as `subscribe`. Patterns that match channels are not such words. */
const OTHER_MESSAGE = /^(?!.?message$)[a-z]*$/;

/** Finds channel and payload in a message of any client, see {@linkcode KeyNotification.fromMessage}. */
export function readClientMessage(message: unknown): [channel: unknown, data: unknown] | null {
  const fields = message as Record<string, unknown>;
  const { type = "message", channel, data, message: text, payload } = fields;
  const isArray = Array.isArray(message);
  const parts = isArray ? message.slice(-3) : [type, channel, data ?? text ?? payload];
  const [first, second, third] = parts;
  // node-redis calls listeners with the payload first.
  if (parts.length === 2) return getChannelType(first) ? [first, second] : [second, first];
  return OTHER_MESSAGE.test(decodeText(toBytes(first))) ? null : [second, third];
}

/** The parts of a message. */
export interface MessageParts {
  readonly kind: ChannelType;
  readonly database: number;
  readonly key: Span;
  readonly event: Span;
  /** `undefined` on a channel without subkeys. */
  readonly subkeys: readonly Span[] | undefined;
}

/** Locates the parts of a message on a channel of any type. Returns `null` if it is not well-formed. */
export function locateParts(place: MessagePlace): MessageParts | null {
  const { bytes, channelStart, channelEnd, payloadStart, payloadEnd } = place;
  const kind = channelTypeAt(bytes, channelStart, channelEnd);
  if (kind === null) return null;
  const databaseStart = channelStart + "__@".length + kind.length;
  const databaseEnd = indexOfByte(UNDERSCORE, bytes, databaseStart, channelEnd);
  const database = readDecimal(bytes, databaseStart, databaseEnd, MAX_DATABASE);
  const namesStart = databaseEnd + SEPARATOR.length;
  if (database < 0 || !startsWith(bytes, databaseEnd, channelEnd, SEPARATOR)) return null;

  const names = { start: namesStart, end: channelEnd };
  const payload = { start: payloadStart, end: payloadEnd };
  // As in a keyspace notification: the channel names the key, and the payload is the event.
  let key: Span | null = names;
  let event = payload;
  // `null` if they are malformed.
  let subkeys: Span[] | null | undefined;
  switch (kind) {
    case ChannelType.KEYEVENT:
      key = payload;
      event = names;
      break;
    case ChannelType.SUBKEYSPACE:
      // The payload is `<event>|<subkeys>`.
      event = { start: payloadStart, end: indexOfByte(PIPE, bytes, payloadStart, payloadEnd) };
      // Otherwise a list would be read that stands before this message.
      if (event.end >= 0) subkeys = readList(bytes, event.end + 1, payloadEnd);
      break;
    case ChannelType.SUBKEYEVENT:
      // The channel names the event, and the payload is `<length>:<key>|<subkeys>`.
      event = names;
      key = readCounted(bytes, payloadStart, payloadEnd);
      subkeys = key && bytes[key.end] === PIPE ? readList(bytes, key.end + 1, payloadEnd) : null;
      break;
    case ChannelType.SUBKEYSPACEITEM:
      // The channel names `<key>\n<subkey>`.
      key = { start: namesStart, end: indexOfByte(NEWLINE, bytes, namesStart, channelEnd) };
      subkeys = [{ start: key.end + 1, end: channelEnd }];
      break;
    case ChannelType.SUBKEYSPACEEVENT:
      // The channel names `<event>|<key>`, and the payload is the subkeys.
      event = { start: namesStart, end: indexOfByte(PIPE, bytes, namesStart, channelEnd) };
      key = { start: event.end + 1, end: channelEnd };
      subkeys = readList(bytes, payloadStart, payloadEnd);
      break;
  }
  // An end that was not found is -1.
  if (key === null || key.end < key.start || event.end < event.start) return null;
  return subkeys === null ? null : { kind, database, key, event, subkeys };
}
