import { ChannelType, getChannelType } from "./families.ts";
import { escapeGlob, isPattern, unescapeGlob } from "./glob.ts";
import { concat, decodeText, toBytes } from "./text.ts";

/** Where a channel is subscribed to. */
export interface ChannelOptions {
  /** The database, or `"*"` for all of them, which makes it a pattern. Default: 0. */
  db?: number | "*";
}

/** A key, an event or a subkey, or a glob of them. */
export type NameOrPattern = string | Uint8Array;

/** Bytes that are a glob because the caller says so, whatever they look like. */
class Glob extends Uint8Array {}

const ANY = toBytes("*");

/** In a form that the constructors' guess takes for nothing but this exact name. */
function exactly(name: NameOrPattern): Uint8Array {
  return escapeGlob(toBytes(name));
}

function startingWith(prefix: NameOrPattern): Uint8Array {
  return concat(exactly(prefix), ANY);
}

function asGlob(glob: NameOrPattern): Uint8Array {
  return new Glob(toBytes(glob));
}

/**
 * What can be subscribed to: a channel for `SUBSCRIBE` or a pattern for `PSUBSCRIBE`.
 *
 * The six classes build the channels of the notifications from keys and events;
 * {@linkcode toChannel} takes any channel as it stands.
 */
export class Channel {
  /** The channel or the pattern as it goes to the server. Not to be changed. */
  readonly bytes: Uint8Array;
  /** Whether it is a pattern, which takes `PSUBSCRIBE`. */
  readonly isPattern: boolean;
  /** The family, or `null` when the beginning names none. */
  readonly type: ChannelType | null;

  /**
   * Takes a channel as it is.
   *
   * @param bytes The whole channel or pattern.
   * @param isPattern Which of the two it is.
   */
  constructor(bytes: Uint8Array, isPattern: boolean) {
    this.bytes = bytes;
    this.isPattern = isPattern;
    this.type = getChannelType(bytes);
  }

  /**
   * Whether the other is the same subscription.
   *
   * @param other Text and bytes are taken as {@linkcode toChannel} does.
   */
  equals(other: string | Uint8Array | Channel): boolean {
    const { bytes, isPattern } = toChannel(other);
    return isPattern === this.isPattern && bytes.length === this.bytes.length &&
      bytes.every((byte, i) => byte === this.bytes[i]);
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
  const bytes = toBytes(value);
  const pattern = isPattern(bytes);
  return new Channel(pattern ? concat(bytes) : unescapeGlob(bytes), pattern);
}

/** A channel of the notifications: `__<type>@<db>__:` and one or two names. */
export class FamilyChannel extends Channel {
  /** The database, or `"*"` for all. */
  readonly db: number | "*";

  /**
   * Puts the channel together.
   *
   * @param type The family.
   * @param names Each with live glob characters is a glob, each without is exact.
   * @param separator Stands between two names, and so cannot be part of the first.
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0.
   * @throws {TypeError} The first of two names holds the separator.
   */
  constructor(
    type: ChannelType,
    names: readonly NameOrPattern[],
    separator: string,
    { db = 0 }: ChannelOptions = {},
  ) {
    if (db !== "*" && !(Number.isSafeInteger(db) && db >= 0)) {
      throw new RangeError(
        `Cannot build a ${type} channel: the database is ${db}, not a whole number from 0 or "*"`,
      );
    }
    const globs = names.map((name) => name instanceof Glob || isPattern(name));
    const pattern = db === "*" || globs.includes(true);
    const parts = names.map((name, i) => {
      const bytes = toBytes(name);
      return globs[i] ? bytes : pattern ? escapeGlob(unescapeGlob(bytes)) : unescapeGlob(bytes);
    });
    if (parts[1] && parts[0]!.includes(separator.charCodeAt(0))) {
      throw new TypeError(
        `Cannot build a ${type} channel: ${JSON.stringify(decodeText(parts[0]!))} holds ` +
          `${JSON.stringify(separator)}, which ends it in the channel, and the server publishes ` +
          "none with it; take a subkeyspace channel instead",
      );
    }
    super(
      concat(
        toBytes(`__${type}@${db}__:`),
        parts[0]!,
        ...parts.slice(1).flatMap((part) => [toBytes(separator), part]),
      ),
      pattern,
    );
    this.db = db;
  }
}

/** A channel that names one thing: a key or an event. */
export class OneNameChannel extends FamilyChannel {
  /**
   * The channel of exactly this name, whatever characters it has.
   *
   * @param name The key or event.
   * @param options The database.
   */
  static exact<C>(
    this: new (name: NameOrPattern, options?: ChannelOptions) => C,
    name: NameOrPattern,
    options?: ChannelOptions,
  ): C {
    return new this(exactly(name), options);
  }

  /**
   * The pattern of all names that begin so, whatever characters the beginning has.
   *
   * @param prefix The beginning.
   * @param options The database.
   */
  static prefix<C>(
    this: new (name: NameOrPattern, options?: ChannelOptions) => C,
    prefix: NameOrPattern,
    options?: ChannelOptions,
  ): C {
    return new this(startingWith(prefix), options);
  }

