import type { EventName } from "./event.ts";
import { type ChannelType, FAMILIES, familyAt, PREFIXES } from "./families.ts";
import { matchGlob } from "./glob.ts";
import { internName } from "./intern.ts";
import { concat, decodeShortAscii, decodeText, toBytes } from "./text.ts";

const NEWLINE = 10;
const COMMA = 44;
const ZERO = 48;
const COLON = 58;
const UNDERSCORE = 95;
const PIPE = 124;

// Indexes into FAMILIES. In the even ones the channel names the key.
const KEYSPACE = 0;
const KEYEVENT = 1;
const SUBKEYSPACE = 2;
const SUBKEYEVENT = 3;
const SUBKEYSPACEITEM = 4;

/** The servers count their databases in a C int. */
const MAX_DATABASE = 0x7fffffff;

// What the last `locate` found, and in `number` what the last `readNumber` did: variables of the
// module, so that reading a notification makes no object but the notification itself.
let keyStart = 0;
let keyEnd = 0;
let eventStart = 0;
let eventEnd = 0;
let listStart = 0;
let listEnd = 0;
let number = 0;

/** Reads a number as the servers write them, without sign or leading zeros: its end, or -1. */
function readNumber(bytes: Uint8Array, start: number, end: number, max: number): number {
  let at = start;
  number = 0;
  for (; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) break;
    number = number * 10 + digit;
    if (number > max) return -1;
  }
  return at === start || (at > start + 1 && bytes[start] === ZERO) ? -1 : at;
}

/** Goes over `<length>:` and that many bytes: the place after them, or -1. */
function skipCounted(bytes: Uint8Array, start: number, end: number): number {
  const colon = readNumber(bytes, start, end, end - start);
  if (colon < 0 || colon >= end || bytes[colon] !== COLON) return -1;
  const after = colon + 1 + number;
  return after > end ? -1 : after;
}

function find(byte: number, bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) if (bytes[at] === byte) return at;
  return -1;
}

/** Finds the parts of a notification, of which `rest` is what stands after the `__:`. */
function locate(
  bytes: Uint8Array,
  family: number,
  rest: number,
  channelEnd: number,
  dataStart: number,
  dataEnd: number,
): boolean {
  keyStart = eventStart = rest;
  keyEnd = eventEnd = channelEnd;
  listStart = dataStart;
  listEnd = dataEnd;
  if (family === KEYSPACE) {
    eventStart = dataStart;
    eventEnd = dataEnd;
  } else if (family === KEYEVENT) {
    keyStart = dataStart;
    keyEnd = dataEnd;
  } else if (family === SUBKEYSPACEITEM) {
    eventStart = dataStart;
    eventEnd = dataEnd;
    keyEnd = find(NEWLINE, bytes, rest, channelEnd);
    listStart = keyEnd + 1;
    listEnd = channelEnd;
    if (keyEnd < 0) return false;
  } else {
    if (family === SUBKEYSPACE) {
      eventStart = dataStart;
      eventEnd = find(PIPE, bytes, dataStart, dataEnd);
      listStart = eventEnd + 1;
    } else if (family === SUBKEYEVENT) {
      keyEnd = skipCounted(bytes, dataStart, dataEnd);
      keyStart = keyEnd - number;
      listStart = keyEnd + 1;
      if (keyEnd < 0 || keyEnd >= dataEnd || bytes[keyEnd] !== PIPE) return false;
    } else {
      eventEnd = find(PIPE, bytes, rest, channelEnd);
      keyStart = eventEnd + 1;
    }
    if (eventEnd < 0) return false;
    for (let at = listStart;; at++) {
      at = skipCounted(bytes, at, dataEnd);
      if (at < 0) return false;
      if (at === dataEnd) break;
      if (bytes[at] !== COMMA) return false;
    }
  }
  return eventEnd > eventStart;
}

function startsWith(bytes: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  if (end - start < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[start + i] !== prefix[i]) return false;
  return true;
}

/** What {@linkcode KeyNotification.tryParse} can be told. */
export interface ParseOptions {
  /** Only keys that begin so count, and are given without it. Subkeys are left as they are. */
  keyPrefix?: string | Uint8Array | null;
  /** When the bytes were read, in ms since the epoch. Default: now. */
  timestamp?: number;
}

