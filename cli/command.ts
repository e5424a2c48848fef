import { parseArgs, type ParseArgsConfig } from "node:util";
import { excerpt } from "../pubsub/connection/printable.ts";
import { nearest } from "./nearest.ts";
import type { Output } from "./output.ts";

/** Options as `node:util` describes them. */
export type OptionsConfig = NonNullable<ParseArgsConfig["options"]>;

/** The arguments make no sense: the program ends with status 2. */
export class UsageError extends Error {
  /** Always `"UsageError"`. */
  override readonly name = "UsageError";
}

/** What a command works with beside its arguments. */
export interface Context {
  /** Where it prints. */
  readonly output: Output;
  /** Aborted when the user wants it to end, or nobody reads its results any more. */
  readonly signal: AbortSignal;
}

/** A command of the tool. */
export interface Command {
  /** What it does, in a line. */
  readonly summary: string;
  /** How it is written, in a line. */
  readonly usage: string;
  /** The rest of its `--help`. */
  readonly help: string;
  /** The options it takes, beside `--help`. */
  readonly options: OptionsConfig;
  /**
   * Does the work.
   *
   * @returns the exit status
   * @throws {UsageError} when the arguments make no sense
   */
  run(args: Arguments, context: Context): Promise<number>;
}

/** What was written after a command's name. */
export class Arguments {
  readonly #values: Readonly<Record<string, unknown>>;
  /** What is no option. */
  readonly positionals: readonly string[];

  private constructor(values: Readonly<Record<string, unknown>>, positionals: readonly string[]) {
    this.#values = values;
    this.positionals = positionals;
  }

  /**
   * Takes the arguments apart.
   *
   * @throws {UsageError} when an option is not known, or lacks its value, or when the URL of a server
   * stands where none is expected
   */
  static parse(args: readonly string[], options: OptionsConfig): Arguments {
    const known: OptionsConfig = { ...options, help: { type: "boolean", short: "h" } };
    // Not strict: what it then says is several lines long, and none of them says what was meant.
    const { values, positionals, tokens } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: known,
      strict: false,
      tokens: true,
    });
    for (const token of tokens) {
      if (token.kind === "option") checkOption(token, known);
      else if (token.kind === "positional") checkNoUrl("an argument", token.value);
    }
    return new Arguments(values, positionals);
  }

  /** The value of an option; undefined when it was not given. */
  text(name: string): string | undefined {
    return this.#values[name] as string | undefined;
  }

  /** The values of an option that may be given several times. */
  texts(name: string): readonly string[] {
    return this.#values[name] as string[] | undefined ?? [];
  }

  /** Whether an option without a value was given. */
  has(name: string): boolean {
    return this.#values[name] === true;
  }
}

/** An option as `node:util` has found it. */
interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function checkOption(
  { name, rawName, value, inlineValue }: OptionToken,
  known: OptionsConfig,
): void {
  const type = Object.hasOwn(known, name) ? known[name]!.type : undefined;
  if (type === undefined) {
    const hint = rawName.startsWith("--")
      ? didYouMean(name, Object.keys(known), "--")
      : "; what begins with - and is none goes after --";
    throw new UsageError(`there is no option ${optionName(rawName)}${hint}`);
  }
  if (type === "boolean") {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value`);
    return;
  }
  if (value === undefined) throw new UsageError(`${rawName} lacks its value`);
  if (!MAY_BE_URL.has(name)) checkNoUrl(`the value of ${rawName}`, value);
  // Far more often it is the next option, and the value was left out.
  if (inlineValue === true || !/^-./.test(value)) return;
  // The value is not repeated: it may be a password.
  throw new UsageError(
    `${rawName} lacks its value; one that begins with - is written ${rawName}=-…`,
  );
}

/** Not of every scheme: the keys of a cache may well begin with `https://`. */
const LOOKS_LIKE_URL = /^\W*(?:(?:redis|valkey)(?:s|\+\w+)?|unix)(?::[\\/]|\/\/)/i;

/** The options whose values may look like the URL of a server. */
const MAY_BE_URL: ReadonlySet<string> = new Set(["url", "password"]);

/** Refuses the URL of a server where something else is expected. It may hold a password. */
function checkNoUrl(what: string, text: string): void {
  if (!LOOKS_LIKE_URL.test(text)) return;
  throw new UsageError(`${what} looks like the URL of a server; write --url before it`);
}

/** An argument as a message repeats it. */
export function quoted(text: string): string {
  return `"${excerpt(text, 60)}"`;
}

/** An option as a message repeats it: its words, without a value that may be joined to them. */
export function optionName(text: string): string {
  const [name] = /^(?:--(?:pass(?:word)?|auth|url)|--[a-z_-]*|-[^-]?)/i.exec(text)!;
  return name === text || text[name.length] === "=" ? name : `${name}…`;
}

/** What to add to a message about a name that is none: which one may be meant, if any. */
export function didYouMean(word: string, names: Iterable<string>, prefix = ""): string {
  const near = nearest(word, names);
  return near === undefined ? "" : `; did you mean ${prefix}${near}?`;
}
