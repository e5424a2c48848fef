import { MAX_DATABASE } from "./constants.ts";
import { type ChannelType, getChannelType } from "./channel_type.ts";
import { escapeGlob, isPattern, toBinary, unescapeGlob } from "./glob.ts";
import { fromByteText } from "../bytes/byte_text.ts";
import { decodeText } from "../bytes/text.ts";
import { toBytes } from "../bytes/to_bytes.ts";

/**
 * Options for building a channel.
 *
 * @example
 * ```ts
 * import { type ChannelOptions, KeyspaceChannel } from "@keywatch/keywatch/parse";
 *
 * const options: ChannelOptions = { db: 3, as: "prefix" };
 * new KeyspaceChannel("user:", options).toString(); // "__keyspace@3__:user:*"
 * ```
 */
export interface ChannelOptions {
  /**
   * The database, from 0 to 2 ** 31 - 1, or `"*"` for all of them. A subscription uses the database of
   * the URL by default. Default: 0.
   *
   * `"*"` makes a pattern, in which the database may be any text: with the key `k` it also matches the
   * channel of a key that ends in `__:k`.
   */
  db?: number | "*" | undefined;
  /**
   * How names are read: `"exact"`, character by character; `"prefix"`, the last name as a prefix;
   * `"pattern"`, as globs. Default: a name is a glob if it contains unescaped glob
   * characters.
   */
  as?: "exact" | "prefix" | "pattern" | undefined;
}

/**
 * A key, an event or a subkey, or a glob of them.
 *
 * @example
 * ```ts
 * import { KeyspaceChannel, type NameOrPattern } from "@keywatch/keywatch/parse";
 *
 * const names: NameOrPattern[] = ["user:*", new Uint8Array([0xff, 0x00])];
 * const channels = names.map((name) => new KeyspaceChannel(name));
 * ```
 */
export type NameOrPattern = string | Uint8Array;

/**
 * A channel for `SUBSCRIBE` or a pattern for `PSUBSCRIBE`.
 *
 * Its six subclasses build channels of notifications from keys and events. {@linkcode toChannel} takes
 * a whole channel.
 *
 * @example
 * ```ts
 * import { Channel } from "@keywatch/keywatch/parse";
 *
 * const channel = new Channel(new TextEncoder().encode("__keyevent@0__:*"), true);
 * channel.type; // "keyevent"
 * channel.equals("__keyevent@0__:*"); // true
 * ```
 */
export class Channel {
  /** The channel or pattern as it is sent to the server. Do not change it. */
  readonly bytes: Uint8Array;
  /** Whether it is a pattern, which requires `PSUBSCRIBE`. */
  readonly isPattern: boolean;

  /**
   * Creates a channel from its bytes.
   *
   * @param bytes The whole channel or pattern. Copied.
   * @param isPattern Whether it is a pattern.
   * @throws {TypeError} If `bytes` is not bytes, or their buffer was transferred.
   */
  constructor(bytes: Uint8Array, isPattern: boolean) {
    this.bytes = new Uint8Array(toBytes(bytes));
    this.isPattern = isPattern;
  }

  /** The channel type, or `null` if the beginning names none. */
  get type(): ChannelType | null {
    return getChannelType(this.bytes);
  }

  /**
   * Returns whether another channel is the same subscription.
   *
   * @param other Text and bytes are read as {@linkcode toChannel} does.
   */
  equals(other: string | Uint8Array | Channel): boolean {
    const { bytes, isPattern } = toChannel(other);
    return isPattern === this.isPattern && toBinary(bytes) === toBinary(this.bytes);
  }

  /** Returns the channel as text. Invalid UTF-8 becomes U+FFFD. */
  toString(): string {
    return decodeText(this.bytes);
  }
}

/**
 * Converts a whole channel, such as `__keyspace@0__:user:*`, to a `Channel`.
 *
 * What {@linkcode isPattern} accepts becomes a pattern. Anything else is exact, without the backslashes
 * that escape glob characters: `a\*b` is the channel `a*b`.
 *
 * @param value A `Channel` is returned as it is.
 *
 * @example
 * ```ts
 * import { toChannel } from "@keywatch/keywatch/parse";
 *
 * toChannel("__keyevent@*__:expired").isPattern; // true
 * ```
 */
export function toChannel(value: string | Uint8Array | Channel): Channel {
  if (value instanceof Channel) return value;
  const text = toBinary(value);
  const pattern = isPattern(text);
  return new Channel(fromByteText(pattern ? text : unescapeGlob(text)), pattern);
}