/** Set below by the class, whose constructor nothing else can call. */
let make: (
  bytes: Uint8Array,
  family: number,
  database: number,
  channelStart: number,
  rest: number,
  channelEnd: number,
  dataStart: number,
  dataEnd: number,
  prefixLength: number,
  timestamp: number,
) => KeyNotification;

/**
 * Reads a notification that lies in a bigger run of bytes.
 *
 * Nothing is copied or decoded: the notification holds on to `bytes`, which must not change, until
 * it is first asked for a text, or told to {@linkcode KeyNotification.detach}.
 *
 * @param bytes What came from the network, or a part of it.
 * @param channelStart Where the channel begins.
 * @param channelEnd Where it ends, exclusive; not after the payload begins.
 * @param dataStart Where the payload begins.
 * @param dataEnd Where it ends, exclusive.
 * @param timestamp When the bytes were read, in ms since the epoch.
 * @param keyPrefix Only keys that begin so count, and are given without it.
 * @returns `null` when this is no well-formed notification, `undefined` when it is one whose key
 * does not begin with `keyPrefix`.
 *
 * @example
 * ```ts
 * import { parseNotification } from "@keywatch/keywatch/parse";
 *
 * const bytes = new TextEncoder().encode("__keyspace@0__:user:1 set");
 * parseNotification(bytes, 0, 21, 22, 25, Date.now(), null)?.key; // "user:1"
 * ```
 */
export function parseNotification(
  bytes: Uint8Array,
  channelStart: number,
  channelEnd: number,
  dataStart: number,
  dataEnd: number,
  timestamp: number,
  keyPrefix: Uint8Array | null,
): KeyNotification | null | undefined {
  const family = familyAt(bytes, channelStart, channelEnd);
  if (family < 0) return null;
  const at = readNumber(
    bytes,
    channelStart + PREFIXES[family]!.length,
    channelEnd,
    MAX_DATABASE,
  );
  const database = number;
  const rest = at + 3;
  if (
    at < 0 || rest > channelEnd || bytes[at] !== UNDERSCORE || bytes[at + 1] !== UNDERSCORE ||
    bytes[at + 2] !== COLON || !locate(bytes, family, rest, channelEnd, dataStart, dataEnd)
  ) return null;
  let prefixLength = 0;
  if (keyPrefix !== null) {
    if (!startsWith(bytes, keyStart, keyEnd, keyPrefix)) return undefined;
    prefixLength = keyPrefix.length;
  }
  return make(
    bytes,
    family,
    database,
    channelStart,
    rest,
    channelEnd,
    dataStart,
    dataEnd,
    prefixLength,
    timestamp,
  );
}

/**
 * A notification: what happened to which key.
 *
 * Comes from a subscription, or from {@linkcode KeyNotification.fromMessage} for the messages of
 * another client. Keys and subkeys are bytes, of which the texts are a view: bytes that are not
 * UTF-8 show in them as U+FFFD.
 *
 * @example
 * ```ts
 * import { KeyNotification } from "@keywatch/keywatch/parse";
 *
 * const notification = KeyNotification.tryParse("__keyspace@0__:user:1", "hset");
 * notification?.key; // "user:1"
 * notification?.eventType; // "hset"
 * ```
 */
export class KeyNotification {
  /** Holds the parts, until all of it is text that says the same. */
  #bytes: Uint8Array | null;
  #family: number;
  #channelStart: number;
  /** What stands after the `__:` of the channel. */
  #rest: number;
  #channelEnd: number;
  #dataStart: number;
  #dataEnd: number;
  #prefixLength: number;
  /** Set by `detach`: while it is `null`, `#bytes` is the caller's. */
  #event: string | null = null;
  /** With the prefix if `#bytes` is `null`, otherwise without. */
  #key: string | null = null;

  /** The number of the database. */
  readonly database: number;
  /** When the bytes were read, in ms since the epoch. */
  timestamp: number;
  /** In a cluster the `host:port` of the node it came from; whoever reads the node sets it. */
  node: string | undefined = undefined;
  /** In a cluster the hash slot of the key; whoever knows it sets it. */
  slot: number | undefined = undefined;
  /** In a cluster `true` when a moving slot made it and no command; whoever knows it sets it. */
  migration: boolean | undefined = undefined;

  static {
    make = (...args) => new KeyNotification(...args);
  }

