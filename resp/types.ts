import { decodeText } from "../bytes/text.ts";
import { encodeUtf8 } from "../bytes/utf8.ts";
import type { ServerError } from "./errors.ts";

/**
 * A reply of the server, or a part of one.
 *
 * | type | on the wire |
 * | --- | --- |
 * | `string` | `+` simple string; `$`, `$?` bulk string when text is asked for |
 * | `Uint8Array` | `$`, `$?` bulk string |
 * | `number` | `:` integer within ±(2^53 - 1); `,` double |
 * | `bigint` | `:` integer beyond that; `(` big number |
 * | `boolean` | `#` |
 * | `null` | `_`, `$-1`, `*-1` |
 * | {@linkcode ServerError} | `-` simple error, `!` bulk error |
 * | {@linkcode VerbatimString} | `=` |
 * | `Reply[]` | `*`, `*?` array |
 * | {@linkcode RespMap} | `%`, `%?` map |
 * | {@linkcode RespSet} | `~`, `~?` set |
 * | {@linkcode Attributed} | `\|` attributes and the reply they precede |
 *
 * Bytes share no memory with what the decoder was given. Strings of up to 64 bytes in one aggregate
 * may lie in one buffer of a kilobyte, each in a place of its own, so mind `byteOffset` when you take
 * the `buffer` of one.
 *
 * A simple string is a status line of the server's own words and is always text, read as UTF-8.
 * A bulk string is whatever somebody stored and is bytes, unless the decoder was told otherwise.
 *
 * @example
 * ```ts
 * import { type Reply, RespMap, ServerError } from "@keywatch/keywatch/resp";
 *
 * function version(reply: Reply): Reply | undefined {
 *   if (reply instanceof ServerError) throw reply;
 *   return reply instanceof RespMap ? reply.get("version") : undefined;
 * }
 * ```
 */
export type Reply =
  | string
  | Uint8Array
  | number
  | bigint
  | boolean
  | null
  | ServerError
  | VerbatimString
  | RespMap
  | RespSet
  | Attributed
  | Reply[];

/**
 * A text with its format: `=` on the wire.
 *
 * @example
 * ```ts
 * import { VerbatimString } from "@keywatch/keywatch/resp";
 *
 * const { format, value } = new VerbatimString("txt", "Some text");
 * ```
 */
export class VerbatimString {
  /** Three characters: `txt` plain text, `mkd` Markdown. */
  readonly format: string;
  /** The text without its format, as bytes or as text, as the decoder was told. */
  readonly value: Uint8Array | string;

  /**
   * A text with its format.
   *
   * @param format Three characters, such as `txt`.
   * @param value The text without its format.
   */
  constructor(format: string, value: Uint8Array | string) {
    this.format = format;
    this.value = value;
  }
}

/**
 * A map: `%` on the wire.
 *
 * Not a `Map`: a map on the wire may have keys that are equal as values (`:1` and `,1`, or twice
 * the same), and its keys are mostly bytes, which a `Map` would compare by identity. This one keeps
 * every entry in the order of the wire.
 *
 * @example
 * ```ts
 * import { RespMap } from "@keywatch/keywatch/resp";
 *
 * const map = new RespMap(["server", "redis", "proto", 3]);
 * map.get("proto"); // 3
 * for (const [key, value] of map) console.log(key, value);
 * ```
 */
export class RespMap {
  /** Keys and values by turns, in the order of the wire. */
  readonly items: Reply[];

  /**
   * A map over these items, which it keeps.
   *
   * @param items Keys and values by turns.
   */
  constructor(items: Reply[]) {
    this.items = items;
  }

  /** How many entries there are. */
  get size(): number {
    return this.items.length / 2;
  }

  /**
   * The value of the first entry whose key is this text, a string or the UTF-8 bytes of it.
   *
   * @returns The value, or `undefined` where there is no such key.
   */
  get(key: string): Reply | undefined {
    for (let i = 0; i < this.items.length; i += 2) {
      if (isText(this.items[i]!, key)) return this.items[i + 1];
    }
    return undefined;
  }

  /** The entries, in the order of the wire. */
  *[Symbol.iterator](): IterableIterator<[key: Reply, value: Reply]> {
    for (let i = 0; i < this.items.length; i += 2) yield [this.items[i]!, this.items[i + 1]!];
  }
}

