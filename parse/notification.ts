import { decodeText, isAscii } from "../bytes/text.ts";
import { toBytes } from "../bytes/to_bytes.ts";
import { encodeUtf8 } from "../bytes/utf8.ts";
import { ChannelType, channelTypeAt, getChannelType } from "./channel_type.ts";
import { MAX_DATABASE, NEWLINE, PIPE, UNDERSCORE } from "./constants.ts";
import type { EventName } from "./event.ts";
import { matchGlob } from "./glob.ts";
import { indexOfByte, readCounted, readDecimal, readList, type Span, startsWith } from "./spans.ts";

/** What stands between the database and the first name of a channel. */
const SEPARATOR = /* @__PURE__ */ encodeUtf8("__:");

/** Where the parts of a message with subkeys lie. */
interface SubkeyLayout {
  /** The channel after the separator. */
  readonly names: Span;
  /** The payload. */
  readonly data: Span;
  readonly subkeys: readonly Span[];
}

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
  keyPrefix?: string | Uint8Array | null;
  /** When the message was read, in ms since the epoch. Default: now. */
  timestamp?: number;
}

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
 * const notification = KeyNotification.tryParse("__keyspace@0__:user:1", "hset");
 * notification?.key; // "user:1"
 * notification?.eventType; // "hset"
 * ```
 */
export class KeyNotification {
  /** The type of the channel that it came on. */
  readonly kind: ChannelType;
  /** The number of the database. */
  readonly database: number;
  /** When the message was read, in ms since the epoch. */
  timestamp: number;
  /** In a cluster, the `host:port` of the node that sent it; set by the node's reader. */
  node: string | undefined;
  /** In a cluster, the hash slot of the key; set by the node's reader. */
  slot: number | undefined;
  /**
   * In a cluster, `true` if only a slot migration caused it, `"maybe"` if that cannot be decided; set
   * by the migration filter.
   */
  migration: boolean | "maybe" | undefined;

  /** Holds the key; after `detach` a copy, or `null` if the texts below say the same. */
  #bytes: Uint8Array | null;
  #keyStart: number;
  #keyEnd: number;
  readonly #event: string;
  /** `null` until it is detached. */
  #key: string | null = null;
  /** What was stripped of the key. */
  readonly #prefix: Uint8Array | null;
  /** `null` on a channel without subkeys. */
  readonly #layout: SubkeyLayout | null;

  // One without subkeys holds no other object, because there are many.
  private constructor(
    kind: ChannelType,
    database: number,
    timestamp: number,
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    event: string,
    prefix: Uint8Array | null,
    layout: SubkeyLayout | null,
  ) {
    this.kind = kind;
    this.database = database;
    this.timestamp = timestamp;
    this.#bytes = bytes;
    this.#keyStart = keyStart;
    this.#keyEnd = keyEnd;
    this.#event = event;
    this.#prefix = prefix;
    this.#layout = layout;
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
    isCopy = false,
  ): KeyNotification | null | undefined {
    const kind = channelTypeAt(bytes, channelStart);
    if (kind === null) return null;
    const hasSubkeys = kind.startsWith("sub");
    if (hasSubkeys && !isCopy) {
      // Such messages are rare. A copy of one spares `detach` from moving all places in it.
      return KeyNotification.parse(
        new Uint8Array(bytes.subarray(channelStart, dataEnd)),
        0,
        channelEnd - channelStart,
        dataStart - channelStart,
        dataEnd - channelStart,
        timestamp,
        keyPrefix,
        true,
      );
    }
    const databaseStart = channelStart + "__@".length + kind.length;
    const databaseEnd = indexOfByte(UNDERSCORE, bytes, databaseStart, channelEnd);
    const database = readDecimal(bytes, databaseStart, databaseEnd, MAX_DATABASE);
    const namesStart = databaseEnd + SEPARATOR.length;
    if (database < 0 || namesStart > channelEnd) return null;
    if (!startsWith(bytes, databaseEnd, SEPARATOR)) return null;

    // As in a keyspace notification: the channel names the key, and the payload is the event.
    let keyStart = namesStart;
    let keyEnd = channelEnd;
    let eventStart = dataStart;
    let eventEnd = dataEnd;
    let subkeys: Span[] | null = null;
    switch (kind) {
      case ChannelType.KEYSPACE:
        break;
      case ChannelType.KEYEVENT:
        eventStart = namesStart;
        eventEnd = channelEnd;
        keyStart = dataStart;
        keyEnd = dataEnd;
        break;
      case ChannelType.SUBKEYSPACE:
        // The payload is `<event>|<subkeys>`.
        eventEnd = indexOfByte(PIPE, bytes, dataStart, dataEnd);
        // Otherwise a list would be read that stands before this message.
        if (eventEnd < 0) return null;
        subkeys = readList(bytes, eventEnd + 1, dataEnd);
        break;
      case ChannelType.SUBKEYEVENT: {
        // The channel names the event, and the payload is `<length>:<key>|<subkeys>`.
        const key = readCounted(bytes, dataStart, dataEnd);
        if (key === null || bytes[key.end] !== PIPE) return null;
        eventStart = namesStart;
        eventEnd = channelEnd;
        keyStart = key.start;
        keyEnd = key.end;
        subkeys = readList(bytes, keyEnd + 1, dataEnd);
        break;
      }
      case ChannelType.SUBKEYSPACEITEM:
        // The channel names `<key>\n<subkey>`.
        keyEnd = indexOfByte(NEWLINE, bytes, namesStart, channelEnd);
        subkeys = [{ start: keyEnd + 1, end: channelEnd }];
        break;
      case ChannelType.SUBKEYSPACEEVENT:
        // The channel names `<event>|<key>`, and the payload is the subkeys.
        eventStart = namesStart;
        eventEnd = indexOfByte(PIPE, bytes, namesStart, channelEnd);
        keyStart = eventEnd + 1;
        subkeys = readList(bytes, dataStart, dataEnd);
        break;
    }
    // An end that was not found is -1.
    if (eventEnd <= eventStart || keyEnd < keyStart) return null;
    let layout: SubkeyLayout | null = null;
    if (hasSubkeys) {
      if (subkeys === null) return null;
      const names = { start: namesStart, end: channelEnd };
      layout = { names, data: { start: dataStart, end: dataEnd }, subkeys };
    }
    if (keyPrefix !== null) {
      if (keyEnd - keyStart < keyPrefix.length) return undefined;
      if (!startsWith(bytes, keyStart, keyPrefix)) return undefined;
      keyStart += keyPrefix.length;
    }
    const event = decodeText(bytes, eventStart, eventEnd);
    return new KeyNotification(
      kind,
      database,
      timestamp,
      bytes,
      keyStart,
      keyEnd,
      event,
      keyPrefix,
      layout,
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
   * - an object `{ type?, pattern?, channel, data }`, with the payload in `data`, `message` or
   *   `payload`, and a `type` that ends in `message` if it has one;
   * - an array `["message", channel, payload]` or `["pmessage", pattern, channel, payload]`, which
   *   is a push;
   * - an array of a listener's arguments: `[channel, payload]` or `[pattern, channel, payload]` of
   *   ioredis; `[payload, channel]` of node-redis, if the first is not a channel of notifications.
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
      if (!Array.isArray(message)) {
        const { type = "message", channel, data, message: text, payload } = message as Record<
          string,
          unknown
        >;
        return matchGlob("*message", type as string)
          ? KeyNotification.tryParse(channel, data ?? text ?? payload, options)
          : null;
      }
      if (message.length === 2) {
        const [first, second] = message;
        return getChannelType(first) === null
          ? KeyNotification.tryParse(second, first, options)
          : KeyNotification.tryParse(first, second, options);
      }
      const [typeOrPattern, channel, payload] = message.slice(-3);
      return matchGlob("*message", typeOrPattern) || matchGlob(typeOrPattern, channel)
        ? KeyNotification.tryParse(channel, payload, options)
        : null;
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

  /** Whether its channel names the key: keyspace, subkeyspace, subkeyspaceitem. */
  get isKeyspace(): boolean {
    return !this.kind.endsWith("event");
  }

  /** The key, without the requested prefix. */
  get key(): string {
    return this.#key ?? this.detach().#key!;
  }

  /** The bytes of {@linkcode key}. Each call returns a new copy. */
  get keyBytes(): Uint8Array {
    const copy = this.#bytes ? new Uint8Array(this.#keyView()) : encodeUtf8(this.#key!);
    this.detach();
    return copy;
  }

  /** The name of the event. */
  get eventType(): EventName {
    return this.detach().#event;
  }

  /** The subkeys in the server's order. Each call returns a new array. */
  get subkeys(): string[] {
    return this.#mapSubkeys(({ start, end }) => decodeText(this.#bytes!, start, end));
  }

  /** The bytes of {@linkcode subkeys}. Each call returns new copies. */
  get subkeyBytes(): Uint8Array[] {
    return this.#mapSubkeys(({ start, end }) => this.#bytes!.slice(start, end));
  }

  /** The whole channel. */
  get channel(): string {
    const layout = this.detach().#layout;
    const names = layout
      ? decodeText(this.#bytes!, layout.names.start, layout.names.end)
      : this.isKeyspace
      ? this.#wholeKey()
      : this.#event;
    return `__${this.kind}@${this.database}__:${names}`;
  }

  /** The whole payload. */
  get data(): string {
    const layout = this.detach().#layout;
    return layout
      ? decodeText(this.#bytes!, layout.data.start, layout.data.end)
      : this.isKeyspace
      ? this.#event
      : this.#wholeKey();
  }

  /**
   * Returns whether {@linkcode key} starts with a prefix. Bytes are compared.
   *
   * @param prefix Text or bytes.
   */
  keyStartsWith(prefix: string | Uint8Array): boolean {
    const part = toBytes(prefix);
    const bytes = this.#bytes
      ? this.#keyView()
      // One character more than there are bytes, so that no byte compared is of a pair cut in two.
      : encodeUtf8(this.#key!.slice(0, part.length + 1));
    this.detach();
    // Past its end the key has `undefined`, which no byte of the prefix is.
    return startsWith(bytes, 0, part);
  }

  /**
   * Releases the bytes that it was read from, so that keeping it keeps nothing else alive. Reading any
   * text or bytes of it does the same.
   */
  detach(): this {
    if (this.#key !== null) return this;
    const bytes = this.#bytes!;
    const key = decodeText(bytes, this.#keyStart, this.#keyEnd);
    this.#key = key;
    // Bytes with subkeys hold nothing else.
    if (this.#layout !== null) return this;
    if (isAscii(bytes, this.#keyStart, this.#keyEnd) || !key.includes("\ufffd")) {
      // The text is exact, and cheaper to keep than a copy: the bytes can be made of it again.
      this.#bytes = null;
    } else {
      const start = this.#keyStart - (this.#prefix?.length ?? 0);
      // The constructor, because the `slice` of a `Buffer` shares its memory.
      this.#bytes = new Uint8Array(bytes.subarray(start, this.#keyEnd));
      this.#keyStart -= start;
      this.#keyEnd -= start;
    }
    return this;
  }

  /** Returns its values as a plain object, for `JSON.stringify`. */
  toJSON(): Record<string, unknown> {
    const { key, eventType, subkeys } = this;
    return { ...this as object, key, eventType, subkeys };
  }

  /** Returns a text such as `hset "user:1" in database 0`. */
  toString(): string {
    return `${this.eventType} ${JSON.stringify(this.key)} in database ${this.database}`;
  }

  /** The key as it stands in what there is of bytes. */
  #keyView(): Uint8Array {
    return this.#bytes!.subarray(this.#keyStart, this.#keyEnd);
  }

  /** The key with its prefix, once it is detached. Without subkeys, a copy holds nothing else. */
  #wholeKey(): string {
    if (this.#bytes !== null) return decodeText(this.#bytes);
    return (this.#prefix === null ? "" : decodeText(this.#prefix)) + this.#key;
  }

  #mapSubkeys<T>(map: (span: Span) => T): T[] {
    return this.detach().#layout?.subkeys.map(map) ?? [];
  }
}

/**
 * Reads a notification in a larger buffer.
 *
 * The key is not copied: the notification refers to `bytes`, which must not change, until a text of it
 * is read or {@linkcode KeyNotification.detach} is called.
 *
 * @param bytes A chunk from the network.
 * @param channelStart Index of the first byte of the channel.
 * @param channelEnd Index after its last byte; not after the start of the payload.
 * @param dataStart Index of the first byte of the payload.
 * @param dataEnd Index after its last byte.
 * @param timestamp When the chunk was read, in ms since the epoch.
 * @param keyPrefix Required of keys, and stripped from them.
 * @returns `null` if it is not a well-formed notification, `undefined` if its key lacks the prefix.
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