  /**
   * The pattern of all names that this glob matches.
   *
   * @param glob Goes to the server as it is.
   * @param options The database.
   */
  static pattern<C>(
    this: new (name: NameOrPattern, options?: ChannelOptions) => C,
    glob: NameOrPattern,
    options?: ChannelOptions,
  ): C {
    return new this(asGlob(glob), options);
  }
}

/** A channel that names two things, the first of which cannot hold what stands between them. */
export class TwoNameChannel extends FamilyChannel {
  /**
   * The channel of exactly these names, whatever characters they have.
   *
   * @param first The key of a subkeyspaceitem channel, the event of a subkeyspaceevent channel.
   * @param second The subkey of the one, the key of the other.
   * @param options The database.
   */
  static exact<C>(
    this: new (first: NameOrPattern, second: NameOrPattern, options?: ChannelOptions) => C,
    first: NameOrPattern,
    second: NameOrPattern,
    options?: ChannelOptions,
  ): C {
    return new this(exactly(first), exactly(second), options);
  }

  /**
   * The pattern of exactly this first name with all second ones that begin so.
   *
   * @param first The key of a subkeyspaceitem channel, the event of a subkeyspaceevent channel.
   * @param prefix The beginning of the subkey, or of the key.
   * @param options The database.
   */
  static prefix<C>(
    this: new (first: NameOrPattern, second: NameOrPattern, options?: ChannelOptions) => C,
    first: NameOrPattern,
    prefix: NameOrPattern,
    options?: ChannelOptions,
  ): C {
    return new this(exactly(first), startingWith(prefix), options);
  }

  /**
   * The pattern of all pairs that these two globs match.
   *
   * @param first A glob of keys, or of events.
   * @param second A glob of subkeys, or of keys.
   * @param options The database.
   */
  static pattern<C>(
    this: new (first: NameOrPattern, second: NameOrPattern, options?: ChannelOptions) => C,
    first: NameOrPattern,
    second: NameOrPattern,
    options?: ChannelOptions,
  ): C {
    return new this(asGlob(first), asGlob(second), options);
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
export class KeyspaceChannel extends OneNameChannel {
  /**
   * Guesses whether a pattern is meant.
   *
   * @param key With live glob characters a pattern, without them exact. For keys of unknown making
   * take `exact` and `prefix`.
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0.
   */
  constructor(key: NameOrPattern, options?: ChannelOptions) {
    super(ChannelType.KEYSPACE, [key], "", options);
  }
}

/**
 * An event on all keys, or the events a glob matches; the payload is the key.
 *
 * @example
 * ```ts
 * import { EventType, KeyeventChannel } from "@keywatch/keywatch/parse";
 *
 * new KeyeventChannel(EventType.EXPIRED).toString(); // "__keyevent@0__:expired"
 * KeyeventChannel.allEvents({ db: 3 }).toString(); // "__keyevent@3__:*"
 * ```
 */
export class KeyeventChannel extends OneNameChannel {
  /**
   * Guesses whether a pattern is meant.
   *
   * @param event With live glob characters a pattern, without them exact.
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0.
   */
  constructor(event: NameOrPattern, options?: ChannelOptions) {
    super(ChannelType.KEYEVENT, [event], "", options);
  }

  /**
   * All events on all keys.
   *
   * @param options The database.
   */
  static allEvents(options?: ChannelOptions): KeyeventChannel {
    return new KeyeventChannel(ANY, options);
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
export class SubkeyspaceChannel extends OneNameChannel {
  /**
   * Guesses whether a pattern is meant.
   *
   * @param key With live glob characters a pattern, without them exact.
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0.
   */
  constructor(key: NameOrPattern, options?: ChannelOptions) {
    super(ChannelType.SUBKEYSPACE, [key], "", options);
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
export class SubkeyeventChannel extends OneNameChannel {
  /**
   * Guesses whether a pattern is meant.
   *
   * @param event With live glob characters a pattern, without them exact.
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0.
   */
  constructor(event: NameOrPattern, options?: ChannelOptions) {
    super(ChannelType.SUBKEYEVENT, [event], "", options);
  }

  /**
   * All events on the subkeys of all keys.
   *
   * @param options The database.
   */
  static allEvents(options?: ChannelOptions): SubkeyeventChannel {
    return new SubkeyeventChannel(ANY, options);
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
export class SubkeyspaceitemChannel extends TwoNameChannel {
  /**
   * Guesses whether a pattern is meant.
   *
   * @param key With live glob characters a pattern, without them exact.
   * @param subkey Likewise.
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0.
   * @throws {TypeError} The key holds a newline: the server skips such keys here.
   */
  constructor(key: NameOrPattern, subkey: NameOrPattern, options?: ChannelOptions) {
    super(ChannelType.SUBKEYSPACEITEM, [key, subkey], "\n", options);
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
export class SubkeyspaceeventChannel extends TwoNameChannel {
  /**
   * Guesses whether a pattern is meant.
   *
   * @param event With live glob characters a pattern, without them exact.
   * @param key Likewise.
   * @param options The database.
   * @throws {RangeError} The database is no whole number from 0.
   * @throws {TypeError} The event holds a `|`: the server skips such events here.
   */
  constructor(event: NameOrPattern, key: NameOrPattern, options?: ChannelOptions) {
    super(ChannelType.SUBKEYSPACEEVENT, [event, key], "|", options);
  }
}

/** A channel of any of the six families. */
export type NotificationChannel =
  | KeyspaceChannel
  | KeyeventChannel
  | SubkeyspaceChannel
  | SubkeyeventChannel
  | SubkeyspaceitemChannel
  | SubkeyspaceeventChannel;
