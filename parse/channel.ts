import { MAX_DATABASE } from "./constants.ts";
import { type ChannelType, getChannelType } from "./channel_type.ts";
import { escapeGlob, isPattern, toBinary, unescapeGlob } from "./glob.ts";
import { fromByteText } from "../bytes/byte_text.ts";
import { decodeText } from "../bytes/text.ts";
import { toBytes } from "../bytes/to_bytes.ts";

/**
 * Where a channel is subscribed to.
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
   * The database, a number up to 2 ** 31 - 1, or `"*"` for all of them. Default: 0.
   *
   * All of them takes a pattern, which cannot tell where the database ends: with the key `k` it also
   * brings what happens to a key that ends in `__:k`.
   */
  db?: number | "*";
  /**
   * How the names are meant: `"exact"`, as they are; `"prefix"`, so that the last is a beginning;
   * `"pattern"`, as globs. By default each with live glob characters is a glob, and each without
   * them exact.
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
 * What can be subscribed to: a channel for `SUBSCRIBE` or a pattern for `PSUBSCRIBE`.
 *
 * The six classes build the channels of the notifications from keys and events;
 * {@linkcode toChannel} takes any channel as it stands.
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
  /** The channel or the pattern as it goes to the server. Not to be changed. */
  readonly bytes: Uint8Array;
  /** Whether it is a pattern, which takes `PSUBSCRIBE`. */
  readonly isPattern: boolean;

  /**
   * Takes a channel as it is.
   *
   * @param bytes The whole channel or pattern.
   * @param isPattern Which of the two it is.
   * @throws {TypeError} It is no bytes, or their buffer was transferred.
   */
  constructor(bytes: Uint8Array, isPattern: boolean) {
    // A copy: the caller may write to its own, or transfer them.
    this.bytes = new Uint8Array(toBytes(bytes));
    this.isPattern = isPattern;
  }

  /** The family, or `null` when the beginning names none. */
  get type(): ChannelType | null {
    return getChannelType(this.bytes);
  }

  /**
   * Whether the other is the same subscription.
   *
   * @param other Text and bytes are taken as {@linkcode toChannel} does.
   */
  equals(other: string | Uint8Array | Channel): boolean {
    const { bytes, isPattern } = toChannel(other);
    return isPattern === this.isPattern && toBinary(bytes) === toBinary(this.bytes);
  }

  /** The channel or pattern as text; bytes that are not UTF-8 show as U+FFFD. */
  toString(): string {
    return decodeText(this.bytes);
  }
}

/**
 * Takes a whole channel, such as `__keyspace@0__:user:*`, as it stands.
 *
 * Text and bytes that {@linkcode isPattern} are patterns. All else is exact, and then backslashes
 * that only take the meaning of a glob character away are left out: `a\*b` is the channel `a*b`.
 *
 * @param value A `Channel` comes back as it is.
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

/** The arguments of a constructor, with its options saying how the names are meant. */
function withNames<A extends unknown[]>(as: ChannelOptions["as"], args: A): A {
  const names = args.filter((arg) => typeof arg === "string" || "length" in Object(arg));
  return [...names, { ...args[names.length] as ChannelOptions, as }] as unknown[] as A;
}

/**
 * A channel of the notifications: `__<type>@<db>__:` and one or two names.
 *
 * @example
 * ```ts
 * import { type FamilyChannel, KeyeventChannel, KeyspaceChannel } from "@keywatch/keywatch/parse";
 *
 * const both: FamilyChannel[] = [new KeyspaceChannel("user:*"), new KeyeventChannel("expired")];
 * both.map(({ db }) => db); // [0, 0]
 * ```
 */
export class FamilyChannel extends Channel {
  /** The database, or `"*"` for all. */
  readonly db: number | "*";

  /**
   * Puts the channel together.
   *
   * @param type The family.
   * @param separator Stands between two names, and so cannot be part of the first.
   * @param options The database.
   * @param names One or two.
   * @throws {RangeError} The database is no whole number from 0 to 2 ** 31 - 1.
   * @throws {TypeError} The first of two names holds the separator.
   */
  constructor(
    type: ChannelType,
    separator: string,
    { db = 0, as }: ChannelOptions = {},
    ...names: NameOrPattern[]
  ) {
    const failure = `Cannot build a ${type} channel: `;
    if (db !== "*" && (db & MAX_DATABASE) !== db) {
      throw new RangeError(
        `${failure}db is the ${typeof db} ${db}, not a whole number from 0 to 2147483647 or "*"`,
      );
    }
    // All are made globs first, and a channel without a live one is taken back at the end.
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
  }

  /**
   * The channel of exactly these names, whatever characters they have.
   *
   * @param args As for the constructor.
   * @throws {RangeError} As the constructor.
   * @throws {TypeError} As the constructor.
   */
  static exact<A extends unknown[], C>(this: new (...args: A) => C, ...args: A): C {
    return new this(...withNames("exact", args));
  }

  /**
   * The pattern of all channels whose last name begins so, whatever characters it has.
   *
   * @param args As for the constructor: a beginning in place of the last name.
   * @throws {RangeError} As the constructor.
   * @throws {TypeError} As the constructor.
   */
  static prefix<A extends unknown[], C>(this: new (...args: A) => C, ...args: A): C {
    return new this(...withNames("prefix", args));
  }

  /**
   * The pattern of all channels whose names these globs match.
   *
   * @param args As for the constructor: globs, which go to the server as they are.
   * @throws {RangeError} As the constructor.
   * @throws {TypeError} As the constructor.
   */
  static pattern<A extends unknown[], C>(this: new (...args: A) => C, ...args: A): C {
    return new this(...withNames("pattern", args));
  }
}

