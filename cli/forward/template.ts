import type { KeyNotification } from "../../mod.ts";
import { didYouMean, UsageError } from "../command.ts";

/** What a placeholder of `--exec` stands for. */
export const PLACEHOLDERS = ["key", "event", "db", "at", "node", "kind"] as const;

/** The values of the placeholders. */
export type Values = Readonly<Record<typeof PLACEHOLDERS[number], string>>;

/** The words for a notification. */
export function valuesOf(
  { key, eventType, database, timestamp, node = "", kind }: KeyNotification,
): Values {
  return { key, event: eventType, db: `${database}`, at: `${timestamp}`, node, kind };
}

/** A command line with places for values, each of which stays within its word. */
export class Template {
  readonly #words: readonly string[];

  private constructor(words: readonly string[]) {
    this.#words = words;
  }

  /**
   * Takes a command line apart as a shell does, with quotes and `\`, but without anything else that
   * shells do.
   *
   * @throws {UsageError} if a quote is open, a placeholder is not known, or there is no command
   */
  static parse(text: string): Template {
    const words = split(text);
    if (words.length === 0) throw new UsageError("--exec lacks a command");
    for (const [, name] of words.join(" ").matchAll(/\{([a-z]+)\}/g)) {
      if (PLACEHOLDERS.some((known) => known === name)) continue;
      throw new UsageError(`--exec knows no {${name}}${didYouMean(name!, PLACEHOLDERS)}`);
    }
    return new Template(words);
  }

  /** Whether the command takes the key as an argument. */
  get takesKey(): boolean {
    return this.#words.some((word) => word.includes("{key}"));
  }

  /** The program and its arguments. Values are not looked through for placeholders. */
  fill(values: Values): [program: string, ...args: string[]] {
    return this.#words.map((word) =>
      word.replace(/\{([a-z]+)\}/g, (_, name) => values[name as keyof Values])
    ) as [string, ...string[]];
  }
}

function split(text: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  for (let i = 0; i < text.length; i++) {
    const mark = text[i]!;
    if (/\s/.test(mark)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (mark === "'" || mark === '"') {
      let end = i + 1;
      word ??= "";
      for (; text[end] !== mark; end++) {
        if (end >= text.length) throw new UsageError(`--exec has a ${mark} without its end`);
        if (mark === '"' && text[end] === "\\" && /["\\]/.test(text[end + 1] ?? "")) end++;
        word += text[end];
      }
      i = end;
    } else {
      if (mark === "\\" && i + 1 < text.length) i++;
      word = (word ?? "") + text[i];
    }
  }
  if (word !== null) words.push(word);
  return words;
}
