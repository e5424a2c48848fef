import { Attributed, type Reply, RespMap, VerbatimString } from "../../resp/mod.ts";

const utf8 = new TextDecoder();

/** The text of a reply that is one, of whatever kind. */
export function textOf(reply: Reply | undefined): string | null {
  if (typeof reply === "string") return reply;
  if (reply instanceof Uint8Array) return utf8.decode(reply);
  if (reply instanceof VerbatimString) return textOf(reply.value);
  return reply instanceof Attributed ? textOf(reply.reply) : null;
}

/** The items of a reply that is a list. */
export function listOf(reply: Reply | undefined): readonly Reply[] | null {
  if (Array.isArray(reply)) return reply;
  return reply instanceof Attributed ? listOf(reply.reply) : null;
}

/** A whole number, not below 0, as a number or as the digits of one. */
export function countOf(reply: Reply | undefined): number | null {
  if (typeof reply === "bigint") return reply >= 0n ? Number(reply) : null;
  if (typeof reply === "number") return Number.isInteger(reply) && reply >= 0 ? reply : null;
  if (reply instanceof Attributed) return countOf(reply.reply);
  const text = textOf(reply);
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/**
 * The fields of a reply: a map in RESP3, names and values by turns in RESP2. Where a name stands
 * twice the first counts.
 *
 * @returns null when it is neither
 */
export function fieldsOf(reply: Reply | undefined): ReadonlyMap<string, Reply> | null {
  if (reply instanceof Attributed) return fieldsOf(reply.reply);
  const items = reply instanceof RespMap ? reply.items : listOf(reply);
  if (items === null || items.length % 2 !== 0) return null;
  const fields = new Map<string, Reply>();
  for (let i = 0; i < items.length; i += 2) {
    const name = textOf(items[i]);
    if (name === null) return null;
    if (!fields.has(name)) fields.set(name, items[i + 1]!);
  }
  return fields;
}