/**
 * A set: `~` on the wire.
 *
 * Not a `Set`, for the reasons that {@linkcode RespMap} is not a `Map`: what the server sent twice
 * is here twice.
 *
 * @example
 * ```ts
 * import { RespSet } from "@keywatch/keywatch/resp";
 *
 * const set = new RespSet(["a", "b"]);
 * set.has("b"); // true
 * for (const item of set) console.log(item);
 * ```
 */
export class RespSet {
  /** The members, in the order of the wire. */
  readonly items: Reply[];

  /**
   * A set over these items, which it keeps.
   *
   * @param items The members.
   */
  constructor(items: Reply[]) {
    this.items = items;
  }

  /** How many members there are. */
  get size(): number {
    return this.items.length;
  }

  /** Whether this text is a member, as a string or as the UTF-8 bytes of it. */
  has(member: string): boolean {
    return this.items.some((item) => isText(item, member));
  }

  /** The members, in the order of the wire. */
  [Symbol.iterator](): IterableIterator<Reply> {
    return this.items.values();
  }
}

/**
 * A reply with the attributes that preceded it: `|` on the wire.
 *
 * Pushes are no part of a reply: attributes before a push are those of the reply that comes after it.
 *
 * @example
 * ```ts
 * import { Attributed, RespMap } from "@keywatch/keywatch/resp";
 *
 * const { attributes, reply } = new Attributed(new RespMap(["ttl", 3600]), "value");
 * attributes.get("ttl"); // 3600
 * ```
 */
export class Attributed {
  /** What the server says about the reply. */
  readonly attributes: RespMap;
  /** The reply itself. */
  readonly reply: Reply;

  /**
   * A reply with its attributes.
   *
   * @param attributes What the server says about the reply.
   * @param reply The reply itself.
   */
  constructor(attributes: RespMap, reply: Reply) {
    this.attributes = attributes;
    this.reply = reply;
  }
}

function isText(reply: Reply, text: string): boolean {
  if (typeof reply === "string") return reply === text;
  if (!(reply instanceof Uint8Array)) return false;
  // UTF-8 takes one to three bytes for each UTF-16 unit, so most keys are ruled out by length.
  if (reply.length < text.length || reply.length > text.length * 3) return false;
  const bytes = encodeUtf8(text);
  return bytes.length === reply.length && bytes.every((byte, i) => byte === reply[i]);
}

/**
 * Returns a copy of a reply with text in place of bytes.
 *
 * @param reply A reply decoded as bytes.
 * @returns The reply as the decoder makes it with `strings: "text"`.
 *
 * @example
 * ```ts
 * import { replyToText } from "@keywatch/keywatch/resp";
 *
 * replyToText([new Uint8Array([111, 107]), 1]); // ["ok", 1]
 * ```
 */
export function replyToText(reply: Reply): Reply {
  const root = [reply];
  // Lists instead of recursion, because replies may nest deeper than calls.
  const todo: Reply[][] = [root];
  const attributed: [copy: Attributed, reply: Reply[]][] = [];
  const copyOf = (items: Reply[]): Reply[] => {
    const copy = items.slice();
    todo.push(copy);
    return copy;
  };
  for (let items = todo.pop(); items !== undefined; items = todo.pop()) {
    for (let i = 0; i < items.length; i++) {
      const item = items[i]!;
      if (item instanceof Uint8Array) items[i] = decodeText(item);
      else if (Array.isArray(item)) items[i] = copyOf(item);
      else if (item instanceof RespMap) items[i] = new RespMap(copyOf(item.items));
      else if (item instanceof RespSet) items[i] = new RespSet(copyOf(item.items));
      else if (item instanceof VerbatimString && typeof item.value !== "string") {
        items[i] = new VerbatimString(item.format, decodeText(item.value));
      } else if (item instanceof Attributed) {
        const copy = new Attributed(new RespMap(copyOf(item.attributes.items)), item.reply);
        attributed.push([copy, copyOf([item.reply])]);
        items[i] = copy;
      }
    }
  }
  for (const [copy, [converted]] of attributed) (copy as { reply: Reply }).reply = converted!;
  return root[0]!;
}