  private constructor(
    bytes: Uint8Array,
    family: number,
    database: number,
    channelStart: number,
    rest: number,
    channelEnd: number,
    dataStart: number,
    dataEnd: number,
    prefixLength: number,
    timestamp: number,
  ) {
    this.#bytes = bytes;
    this.#family = family;
    this.database = database;
    this.#channelStart = channelStart;
    this.#rest = rest;
    this.#channelEnd = channelEnd;
    this.#dataStart = dataStart;
    this.#dataEnd = dataEnd;
    this.#prefixLength = prefixLength;
    this.timestamp = timestamp;
  }

  /**
   * Reads the message of a client.
   *
   * @param message One of
   * - an object `{ type?, pattern?, channel, data }`, with the payload in `data`, `message` or
   *   `payload`, and a `type` that ends in `message` if it has one;
   * - an array `["message", channel, payload]` or `["pmessage", pattern, channel, payload]`, which
   *   is a push;
   * - an array of the arguments a listener got: `[channel, payload]`, `[pattern, channel, payload]`.
   *
   * Each part may be text or bytes. Text cannot hold keys that are not UTF-8.
   * @param options The prefix, and when it was read.
   * @returns `null` for whatever is no well-formed notification or lacks the prefix.
   *
   * @example
   * ```ts
   * import { KeyNotification } from "@keywatch/keywatch/parse";
   *
   * KeyNotification.fromMessage({ type: "message", channel: "__keyevent@0__:del", data: "k" })?.key;
   * ```
   */
  static fromMessage(message: unknown, options?: ParseOptions): KeyNotification | null {
    try {
      if (Array.isArray(message)) {
        const [channel, data] = message.slice(-2);
        const first = message[0];
        const good = message.length === 2 ||
          message.length === 3 && (isMessage(first) || matchGlob(first, channel)) ||
          message.length === 4 && isMessage(first);
        return good ? KeyNotification.tryParse(channel, data, options) : null;
      }
      const { type, channel, data, message: text, payload } = message as Record<string, unknown>;
      return type === undefined || isMessage(type)
        ? KeyNotification.tryParse(channel, data ?? text ?? payload, options)
        : null;
    } catch {
      return null;
    }
  }

  /**
   * Reads a channel and its payload.
   *
   * @param channel A whole channel, such as `__keyspace@0__:user:1`. Anything but text and bytes
   * gives `null`.
   * @param data Its payload. Likewise.
   * @param options The prefix, and when it was read.
   * @returns `null` for whatever is no well-formed notification or lacks the prefix.
   *
   * @example
   * ```ts
   * import { KeyNotification } from "@keywatch/keywatch/parse";
   *
   * const found = KeyNotification.tryParse("__keyevent@0__:del", "app:k", { keyPrefix: "app:" });
   * found?.key; // "k"
   * KeyNotification.tryParse("news", "hello"); // null
   * ```
   */
  static tryParse(
    channel: unknown,
    data: unknown,
    { keyPrefix, timestamp = Date.now() }: ParseOptions = {},
  ): KeyNotification | null {
    try {
      const head = givenBytes(channel);
      const bytes = concat(head, givenBytes(data));
      const prefix = keyPrefix == null ? null : givenBytes(keyPrefix);
      return parseNotification(
        bytes,
        0,
        head.length,
        head.length,
        bytes.length,
        timestamp,
        prefix,
      ) ?? null;
    } catch {
      return null;
    }
  }

