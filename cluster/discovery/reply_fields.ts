/**
 * Reads parts of replies, as whichever client gives them: the types of `./resp`, strings or bytes,
 * numbers, bigints or digits, and maps as `Map`, as an object, as names and values in turn, or as a
 * list of pairs. Each function returns null for anything else.
 */
import { RespMap } from "../../resp/types.ts";

const utf8 = /* @__PURE__ */ new TextDecoder();

/** A text. */
export function textOf(reply: unknown): string | null {
  if (typeof reply === "string") return reply;
  return reply instanceof Uint8Array ? utf8.decode(reply) : null;
}

/** The items of a list. */
export function listOf<Item = unknown>(reply: unknown): readonly Item[] | null {
  return Array.isArray(reply) ? reply : null;
}

/** An integer of 0 or more. */
export function countOf(reply: unknown): number | null {
  if (typeof reply === "bigint") return reply >= 0n ? Number(reply) : null;
  if (typeof reply === "number") return Number.isInteger(reply) && reply >= 0 ? reply : null;
  const text = textOf(reply);
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** The fields of a map, by name. If a name occurs twice, the first counts. */
export function fieldsOf<Value = unknown>(reply: unknown): ReadonlyMap<string, Value> | null {
  const pairs = pairsOf(reply);
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