/** The arguments of a constructor with `as` set in their options. */
function withNames<A extends unknown[]>(as: ChannelOptions["as"], args: A): A {
  const names = args.filter((arg) => typeof arg === "string" || "length" in Object(arg));
  return [...names, { ...args[names.length] as ChannelOptions, as }] as unknown[] as A;
}

/**
 * A channel of notifications, of one of the six types: `__<type>@<db>__:` and one or two names.
 *
 * All constructors throw a `RangeError` if the database is not a whole number from 0 to 2 ** 31 - 1, and
 * a `TypeError` if there is another option.
 *
 * @example
 * ```ts
 * import { KeyeventChannel, type NotificationChannel } from "@keywatch/keywatch/parse";
 *
 * const describe = (channel: NotificationChannel): string => `${channel} of ${channel.db}`;
 * describe(new KeyeventChannel("set")); // "__keyevent@0__:set of 0"
 * ```
 */
export class NotificationChannel extends Channel {
  /** The database, or `"*"` for all. */
  readonly db: number | "*";
  /** Whether the database was given. */
  readonly hasDb: boolean;

  /**
   * Builds the channel.
   *
   * @param type The channel type.
   * @param separator Separates two names. The first cannot contain it.
   * @param options The database, and how names are read.
   * @param names One or two.
   */
  constructor(
    type: ChannelType,
    separator: string,
    options: ChannelOptions = {},
    ...names: NameOrPattern[]
  ) {
    const { db = 0, as } = options;
    const failure = `Cannot build a ${type} channel: `;
    const unknown = Object.keys(options).find((name) => name !== "db" && name !== "as");
    if (unknown) throw new TypeError(`${failure}the option ${unknown} is not db or as`);
    if (db !== "*" && (db & MAX_DATABASE) !== db) {
      throw new RangeError(
        `${failure}db is the ${typeof db} ${db}, not a whole number from 0 to 2147483647 or "*"`,
      );
    }
    // All names become globs first. If none has unescaped glob characters, that is undone at the end.
    const globs = names.map((name, place) => {
      const text = toBinary(name, place);
      return as === "pattern" || !as && isPattern(text)
        ? text
        : escapeGlob(as ? text : unescapeGlob(text));
    });
    if (separator && globs[0]!.includes(separator)) {
      throw new TypeError(
        `${failure}the server sends none for a name with ${JSON.stringify(separator)}`,
      );
    }
    const end = as === "prefix" ? "*" : "";
    const glob = `__${type}@${db}__:${globs.join(separator)}${end}`;
    const pattern = as === "pattern" || isPattern(glob);
    super(fromByteText(pattern ? glob : unescapeGlob(glob)), pattern);
    this.db = db;
    this.hasDb = options.db !== undefined;
  }

  /**
   * Returns the same channel of another database if none was given, and otherwise this one.
   *
   * @param db The database of a connection.
   */
  inDatabase(db: number): this {
    if (this.hasDb || db === this.db) return this;
    const bytes = fromByteText(toBinary(this.bytes).replace("@0", `@${db}`));
    return Object.assign(Object.create(Object.getPrototypeOf(this)), this, { db, bytes });
  }

  /**
   * Returns the channel of exactly these names, whatever characters they contain.
   *
   * @param args As for the constructor.
   */
  static exact<A extends unknown[], C>(this: new (...args: A) => C, ...args: A): C {
    return new this(...withNames("exact", args));
  }

  /**
   * Returns the pattern of all channels whose last name has this prefix, whatever characters it
   * contains.
   *
   * @param args As for the constructor, with the prefix in place of the last name.
   */
  static prefix<A extends unknown[], C>(this: new (...args: A) => C, ...args: A): C {
    return new this(...withNames("prefix", args));
  }

  /**
   * Returns the pattern of all channels whose names match these globs.
   *
   * @param args As for the constructor, with globs, which are sent to the server as they are.
   */
  static pattern<A extends unknown[], C>(this: new (...args: A) => C, ...args: A): C {
    return new this(...withNames("pattern", args));
  }
}

/**
 * All events of a key, or of the keys that match a glob. The payload is the event.
 *
 * @example
 * ```ts
 * import { KeyspaceChannel } from "@keywatch/keywatch/parse";
 *
 * new KeyspaceChannel("user:*").toString(); // "__keyspace@0__:user:*", a pattern
 * KeyspaceChannel.exact("user:*").isPattern; // false: the one key of that name
 * KeyspaceChannel.prefix("user:", { db: "*" }).toString(); // "__keyspace@*__:user:*"
 * ```
 */