  /** The family of the channel it came on. */
  get kind(): ChannelType {
    return FAMILIES[this.#family]!;
  }

  /** Whether it came on a channel that names the key: keyspace, subkeyspace, subkeyspaceitem. */
  get isKeyspace(): boolean {
    return this.#family % 2 === 0;
  }

  /** The key, without the prefix if one was asked for. */
  get key(): string {
    const bytes = this.#own();
    if (bytes === null) return this.#key!.substring(this.#prefixLength);
    return this.#key ??= decodeText(bytes, keyStart + this.#prefixLength, keyEnd);
  }

  /** The bytes of {@linkcode key}, a new copy at each call. */
  get keyBytes(): Uint8Array {
    const bytes = this.#own();
    return bytes === null ? toBytes(this.key) : bytes.slice(keyStart + this.#prefixLength, keyEnd);
  }

  /** The event, as the server names it. */
  get eventType(): EventName {
    if (this.#event === null) this.detach();
    return this.#event!;
  }

  /** The subkeys in the order the server names them, a new array at each call. */
  get subkeys(): string[] {
    return this.#subkeys(decodeText);
  }

  /** The bytes of {@linkcode subkeys}, new copies at each call. */
  get subkeyBytes(): Uint8Array[] {
    return this.#subkeys((bytes, start, end) => bytes.slice(start, end));
  }

  /** The whole channel. */
  get channel(): string {
    const bytes = this.#own();
    return bytes === null
      ? `__${this.kind}@${this.database}__:${this.isKeyspace ? this.#key : this.#event}`
      : decodeText(bytes, this.#channelStart, this.#channelEnd);
  }

  /** The bytes of {@linkcode channel}, a new copy at each call. */
  get channelBytes(): Uint8Array {
    const bytes = this.#own();
    return bytes === null
      ? toBytes(this.channel)
      : bytes.slice(this.#channelStart, this.#channelEnd);
  }

  /** The whole payload. */
  get data(): string {
    const bytes = this.#own();
    return bytes === null
      ? (this.isKeyspace ? this.#event! : this.#key!)
      : decodeText(bytes, this.#dataStart, this.#dataEnd);
  }

  /** The bytes of {@linkcode data}, a new copy at each call. */
  get dataBytes(): Uint8Array {
    const bytes = this.#own();
    return bytes === null ? toBytes(this.data) : bytes.slice(this.#dataStart, this.#dataEnd);
  }

  /**
   * Whether the key begins so. Bytes are compared.
   *
   * @param prefix What {@linkcode key}, which lacks the prefix asked for, is to begin with.
   */
  keyStartsWith(prefix: string | Uint8Array): boolean {
    const bytes = this.#own();
    if (bytes === null && typeof prefix === "string") return this.key.startsWith(prefix);
    const key = this.keyBytes;
    return startsWith(key, 0, key.length, toBytes(prefix));
  }

  /**
   * Lets go of the bytes it was read from, so that keeping it keeps nothing else alive.
   *
   * Being asked for any text or bytes does the same.
   */
  detach(): this {
    if (this.#event === null) {
      const bytes = this.#locate()!;
      const event = internName(bytes, eventStart, eventEnd);
      if (event !== null && this.#family <= KEYEVENT) {
        this.#key = decodeShortAscii(bytes, keyStart, keyEnd);
      }
      this.#event = event ?? decodeText(bytes, eventStart, eventEnd);
      if (this.#key === null) this.#copy(bytes);
      else this.#bytes = null;
    }
    return this;
  }

  /** What it says as a plain object, with texts only. */
  toJSON(): Record<string, unknown> {
    const { kind, key, eventType, database, subkeys, timestamp, node, slot, migration } = this;
    return { kind, key, eventType, database, subkeys, timestamp, node, slot, migration };
  }

  /** Keeps its own part of `bytes` only; a frame's few bytes between the two come along. */
  #copy(bytes: Uint8Array): void {
    const start = this.#channelStart;
    this.#bytes = new Uint8Array(bytes.subarray(start, this.#dataEnd));
    this.#channelStart = 0;
    this.#rest -= start;
    this.#channelEnd -= start;
    this.#dataStart -= start;
    this.#dataEnd -= start;
  }

  #locate(): Uint8Array | null {
    const bytes = this.#bytes;
    if (bytes !== null) {
      locate(
        bytes,
        this.#family,
        this.#rest,
        this.#channelEnd,
        this.#dataStart,
        this.#dataEnd,
      );
    }
    return bytes;
  }

  /** Its own bytes, with the parts located, or `null` when it is all text. */
  #own(): Uint8Array | null {
    this.detach();
    return this.#locate();
  }

  #subkeys<T>(make: (bytes: Uint8Array, start: number, end: number) => T): T[] {
    const bytes = this.#own();
    if (bytes === null || this.#family < SUBKEYSPACE) return [];
    if (this.#family === SUBKEYSPACEITEM) return [make(bytes, listStart, listEnd)];
    const subkeys: T[] = [];
    for (let at = listStart; at < listEnd; at++) {
      at = skipCounted(bytes, at, listEnd);
      subkeys.push(make(bytes, at - number, at));
    }
    return subkeys;
  }
}

/** The bytes of text or bytes from whatever realm; anything else is thrown out. */
function givenBytes(value: unknown): Uint8Array {
  if (
    typeof value === "string" || Object.prototype.toString.call(value) === "[object Uint8Array]"
  ) {
    return toBytes(value as string | Uint8Array);
  }
  throw new TypeError("Cannot parse a notification: neither text nor bytes");
}

function isMessage(type: unknown): boolean {
  return /^[ps]?message$/.test(decodeText(givenBytes(type)));
}
