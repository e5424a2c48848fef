/**
 * Reads parts of replies, as whichever client gives them: the types of `./resp`, strings or bytes,
 * numbers, bigints or digits, and maps as `Map`, as an object, as names and values in turn, or as a
 * list of pairs. Each function returns null for anything else.
 */
import { Attributed, RespMap, VerbatimString } from "../../resp/types.ts";

const utf8 = /* @__PURE__ */ new TextDecoder();

/** A reply without its attributes, and without the format of a verbatim string. */
function unwrap(reply: unknown): unknown {
  while (reply instanceof Attributed) reply = reply.reply;
  return reply instanceof VerbatimString ? reply.value : reply;
}

/** A text. */
export function textOf(reply: unknown): string | null {
  const value = unwrap(reply);
  if (typeof value === "string") return value;
  return value instanceof Uint8Array ? utf8.decode(value) : null;
}

/** The items of a list. */
export function listOf<Item = unknown>(reply: unknown): readonly Item[] | null {
  const value = unwrap(reply);
  return Array.isArray(value) ? value : null;
}

/** An integer of 0 or more. */
export function countOf(reply: unknown): number | null {
  const value = unwrap(reply);
  if (typeof value === "bigint") return value >= 0n ? Number(value) : null;
  if (typeof value === "number") return Number.isInteger(value) && value >= 0 ? value : null;
  const text = textOf(value);
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** The fields of a map, by name. If a name occurs twice, the first counts. */
export function fieldsOf<Value = unknown>(reply: unknown): ReadonlyMap<string, Value> | null {
  const pairs = pairsOf(unwrap(reply));
  if (pairs === null) return null;
  const fields = new Map<string, Value>();
  for (const [name, value] of pairs) {
    const text = textOf(name);
    if (text === null) return null;
    if (!fields.has(text)) fields.set(text, value as Value);
  }
  return fields;
}

function pairsOf(value: unknown): Iterable<readonly unknown[]> | null {
  if (value instanceof Map) return value;
  const items: unknown = value instanceof RespMap ? value.items : value;
  if (!Array.isArray(items)) {
    const isObject = typeof items === "object" && items !== null && !(items instanceof Uint8Array);
    return isObject ? Object.entries(items) : null;
  }
  // A name cannot be a list or an object, so this is a list of pairs.
  if (items.length > 0 && textOf(items[0]) === null) {
    return items.map((pair) => Array.isArray(pair) ? pair : [pair?.key, pair?.value]);
  }
  if (items.length % 2 !== 0) return null;
  return Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i], items[2 * i + 1]]);
}