export class KeyspaceChannel extends NotificationChannel {
  /**
   * Builds the channel. For arbitrary keys use `exact` and `prefix`.
   *
   * @param key A key, or a glob if it contains unescaped glob characters.
   * @param options The database, and how the key is read.
   */
  constructor(key: NameOrPattern, options?: ChannelOptions) {
    super("keyspace", "", options, key);
  }
}

/**
 * An event on all keys, or the events that match a glob. The payload is the key.
 *
 * @example
 * ```ts
 * import { KeyeventChannel } from "@keywatch/keywatch/parse";
 *
 * new KeyeventChannel("expired").toString(); // "__keyevent@0__:expired"
 * KeyeventChannel.allEvents({ db: 3 }).toString(); // "__keyevent@3__:*"
 * ```
 */
export class KeyeventChannel extends NotificationChannel {
  /**
   * Builds the channel.
   *
   * @param event An event, or a glob if it contains unescaped glob characters.
   * @param options The database, and how the event is read.
   */
  constructor(event: NameOrPattern, options?: ChannelOptions) {
    super("keyevent", "", options, event);
  }

  /** Returns the pattern of all events on all keys. */
  static allEvents(options?: ChannelOptions): KeyeventChannel {
    return new KeyeventChannel("*", options);
  }
}

/**
 * All events on the subkeys of a key, or of the keys that match a glob. The payload is the event and
 * the subkeys. Redis 8.8 and later.
 *
 * @example
 * ```ts
 * import { SubkeyspaceChannel } from "@keywatch/keywatch/parse";
 *
 * new SubkeyspaceChannel("cart:7").toString(); // "__subkeyspace@0__:cart:7"
 * ```
 */
export class SubkeyspaceChannel extends NotificationChannel {
  /**
   * Builds the channel.
   *
   * @param key A key, or a glob if it contains unescaped glob characters.
   * @param options The database, and how the key is read.
   */
  constructor(key: NameOrPattern, options?: ChannelOptions) {
    super("subkeyspace", "", options, key);
  }
}

/**
 * An event on the subkeys of all keys. The payload is the key and the subkeys. Redis 8.8 and later.
 *
 * @example
 * ```ts
 * import { SubkeyeventChannel } from "@keywatch/keywatch/parse";
 *
 * new SubkeyeventChannel("hdel").toString(); // "__subkeyevent@0__:hdel"
 * ```
 */
export class SubkeyeventChannel extends NotificationChannel {
  /**
   * Builds the channel.
   *
   * @param event An event, or a glob if it contains unescaped glob characters.
   * @param options The database, and how the event is read.
   */
  constructor(event: NameOrPattern, options?: ChannelOptions) {
    super("subkeyevent", "", options, event);
  }

  /** Returns the pattern of all events on the subkeys of all keys. */
  static allEvents(options?: ChannelOptions): SubkeyeventChannel {
    return new SubkeyeventChannel("*", options);
  }
}

/**
 * All events on one subkey of one key. The payload is the event. Redis 8.8 and later.
 *
 * @example
 * ```ts
 * import { SubkeyspaceitemChannel } from "@keywatch/keywatch/parse";
 *
 * new SubkeyspaceitemChannel("cart:7", "total").toString(); // "__subkeyspaceitem@0__:cart:7\ntotal"
 * ```
 */
export class SubkeyspaceitemChannel extends NotificationChannel {
  /**
   * Builds the channel.
   *
   * @param key A key, or a glob if it contains unescaped glob characters.
   * @param subkey Likewise.
   * @param options The database, and how the names are read.
   * @throws {TypeError} If the key contains a newline: the server skips such keys on this channel.
   */
  constructor(key: NameOrPattern, subkey: NameOrPattern, options?: ChannelOptions) {
    super("subkeyspaceitem", "\n", options, key, subkey);
  }
}

/**
 * One event on one key. The payload is the subkeys. Redis 8.8 and later.
 *
 * @example
 * ```ts
 * import { SubkeyspaceeventChannel } from "@keywatch/keywatch/parse";
 *
 * new SubkeyspaceeventChannel("hset", "cart:7").toString(); // "__subkeyspaceevent@0__:hset|cart:7"
 * ```
 */
export class SubkeyspaceeventChannel extends NotificationChannel {
  /**
   * Builds the channel.
   *
   * @param event An event, or a glob if it contains unescaped glob characters.
   * @param key Likewise.
   * @param options The database, and how the names are read.
   * @throws {TypeError} If the event contains a `|`: the server skips such events on this channel.
   */
  constructor(event: NameOrPattern, key: NameOrPattern, options?: ChannelOptions) {
    super("subkeyspaceevent", "|", options, event, key);
  }
}
