import { decodeText } from "../bytes/text.ts";
import { toBytes } from "../bytes/to_bytes.ts";
import { encodeUtf8 } from "../bytes/utf8.ts";
import { ChannelType } from "./channel_type.ts";
import type { EventName, ReceivedEvent } from "./event.ts";
import {
  KEYEVENT,
  locateParts,
  type MessagePlace,
  type ParseOptions,
  placeTogether,
  readClientMessage,
  readShortHead,
  SHORT_HEAD,
} from "./message.ts";
import { startsWith } from "./spans.ts";

/**
 * A notification: what happened to which key.
 *
 * Subscriptions deliver them; {@linkcode KeyNotification.fromMessage} reads those of another client.
 * Keys and subkeys are bytes. In their texts, invalid UTF-8 becomes U+FFFD.
 *
 * @example
 * ```ts
 * import { KeyNotification } from "@keywatch/keywatch/parse";
 *
 * KeyNotification.tryParse("__keyspace@0__:user:1", "hset")?.key; // "user:1"
 * ```
 */
export class KeyNotification {
  /** The type of the channel that it came on. */
  readonly kind: ChannelType;
  /** The number of the database. */
  readonly database: number;
  /** When the message was read, in ms since the epoch. */
  readonly timestamp: number;
  // Only declared, so that a notification of a single server has no place for them.
  /** In a cluster, the `host:port` of the node that sent it. */
  declare node: string | undefined;
  /** In a cluster, the hash slot of the key. */
  declare slot: number | undefined;
  /** In a cluster, `true` if only a slot migration caused it, `"maybe"` if that is uncertain. */
  declare migration: boolean | "maybe" | undefined;

  /** Holds key and event; after `detach` a copy of the key, or `null` if its text says the same. */
  #bytes: Uint8Array | null;
  #keyStart: number;
  #keyEnd: number;
  readonly #eventStart: number;
  readonly #eventEnd: number;
  #event: string | null = null;
  /** `null` until it is detached. */
  #key: string | null = null;
  /** What was stripped of the key. */
  readonly #prefix: Uint8Array | null;
  /** A copy of a message with subkeys; `null` for others. */
  readonly #message: MessagePlace | null;

  // One without subkeys holds no other object, because there are many.
  private constructor(
    kind: ChannelType,
    database: number,
    timestamp: number,
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    eventStart: number,
    eventEnd: number,
    prefix: Uint8Array | null,
    message: MessagePlace | null,
  ) {
    this.kind = kind;
    this.database = database;
    this.timestamp = timestamp;
    this.#bytes = bytes;
    this.#keyStart = keyStart;
    this.#keyEnd = keyEnd;
    this.#eventStart = eventStart;
    this.#eventEnd = eventEnd;
    this.#prefix = prefix;
    this.#message = message;
  }

  /** {@linkcode parseNotification}. */
  private static parse(
    place: MessagePlace,
    timestamp: number,
    keyPrefix: Uint8Array | null,
  ): KeyNotification | null | undefined {
    const { bytes, channelStart, channelEnd, payloadStart, payloadEnd } = place;
    const head = readShortHead(bytes, channelStart, channelEnd);
    let kind: ChannelType = ChannelType.KEYSPACE;
    let database = head;
    let keyStart = channelStart + SHORT_HEAD;
    let keyEnd = channelEnd;
    let eventStart = payloadStart;
    let eventEnd = payloadEnd;
    let message: MessagePlace | null = null;
    if (head >= KEYEVENT) {
      kind = ChannelType.KEYEVENT;
      database = head - KEYEVENT;
      eventStart = keyStart;
      eventEnd = keyEnd;
      keyStart = payloadStart;
      keyEnd = payloadEnd;
    } else if (head < 0) {
      const parts = locateParts(place);
      if (parts === null) return null;
      ({ kind, database } = parts);
      ({ start: keyStart, end: keyEnd } = parts.key);
      ({ start: eventStart, end: eventEnd } = parts.event);
      if (parts.subkeys !== undefined) {
        const channel = bytes.subarray(channelStart, channelEnd);
        message = placeTogether(channel, bytes.subarray(payloadStart, payloadEnd));
      }
    }
    if (eventStart === eventEnd) return null;
    if (keyPrefix !== null && !startsWith(bytes, keyStart, keyEnd, keyPrefix)) return undefined;
    keyStart += keyPrefix?.length ?? 0;
    return new KeyNotification(
      kind,
      database,
      timestamp,
      bytes,
      keyStart,
      keyEnd,
      eventStart,
      eventEnd,
      keyPrefix,
      message,
    );
  }

