import { decodeText } from "../bytes/text.ts";
import type { ServerError } from "./errors.ts";

/**
 * A reply of the server, or a part of one.
 *
 * | type | on the wire |
 * | --- | --- |
 * | `string` | `+` simple string; `$`, `$?` bulk and `=` verbatim string when text is asked for |
 * | `Uint8Array` | `$`, `$?` bulk and `=` verbatim string |
 * | `number` | `:` integer within ±(2^53 - 1); `,` double |
 * | `bigint` | `:` integer beyond that; `(` big number |
 * | `boolean` | `#` |
 * | `null` | `_`, `$-1`, `*-1` |
 * | {@linkcode ServerError} | `-` simple error, `!` bulk error |
 * | `Reply[]` | `*`, `*?` array; `~`, `~?` set, with a member twice that was sent twice |
 * | {@linkcode RespMap} | `%`, `%?` map |
 *
 * A simple string is a status line of the server, always decoded as text. A bulk string is data, and
 * bytes unless the options of the decoder say otherwise. Attributes (`|`) and the formats of verbatim strings
 * are read and dropped. Bytes share no memory with the decoder's input, but short strings of one
 * aggregate may share a buffer: mind `byteOffset` when you use their `buffer`.
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
  | RespMap
  | Reply[];

/**
 * A map: `%` on the wire.
 *
 * Not a `Map`, because a map on the wire may have equal keys, and most keys are bytes, which a `Map`
 * compares by identity.
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
  /** Keys and values in turn, in wire order. */
  readonly items: Reply[];

  /** Wraps keys and values in turn, without copying them. */
  constructor(items: Reply[]) {
    this.items = items;
  }

  /** The number of entries. */
  get size(): number {
    return this.items.length / 2;
  }

  /**
   * Returns the value of the first entry with this key, a string or its UTF-8 bytes; `undefined` if
   * there is none.
   */
  get(key: string): Reply | undefined {
    for (let i = 0; i < this.items.length; i += 2) {
      const item = this.items[i]!;
      if (item === key || item instanceof Uint8Array && decodeText(item) === key) {
        return this.items[i + 1];
      }
    }
    return undefined;
  }

  /** Yields the entries in wire order. */
  *[Symbol.iterator](): IterableIterator<[key: Reply, value: Reply]> {
    for (let i = 0; i < this.items.length; i += 2) yield [this.items[i]!, this.items[i + 1]!];
  }
}

/**
 * Returns a copy of a reply with text in place of bytes, as the decoder makes it with `strings: "text"`.
 */
export function replyToText(reply: Reply): Reply {
  const root = [reply];
  // A list instead of recursion, because replies may nest deeper than calls.
  const todo: Reply[][] = [root];
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
    }
  }
  return root[0]!;
}