/**
 * All events of a key, or of the keys a glob matches; their payload is the event.
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
export class KeyspaceChannel extends FamilyChannel {
  /**
   * Guesses whether a pattern is meant.
   *
   * @param key With live glob characters a pattern, without them exact. For keys of unknown making
   * take `exact` and `prefix`.
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0 to 2 ** 31 - 1.
   */
  constructor(key: NameOrPattern, options?: ChannelOptions) {
    super("keyspace", "", options, key);
  }
}

/**
 * An event on all keys, or the events a glob matches; the payload is the key.
 *
 * @example
 * ```ts
 * import { KeyeventChannel } from "@keywatch/keywatch/parse";
 *
 * new KeyeventChannel("expired").toString(); // "__keyevent@0__:expired"
 * KeyeventChannel.allEvents({ db: 3 }).toString(); // "__keyevent@3__:*"
 * ```
 */
export class KeyeventChannel extends FamilyChannel {
  /**
   * Guesses whether a pattern is meant.
   *
   * @param event With live glob characters a pattern, without them exact.
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0 to 2 ** 31 - 1.
   */
  constructor(event: NameOrPattern, options?: ChannelOptions) {
    super("keyevent", "", options, event);
  }

  /**
   * All events on all keys.
   *
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0 to 2 ** 31 - 1.
   */
  static allEvents(options?: ChannelOptions): KeyeventChannel {
    return new KeyeventChannel("*", options);
  }
}

/**
 * All events on the subkeys of a key, or of the keys a glob matches; the payload is the event and
 * the subkeys. Redis 8.8 and later.
 *
 * @example
 * ```ts
 * import { SubkeyspaceChannel } from "@keywatch/keywatch/parse";
 *
 * new SubkeyspaceChannel("cart:7").toString(); // "__subkeyspace@0__:cart:7"
 * ```
 */
export class SubkeyspaceChannel extends FamilyChannel {
  /**
   * Guesses whether a pattern is meant.
   *
   * @param key With live glob characters a pattern, without them exact.
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0 to 2 ** 31 - 1.
   */
  constructor(key: NameOrPattern, options?: ChannelOptions) {
    super("subkeyspace", "", options, key);
  }
}

/**
 * An event on the subkeys of all keys; the payload is the key and the subkeys. Redis 8.8 and later.
 *
 * @example
 * ```ts
 * import { SubkeyeventChannel } from "@keywatch/keywatch/parse";
 *
 * new SubkeyeventChannel("hdel").toString(); // "__subkeyevent@0__:hdel"
 * ```
 */
export class SubkeyeventChannel extends FamilyChannel {
  /**
   * Guesses whether a pattern is meant.
   *
   * @param event With live glob characters a pattern, without them exact.
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0 to 2 ** 31 - 1.
   */
  constructor(event: NameOrPattern, options?: ChannelOptions) {
    super("subkeyevent", "", options, event);
  }

  /**
   * All events on the subkeys of all keys.
   *
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0 to 2 ** 31 - 1.
   */
  static allEvents(options?: ChannelOptions): SubkeyeventChannel {
    return new SubkeyeventChannel("*", options);
  }
}

/**
 * All events on one subkey of one key; the payload is the event. Redis 8.8 and later.
 *
 * @example
 * ```ts
 * import { SubkeyspaceitemChannel } from "@keywatch/keywatch/parse";
 *
 * new SubkeyspaceitemChannel("cart:7", "total").toString(); // "__subkeyspaceitem@0__:cart:7\ntotal"
 * ```
 */
export class SubkeyspaceitemChannel extends FamilyChannel {
  /**
   * Guesses whether a pattern is meant.
   *
   * @param key With live glob characters a pattern, without them exact.
   * @param subkey Likewise.
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0 to 2 ** 31 - 1.
   * @throws {TypeError} The key holds a newline: the server skips such keys here.
   */
  constructor(key: NameOrPattern, subkey: NameOrPattern, options?: ChannelOptions) {
    super("subkeyspaceitem", "\n", options, key, subkey);
  }
}

/**
 * One event on one key; the payload is the subkeys. Redis 8.8 and later.
 *
 * @example
 * ```ts
 * import { SubkeyspaceeventChannel } from "@keywatch/keywatch/parse";
 *
 * new SubkeyspaceeventChannel("hset", "cart:7").toString(); // "__subkeyspaceevent@0__:hset|cart:7"
 * ```
 */
export class SubkeyspaceeventChannel extends FamilyChannel {
  /**
   * Guesses whether a pattern is meant.
   *
   * @param event With live glob characters a pattern, without them exact.
   * @param key Likewise.
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0 to 2 ** 31 - 1.
   * @throws {TypeError} The event holds a `|`: the server skips such events here.
   */
  constructor(event: NameOrPattern, key: NameOrPattern, options?: ChannelOptions) {
    super("subkeyspaceevent", "|", options, event, key);
  }
}

/**
 * A channel of any of the six families.
 *
 * @example
 * ```ts
 * import { KeyeventChannel, type NotificationChannel } from "@keywatch/keywatch/parse";
 *
 * const describe = (channel: NotificationChannel): string => `${channel} of ${channel.db}`;
 * describe(new KeyeventChannel("set")); // "__keyevent@0__:set of 0"
 * ```
 */
export type NotificationChannel =
  | KeyspaceChannel
  | KeyeventChannel
  | SubkeyspaceChannel
  | SubkeyeventChannel
  | SubkeyspaceitemChannel
  | SubkeyspaceeventChannel;
