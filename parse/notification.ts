import { COLON, COMMA, MAX_DATABASE, NEWLINE, PIPE, ZERO } from "./constants.ts";
import type { EventName } from "./event.ts";
import {
  type ChannelType,
  FAMILIES,
  familyAt,
  getChannelType,
  PREFIXES,
  standsAt,
} from "./channel_type.ts";
import { matchGlob } from "./glob.ts";
import { decodeText, isAscii } from "../bytes/text.ts";
import { toBytes } from "../bytes/to_bytes.ts";

const SEPARATOR = toBytes("__:");

/** What the last `readNumber` found. */
let number = 0;

/** Reads a number as the servers write it, without sign; after a leading zero it is over. Its end, or -1. */
function readNumber(bytes: Uint8Array, start: number, max: number): number {
  let at = start;
  number = 0;
  for (
    let digit;
    (digit = bytes[at]! - ZERO) >= 0 && digit <= 9 && (number ? number <= max : at === start);
    at++
  ) {
    number = number * 10 + digit;
  }
  return number > max || at === start ? -1 : at;
}

/** Goes over `<length>:` and that many bytes: the place after them, or -1. */
function skipCounted(bytes: Uint8Array, start: number, end: number): number {
  const colon = readNumber(bytes, start, end - start);
  return bytes[colon] === COLON ? colon + 1 + number : -1;
}

/** The place of a byte, or -1. */
function find(byte: number, bytes: Uint8Array, start: number, end: number): number {
  while (start < end && bytes[start] !== byte) start++;
  return start < end ? start : -1;
}

