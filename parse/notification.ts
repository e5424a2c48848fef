import type { EventName } from "./event.ts";
import { type ChannelType, FAMILIES, familyAt, PREFIXES, standsAt } from "./families.ts";
import { matchGlob } from "./glob.ts";
import { internName } from "./intern.ts";
import { decodeShortAscii, decodeText, toBytes } from "./text.ts";

const NEWLINE = 10;
const COMMA = 44;
const ZERO = 48;
const COLON = 58;
const PIPE = 124;

// Indexes into FAMILIES. In the even ones the channel names the key.
const KEYEVENT = 1;
const SUBKEYSPACE = 2;
const SUBKEYEVENT = 3;
const SUBKEYSPACEITEM = 4;
const SUBKEYSPACEEVENT = 5;

/** The servers count their databases in a C int. */
const MAX_DATABASE = 0x7fffffff;

const SEPARATOR = toBytes("__:");

// What the last `#locate` found, and in `number` what the last `readNumber` did: variables of the
// module, so that reading a notification makes no object but the notification itself.
let keyStart = 0;
let keyEnd = 0;
let eventStart = 0;
let eventEnd = 0;
let number = 0;

/** Reads a number as the servers write it, without sign or leading zeros: its end, or -1. */
function readNumber(bytes: Uint8Array, start: number, max: number): number {
  let at = start;
  number = 0;
  for (let digit; (digit = bytes[at]! - ZERO) >= 0 && digit <= 9 && number <= max; at++) {
    number = number * 10 + digit;
  }
  return number > max || at === start || at > start + 1 && bytes[start] === ZERO ? -1 : at;
}

/** Goes over `<length>:` and that many bytes: the place after them, or -1. */
function skipCounted(bytes: Uint8Array, start: number, end: number): number {
  const colon = readNumber(bytes, start, end - start);
  return bytes[colon] === COLON && colon + number < end ? colon + 1 + number : -1;
}

/** The place of a byte, or -1. */
function find(byte: number, bytes: Uint8Array, start: number, end: number): number {
  while (start < end && bytes[start] !== byte) start++;
  return start < end ? start : -1;
}

/** What {@linkcode KeyNotification.tryParse} can be told. */
export interface ParseOptions {
  /** Only keys that begin so count, and are given without it. Subkeys are left as they are. */
  keyPrefix?: string | Uint8Array | null;
  /** When the bytes were read, in ms since the epoch. Default: now. */
  timestamp?: number;
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

  /** Holds all that is not text yet; `null` when the texts say the same as the bytes did. */
  #bytes: Uint8Array | null;
  /** Index into `FAMILIES`. */
  #family: number;
  /** Where the part of the channel after `__:` begins. */
  #rest: number;
  #channelEnd: number;
  #dataStart: number;
  #dataEnd: number;
  #prefixLength = 0;
  /** `null` until detached: `#bytes` is then what it was read from, and afterwards its own. */
  #event: string | null = null;
  /** Includes the prefix while there are no bytes, and else does not. */
  #key: string | null = null;

  private constructor(
    bytes: Uint8Array,
    family: number,
    database: number,
    rest: number,
    channelEnd: number,
    dataStart: number,
    dataEnd: number,
    timestamp: number,
  ) {
    this.#bytes = bytes;
    this.#family = family;
    this.database = database;
    this.#rest = rest;
    this.#channelEnd = channelEnd;
    this.#dataStart = dataStart;
    this.#dataEnd = dataEnd;
    this.timestamp = timestamp;
  }

