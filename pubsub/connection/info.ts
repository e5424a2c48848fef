import { type Reply, VerbatimString } from "../../resp/mod.ts";

/**
 * Reads fields of a reply to `INFO`, which has a line `name:value` for each. Only the fields that are
 * named are looked for and kept, because the text may be of any length.
 *
 * @param reply the reply: a bulk string, or in RESP3 a verbatim string
 * @param names the fields to read
 * @returns the values of those that are there
 */
export function parseInfo<const Name extends string>(
  reply: Reply,
  names: readonly Name[],
): Map<Name, string> {
  const text = textOf(reply);
  const info = new Map<Name, string>();
  if (text === null) return info;
  for (const name of names) {
    const line = findLine(text, `${name}:`);
    // A slice would keep the whole text in memory.
    if (line !== null) info.set(name, Array.from(line.slice(name.length + 1)).join(""));
  }
  return info;
}

/** The text of a string of any type; null for another value. */
export function textOf(reply: Reply | undefined): string | null {
  if (reply instanceof VerbatimString) return textOf(reply.value);
  return typeof reply === "string" ? reply : null;
}

/** What is read of a line at most, in characters: no field that is needed is nearly as long. */
const LONGEST_LINE = 1_000;

/** Whether a text of `INFO` has the section of that name. */
export function hasSection(text: string, name: string): boolean {
  return findLine(text, `# ${name}`) === `# ${name}`;
}

/** The first line with this beginning, without its end; null when there is none. */
function findLine(text: string, beginning: string): string | null {
  // Found by the text's own search, and nothing is made of the other lines.
  const start = text.startsWith(beginning) ? 0 : text.indexOf(`\n${beginning}`) + 1;
  if (!text.startsWith(beginning, start)) return null;
  const end = text.indexOf("\n", start);
  const most = start + LONGEST_LINE;
  return text.slice(start, end < 0 ? most : Math.min(end, most)).replace(/\r$/, "");
}