/**
 * What {@linkcode KeyNotification.tryParse} can be told.
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
  /** The family of the channel it came on. */
  readonly kind: ChannelType;
  /** The number of the database. */
  readonly database: number;
  /** When the bytes were read, in ms since the epoch. */
  timestamp: number;
  /** In a cluster the `host:port` of the node it came from; whoever reads the node sets it. */
  node: string | undefined;
  /** In a cluster the hash slot of the key; whoever knows it sets it. */
  slot: number | undefined;
  /**
   * In a cluster `true` if only a slot migration caused it, and `"maybe"` if that cannot be decided;
   * whoever knows it sets it.
   */
  migration: boolean | "maybe" | undefined;

  /** What its key stands in; then its own copy, or `null` when the texts below say the same. */
  #bytes: Uint8Array | null;
  #keyStart: number;
  #keyEnd: number;
  readonly #event: string;
  /** `null` until it is detached. */
  #key: string | null = null;
  /** What stands before the key, which was stripped of it. */
  readonly #prefix: Uint8Array | null;
  /** With subkeys, where each part begins and ends: the channel after `__:`, payload, subkeys. */
  #places: number[] | null;

  // Made for each message, so there is no array in it where there are no subkeys, and no place of
  // what is known already: 40 ns less in Node, 25 in Deno.
  private constructor(
    kind: ChannelType,
    database: number,
    timestamp: number,
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    event: string,
    prefix: Uint8Array | null,
    places: number[] | null,
  ) {
    this.kind = kind;
    this.database = database;
    this.timestamp = timestamp;
    this.#bytes = bytes;
    this.#keyStart = keyStart;
    this.#keyEnd = keyEnd;
    this.#event = event;
    this.#prefix = prefix;
    this.#places = places;
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
    if (family > 5) return null;
    const rest = readNumber(bytes, channelStart + PREFIXES[family]!.length, MAX_DATABASE) + 3;
    if (rest < 3 || !standsAt(bytes, rest - 3, SEPARATOR)) return null;
    const database = number;
    // Where `rest` lies behind the channel, what follows finds a part that ends before it begins.
    let keyStart = rest;
    let keyEnd = channelEnd;
    let eventStart = dataStart;
    let eventEnd = dataEnd;
    let at = dataStart;
    const places = family > 1 ? [rest, channelEnd, dataStart, dataEnd] : null;
    // By the places in `FAMILIES`: 0 keyspace, 1 keyevent, 2 subkeyspace, 3 subkeyevent,
    // 4 subkeyspaceitem, 5 subkeyspaceevent.
    if (family === 1 || family === 3) {
      eventStart = rest;
      eventEnd = channelEnd;
      keyStart = dataStart;
      keyEnd = dataEnd;
      if (family > 1) {
        keyEnd = skipCounted(bytes, dataStart, dataEnd);
        keyStart = keyEnd - number;
        if (bytes[keyEnd] !== PIPE) return null;
        at = keyEnd + 1;
      }
    } else if (family === 2) {
      eventEnd = find(PIPE, bytes, dataStart, dataEnd);
      at = eventEnd + 1;
    } else if (family > 4) {
      eventStart = rest;
      eventEnd = find(PIPE, bytes, rest, channelEnd);
      keyStart = eventEnd + 1;
    } else if (family > 3) {
      keyEnd = find(NEWLINE, bytes, rest, channelEnd);
      places!.push(keyEnd + 1, channelEnd);
    }
    if (eventEnd <= eventStart || keyEnd < keyStart) return null;
    if (family > 1 && family !== 4) {
      for (;; at++) {
        at = skipCounted(bytes, at, dataEnd);
        if (at < 0) return null;
        places!.push(at - number, at);
        if (at === dataEnd) break;
        if (bytes[at] !== COMMA) return null;
      }
    }
    if (keyPrefix) {
      if (!standsAt(bytes, keyStart, keyPrefix)) return undefined;
      keyStart += keyPrefix.length;
      if (keyStart > keyEnd) return undefined;
    }
    return new KeyNotification(
      FAMILIES[family]!,
      database,
      timestamp,
      bytes,
      keyStart,
      keyEnd,
      decodeText(bytes, eventStart, eventEnd),
      keyPrefix,
      places,
    );
  }

  /**
   * Reads the message of a client.
   *
   * @param message One of
   * - an object `{ type?, pattern?, channel, data }`, with the payload in `data`, `message` or
   *   `payload`, and a `type` that ends in `message` if it has one;
   * - an array `["message", channel, payload]` or `["pmessage", pattern, channel, payload]`, which
   *   is a push;
   * - an array of the arguments a listener got: `[channel, payload]` or `[pattern, channel, payload]`
   *   as ioredis has them; `[payload, channel]` as node-redis has them, which is told by the payload
   *   being no channel of a notification.
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
      const { type, channel, data, message: text, payload } = message as Record<string, unknown>;
      const [last, before, kind = "message"] = !Array.isArray(message)
        ? [data ?? text ?? payload, channel, type]
        : message.length === 2 && !getChannelType(message[0])
        ? message
        : message.slice(-3).reverse();
      return matchGlob("*message", kind) || matchGlob(kind, before)
        ? KeyNotification.tryParse(before, last, options)
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
    options?: ParseOptions,
  ): KeyNotification | null {
    try {
      const head = toBytes(channel);
      const body = toBytes(data);
      const bytes = new Uint8Array(head.length + body.length);
      bytes.set(head);
      bytes.set(body, head.length);
      return parseNotification(
        bytes,
        0,
        head.length,
        head.length,
        bytes.length,
        options?.timestamp ?? Date.now(),
        toBytes(options?.keyPrefix ?? ""),
      ) ?? null;
    } catch {
      return null;
    }
  }

  /** Whether it came on a channel that names the key: keyspace, subkeyspace, subkeyspaceitem. */
  get isKeyspace(): boolean {
    return !this.kind.endsWith("event");
  }

  /** The key, without the prefix if one was asked for. */
  get key(): string {
    return this.#key ?? this.detach().#key!;
  }

  /** The bytes of {@linkcode key}, a new copy at each call. */
  get keyBytes(): Uint8Array {
    const bytes = this.#bytes && new Uint8Array(this.#keyView());
    return this.detach() && bytes || toBytes(this.#key!);
  }

  /** The event, as the server names it. */
  get eventType(): EventName {
    return this.detach().#event;
  }

  /** The subkeys in the order the server names them, a new array at each call. */
  get subkeys(): string[] {
    return this.#subkeys((bytes) => decodeText(bytes));
  }

  /** The bytes of {@linkcode subkeys}, new copies at each call. */
  get subkeyBytes(): Uint8Array[] {
    return this.#subkeys((bytes) => new Uint8Array(bytes));
  }

  /** The whole channel. */
  get channel(): string {
    return `__${this.kind}@${this.database}__:` + this.#half(0);
  }

  /** The whole payload. */
  get data(): string {
    return this.#half(2);
  }

  /**
   * Whether the key begins so. Bytes are compared.
   *
   * @param prefix What {@linkcode key}, which lacks the prefix asked for, is to begin with.
   */
  keyStartsWith(prefix: string | Uint8Array): boolean {
    const part = toBytes(prefix);
    const bytes = this.#bytes
      ? this.#keyView() // One character more than there are bytes, so that none of those compared is of a cut pair.
      : toBytes(this.#key!.slice(0, part.length + 1));
    this.detach();
    // Past its end the key has `undefined`, which no byte of the prefix is.
    return standsAt(bytes, 0, part);
  }

  /**
   * Lets go of the bytes it was read from, so that keeping it keeps nothing else alive.
   *
   * Being asked for any text or bytes does the same.
   */
  detach(): this {
    if (this.#key === null) {
      const bytes = this.#bytes!;
      const key = this.#key = decodeText(bytes, this.#keyStart, this.#keyEnd);
      // Bytes that are UTF-8 can be made of their text again, which is cheaper to keep: bytes of
      // its own cost 300 to 500 ns in Deno and Node.
      const isUtf8 = isAscii(bytes, this.#keyStart, this.#keyEnd) || !key.includes("\ufffd");
      if (isUtf8 && !this.#places) {
        this.#bytes = null;
      } else {
        const places = this.#places;
        const start = places?.[0] ?? this.#keyStart - (this.#prefix?.length ?? 0);
        this.#bytes = new Uint8Array(bytes.subarray(start, places?.[3] ?? this.#keyEnd));
        this.#places = places && places.map((place) => place - start);
        this.#keyStart -= start;
        this.#keyEnd -= start;
      }
    }
    return this;
  }

  /** What it says as a plain object, for `JSON.stringify`. */
  toJSON(): Record<string, unknown> {
    const { key, eventType, subkeys } = this;
    return { ...this as object, key, eventType, subkeys };
  }

  /** What happened to which key, such as `hset "user:1" in database 0`. */
  toString(): string {
    return `${this.eventType} ${JSON.stringify(this.key)} in database ${this.database}`;
  }

  /** The key as it stands in what there is of bytes. */
  #keyView(): Uint8Array {
    return this.#bytes!.subarray(this.#keyStart, this.#keyEnd);
  }

  /** The channel after its `__:`, or the payload: one is the key when the other is the event. */
  #half(index: 0 | 2): string {
    const places = this.detach().#places;
    const bytes = this.#bytes;
    return places
      ? decodeText(bytes!, places[index], places[index + 1])
      : this.isKeyspace !== !index
      ? this.#event
      : bytes
      ? decodeText(bytes)
      : decodeText(this.#prefix ?? toBytes("")) + this.#key;
  }

  #subkeys<T>(make: (bytes: Uint8Array) => T): T[] {
    const subkeys: T[] = [];
    const places = this.detach().#places;
    for (let i = 4; places && i < places.length; i += 2) {
      subkeys.push(make(this.#bytes!.subarray(places[i], places[i + 1])));
    }
    return subkeys;
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
) => KeyNotification | null | undefined = /* @__PURE__ */ makeParser();

/**
 * All notifications are made by this parser, so a bundler that sees the class unused may leave out
 * both, and otherwise has to keep what is done to the class here.
 */
function makeParser(): typeof parseNotification {
  // What `console.log` looks for in Node, Deno and Bun, which show no getters. TypeScript cannot declare
  // a method by a symbol of `Symbol.for` where declarations have to be isolated.
  Object.defineProperty(KeyNotification.prototype, Symbol.for("nodejs.util.inspect.custom"), {
    value(this: KeyNotification): unknown {
      const shown = Object.entries(this.toJSON()).filter(([, value]) => value !== undefined);
      return Object.fromEntries(shown);
    },
  });
  return KeyNotification["parse"];
}