  /** {@linkcode readWholeKey}, which cannot reach the bytes from outside. */
  private static readKey<T>(
    notification: KeyNotification,
    read: (bytes: Uint8Array, start: number, end: number) => T,
  ): T | null {
    const bytes = notification.#bytes;
    if (bytes === null) return null;
    const start = notification.#keyStart - (notification.#prefix?.length ?? 0);
    return read(bytes, start, notification.#keyEnd);
  }

  /**
   * Reads a message of any client.
   *
   * @param message One of
   * - an object `{ type?, channel, data }`, with the payload in `data`, `message` or `payload`;
   * - a push: `["message", channel, payload]` or `["pmessage", pattern, channel, payload]`;
   * - a listener's arguments: `[channel, payload]` or `[pattern, channel, payload]` of ioredis,
   *   `[payload, channel]` of node-redis.
   *
   * Each part may be text or bytes. Text cannot represent keys that are not UTF-8.
   * @param options The prefix, and when it was read.
   * @returns `null` if it is not a well-formed notification, or the key lacks the prefix.
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
      const parts = readClientMessage(message);
      return parts && KeyNotification.tryParse(...parts, options);
    } catch {
      return null;
    }
  }

  /**
   * Reads a channel and its payload.
   *
   * @param channel A whole channel, such as `__keyspace@0__:user:1`, as text or bytes.
   * @param data Its payload, as text or bytes.
   * @param options The prefix, and when it was read.
   * @returns `null` if they are not a well-formed notification, or the key lacks the prefix.
   *
   * @example
   * ```ts
   * import { KeyNotification } from "@keywatch/keywatch/parse";
   *
   * KeyNotification.tryParse("__keyevent@0__:del", "app:k", { keyPrefix: "app:" })?.key; // "k"
   * KeyNotification.tryParse("news", "hello"); // null
   * ```
   */
  static tryParse(channel: unknown, data: unknown, options?: ParseOptions): KeyNotification | null {
    try {
      return parseNotification(
        placeTogether(toBytes(channel), toBytes(data)),
        options?.timestamp ?? Date.now(),
        toBytes(options?.keyPrefix ?? ""),
      ) ?? null;
    } catch {
      return null;
    }
  }

  /** Whether its channel names the key: keyspace, subkeyspace, subkeyspaceitem. */
  get isKeyspace(): boolean {
    return !this.kind.endsWith("event");
  }

  /** The key, without the requested prefix. */
  get key(): string {
    return this.#key ?? this.detach().#key!;
  }

  /** The length of {@linkcode key} in bytes. */
  get keyByteLength(): number {
    return this.#keyEnd - this.#keyStart;
  }

  /** The bytes of {@linkcode key}. Each call returns a new copy. */
  get keyBytes(): Uint8Array {
    const copy = new Uint8Array(this.keyByteLength);
    this.copyKey(copy);
    this.detach();
    return copy;
  }

  /** The name of the event. */
  get eventType(): ReceivedEvent {
    return this.detach().#event! as ReceivedEvent;
  }

  /** The subkeys in the server's order. Each call returns a new array. */
  get subkeys(): string[] {
    return this.subkeyBytes.map((subkey) => decodeText(subkey));
  }

  /** The bytes of {@linkcode subkeys}. Each call returns new copies. */
  get subkeyBytes(): Uint8Array[] {
    const message = this.detach().#message;
    if (message === null) return [];
    return locateParts(message)!.subkeys!.map(({ start, end }) => message.bytes.slice(start, end));
  }

  /** The whole channel. */
  get channel(): string {
    const message = this.detach().#message;
    if (message !== null) return decodeText(message.bytes, 0, message.channelEnd);
    const name = this.isKeyspace ? this.#wholeKey() : this.#event;
    return `__${this.kind}@${this.database}__:${name}`;
  }

  /** The whole payload. */
  get data(): string {
    const message = this.detach().#message;
    if (message !== null) return decodeText(message.bytes, message.payloadStart);
    return this.isKeyspace ? this.#event! : this.#wholeKey();
  }

  /**
   * Returns whether {@linkcode eventType} is this event.
   *
   * Like `keyStartsWith`, `keyByteLength` and `copyKey`, it creates no text for a notification that a
   * filter drops. Notifications that you parse have none before, nor have those of one server that a
   * `handler` gets while it is not busy. Others, which may have waited in a queue, have it already.
   *
   * @param name The name of the event.
   *
   * @example
   * ```ts
   * import type { KeyNotification } from "@keywatch/keywatch/parse";
   *
   * const isLogout = (notification: KeyNotification): boolean =>
   *   notification.eventIs("expired") && notification.keyStartsWith("session:");
   * ```
   */
  eventIs(name: EventName): boolean {
    return this.#eventText() === name;
  }

  /**
   * Returns whether {@linkcode key} starts with a prefix. Bytes are compared.
   *
   * @param prefix Text or bytes.
   */
  keyStartsWith(prefix: string | Uint8Array): boolean {
    const part = typeof prefix === "string" ? prefix : toBytes(prefix);
    // One character more than there are bytes, so that no byte compared is of a pair cut in two.
    const bytes = this.#bytes ?? encodeUtf8(this.#key!.slice(0, part.length + 1));
    const found = startsWith(bytes, this.#keyStart, this.#keyEnd, part);
    // A key with the prefix is read or kept next. Of another one nothing has been created.
    if (found) this.detach();
    return found;
  }

  /**
   * Copies the bytes of {@linkcode key}.
   *
   * @param into Takes them, from its beginning on.
   * @returns Their number, {@linkcode keyByteLength}.
   * @throws {RangeError} If `into` is too short.
   *
   * @example
   * ```ts
   * import type { KeyNotification } from "@keywatch/keywatch/parse";
   *
   * const buffer = new Uint8Array(512);
   * const lastByte = (notification: KeyNotification) => buffer[notification.copyKey(buffer) - 1];
   * ```
   */
  copyKey(into: Uint8Array): number {
    into.set(this.#bytes?.subarray(this.#keyStart, this.#keyEnd) ?? encodeUtf8(this.#key!));
    return this.keyByteLength;
  }

  /**
   * Releases the bytes that it was read from, so that keeping it keeps nothing else alive.
   *
   * Reading a text, `keyBytes` or subkeys does the same.
   */
  detach(): this {
    if (this.#key !== null) return this;
    this.#eventText();
    const bytes = this.#bytes!;
    const key = decodeText(bytes, this.#keyStart, this.#keyEnd);
    let start = this.#keyStart;
    if (!key.includes("\ufffd")) {
      // The text is exact, and cheaper to keep than a copy: the bytes can be made of it again.
      this.#bytes = null;
    } else {
      start -= this.#prefix?.length ?? 0;
      // The constructor, because the `slice` of a `Buffer` shares its memory.
      this.#bytes = new Uint8Array(bytes.subarray(start, this.#keyEnd));
    }
    this.#key = key;
    this.#keyStart -= start;
    this.#keyEnd -= start;
    return this;
  }

  /** Returns its values as a plain object, for `JSON.stringify`. */
  toJSON(): Record<string, unknown> {
    return { ...this as object, key: this.key, eventType: this.eventType, subkeys: this.subkeys };
  }

  /** Returns a text such as `hset "user:1" in database 0`. */
  toString(): string {
    return `${this.eventType} ${JSON.stringify(this.key)} in database ${this.database}`;
  }

  /** Events repeat, so that their texts are mostly remembered ones. */
  #eventText(): string {
    return this.#event ??= decodeText(this.#bytes!, this.#eventStart, this.#eventEnd);
  }

  /** The key with its prefix, once it is detached: a copy holds nothing else. */
  #wholeKey(): string {
    if (this.#bytes !== null) return decodeText(this.#bytes);
    return (this.#prefix === null ? "" : decodeText(this.#prefix)) + this.#key;
  }
}

/**
 * Reads a notification in a larger buffer.
 *
 * The key is not copied: the notification refers to the bytes, which must not change, until a text of it
 * is read or {@linkcode KeyNotification.detach} is called.
 *
 * @param place A message in a chunk from the network.
 * @param timestamp When the chunk was read, in ms since the epoch.
 * @param keyPrefix Required of keys, and stripped from them.
 * @returns `null` if it is not a well-formed notification, `undefined` if its key lacks the prefix.
 */
export const parseNotification: (
  place: MessagePlace,
  timestamp: number,
  keyPrefix: Uint8Array | null,
) => KeyNotification | null | undefined = /* @__PURE__ */ makeParser();

/** A bundler that leaves the parser out leaves out what is done to the class here, too. */
function makeParser(): typeof parseNotification {
  // For `console.log` in Node, Deno and Bun, which shows no getters. As a method of the class, TypeScript
  // could not declare it where declarations are isolated.
  Object.defineProperty(KeyNotification.prototype, Symbol.for("nodejs.util.inspect.custom"), {
    value: KeyNotification.prototype.toJSON,
  });
  return KeyNotification["parse"];
}

/**
 * Passes the bytes of a key, with its stripped prefix, to `read`.
 *
 * @returns The result of `read`; `null` if the bytes were released, because the texts are exact.
 */
export function readWholeKey<T>(
  notification: KeyNotification,
  read: (bytes: Uint8Array, start: number, end: number) => T,
): T | null {
  return KeyNotification["readKey"](notification, read);
}