  /** {@linkcode parseNotification}, which cannot reach the constructor from outside. */
  private static parse(
    bytes: Uint8Array,
    channelStart: number,
    channelEnd: number,
    dataStart: number,
    dataEnd: number,
    timestamp: number,
    keyPrefix: Uint8Array | null,
  ): KeyNotification | null | undefined {
    const family = familyAt(bytes, channelStart);
    if (family < 0) return null;
    const rest = readNumber(bytes, channelStart + PREFIXES[family]!.length, MAX_DATABASE) + 3;
    if (rest < 3 || rest > channelEnd || !standsAt(bytes, rest - 3, SEPARATOR)) return null;
    const found = new KeyNotification(
      bytes,
      family,
      number,
      rest,
      channelEnd,
      dataStart,
      dataEnd,
      timestamp,
    );
    if (!found.#locate()) return null;
    if (keyPrefix) {
      found.#prefixLength = keyPrefix.length;
      if (keyEnd - keyStart < keyPrefix.length || !standsAt(bytes, keyStart, keyPrefix)) {
        return undefined;
      }
    }
    return found;
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
      const { length } = message as unknown[];
      const { type, channel, data, message: text, payload }: Record<string, unknown> =
        Array.isArray(message)
          ? {
            type: length === 2 ? undefined : message[0],
            channel: message[length - 2],
            data: length < 5 ? message[length - 1] : null,
          }
          : message as Record<string, unknown>;
      const head = givenBytes(channel);
      const body = givenBytes(data ?? text ?? payload);
      if (
        type !== undefined && !/^[ps]?message$/.test(decodeText(givenBytes(type))) &&
        !matchGlob(givenBytes(type), head)
      ) return null;
      const bytes = new Uint8Array(head.length + body.length);
      bytes.set(head);
      bytes.set(body, head.length);
      return KeyNotification.parse(
        bytes,
        0,
        head.length,
        head.length,
        bytes.length,
        options?.timestamp ?? Date.now(),
        options?.keyPrefix == null ? null : givenBytes(options.keyPrefix),
      ) ?? null;
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
    options?: ParseOptions,
  ): KeyNotification | null {
    return KeyNotification.fromMessage({ channel, data }, options);
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
    return bytes
      ? this.#key ??= decodeText(bytes, keyStart + this.#prefixLength, keyEnd)
      : this.#key!.slice(this.#prefixLength);
  }

  /** The bytes of {@linkcode key}, a new copy at each call. */
  get keyBytes(): Uint8Array {
    return this.#own()?.slice(keyStart + this.#prefixLength, keyEnd) ?? toBytes(this.key);
  }

  /** The event, as the server names it. */
  get eventType(): EventName {
    return this.#event ?? this.detach().#event!;
  }

  /** The subkeys in the order the server names them, a new array at each call. */
  get subkeys(): string[] {
    return this.#subkeys().map((bytes) => decodeText(bytes));
  }

  /** The bytes of {@linkcode subkeys}, new copies at each call. */
  get subkeyBytes(): Uint8Array[] {
    return this.#subkeys().map((bytes) => new Uint8Array(bytes));
  }

  /** The whole channel. */
  get channel(): string {
    const bytes = this.detach().#bytes;
    return `__${this.kind}@${this.database}__:` +
      (bytes
        ? decodeText(bytes, this.#rest, this.#channelEnd)
        : this.isKeyspace
        ? this.#key
        : this.#event);
  }

  /** The whole payload. */
  get data(): string {
    const bytes = this.detach().#bytes;
    return bytes
      ? decodeText(bytes, this.#dataStart, this.#dataEnd)
      : this.isKeyspace
      ? this.#event!
      : this.#key!;
  }

  /**
   * Whether the key begins so. Bytes are compared.
   *
   * @param prefix What {@linkcode key}, which lacks the prefix asked for, is to begin with.
   */
  keyStartsWith(prefix: string | Uint8Array): boolean {
    if (!this.#own() && typeof prefix === "string") return this.key.startsWith(prefix);
    // Past its end the key has `undefined`, which no byte of the prefix is.
    return standsAt(this.keyBytes, 0, toBytes(prefix));
  }

  /**
   * Lets go of the bytes it was read from, so that keeping it keeps nothing else alive.
   *
   * Being asked for any text or bytes does the same.
   */
  detach(): this {
    if (this.#event === null) {
      const bytes = this.#bytes!;
      this.#locate();
      const event = internName(bytes, eventStart, eventEnd);
      this.#event = event ?? decodeText(bytes, eventStart, eventEnd);
      if (event !== null && this.#family <= KEYEVENT) {
        this.#key = decodeShortAscii(bytes, keyStart, keyEnd);
      }
      const start = this.#rest;
      this.#bytes = this.#key === null
        ? new Uint8Array(bytes.subarray(start, this.#dataEnd))
        : null;
      this.#rest = 0;
      this.#channelEnd -= start;
      this.#dataStart -= start;
      this.#dataEnd -= start;
    }
    return this;
  }

  /** What it says as a plain object, for `JSON.stringify`. */
  toJSON(): Record<string, unknown> {
    const { kind, key, eventType, subkeys } = this;
    return { kind, key, eventType, subkeys, ...this as object };
  }

  /** Its own bytes, with its parts located in them, or `null` when it is all text. */
  #own(): Uint8Array | null {
    this.detach().#locate();
    return this.#bytes;
  }

  /** Views of its own bytes. */
  #subkeys(): Uint8Array[] {
    const subkeys: Uint8Array[] = [];
    this.detach().#locate(subkeys);
    return subkeys;
  }

  /** Finds the parts, and says whether they are all well-formed. */
  #locate(subkeys?: Uint8Array[]): boolean {
    const bytes = this.#bytes;
    if (!bytes) return true;
    const family = this.#family;
    const dataEnd = this.#dataEnd;
    let at = this.#dataStart;
    keyStart = eventStart = this.#rest;
    keyEnd = eventEnd = this.#channelEnd;
    if (family === KEYEVENT) {
      keyStart = at;
      keyEnd = dataEnd;
    } else if (family === SUBKEYEVENT) {
      keyEnd = at = skipCounted(bytes, at, dataEnd);
      keyStart = at - number;
      if (bytes[at++] !== PIPE) return false;
    } else if (family === SUBKEYSPACEEVENT) {
      eventEnd = find(PIPE, bytes, eventStart, eventEnd);
      keyStart = eventEnd + 1;
    } else {
      eventStart = at;
      eventEnd = dataEnd;
      if (family === SUBKEYSPACE) {
        eventEnd = find(PIPE, bytes, at, dataEnd);
        at = eventEnd + 1;
      } else if (family === SUBKEYSPACEITEM) {
        keyEnd = find(NEWLINE, bytes, keyStart, keyEnd);
        subkeys?.push(bytes.subarray(keyEnd + 1, this.#channelEnd));
      }
    }
    if (family >= SUBKEYSPACE && family !== SUBKEYSPACEITEM) {
      for (;; at++) {
        at = skipCounted(bytes, at, dataEnd);
        if (at < 0) return false;
        subkeys?.push(bytes.subarray(at - number, at));
        if (at === dataEnd) break;
        if (bytes[at] !== COMMA) return false;
      }
    }
    return eventEnd > eventStart && keyEnd >= keyStart;
  }
}

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
export const parseNotification: (
  bytes: Uint8Array,
  channelStart: number,
  channelEnd: number,
  dataStart: number,
  dataEnd: number,
  timestamp: number,
  keyPrefix: Uint8Array | null,
) => KeyNotification | null | undefined = KeyNotification["parse"];

/** Text or bytes, of whatever realm, as bytes. */
function givenBytes(value: unknown): Uint8Array {
  if (typeof value !== "string" && (value as Uint8Array).BYTES_PER_ELEMENT !== 1) {
    throw new TypeError("Neither text nor bytes");
  }
  return toBytes(value as string);
}
