import { parseArgs, type ParseArgsConfig } from "node:util";
import { excerpt } from "../pubsub/connection/printable.ts";
import { nearest } from "../pubsub/connection/nearest.ts";
import type { Output } from "./output.ts";

/** An option: how it is read, what `--help` says of it, and what a shell completes after it. */
export interface Option {
  /** Whether a value follows it. */
  readonly type: "string" | "boolean";
  /** Its letter, after a single `-`. */
  readonly short?: string;
  /** Whether it may be given several times. */
  readonly multiple?: boolean;
  /** What its value is, in capitals, for the help. */
  readonly value?: string;
  /** What it does, for the help. */
  readonly help: string;
  /** What its value may be: a file, an event, or one of these words. */
  readonly words?: "file" | "event" | readonly string[];
}

/** Options by their names. */
export type Options = Readonly<Record<string, Option>>;

/** Options that belong together in the help. */
export interface OptionGroup {
  /** What they are about. */
  readonly title: string;
  /** What is said before them. */
  readonly text?: string;
  /** The options. */
  readonly options: Options;
}

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

/** A command of the CLI. */
export interface Command {
  /** What it does, in a line. */
  readonly summary: string;
  /** How it is written, in a line. */
  readonly usage: string;
  /** What it does, in paragraphs. A line that begins with a space is shown as it is. */
  readonly about: readonly string[];
  /** The options it takes, beside {@linkcode COMMON_OPTIONS}. */
  readonly groups: readonly OptionGroup[];
  /** Words that may come first after its name, for shells to complete. */
  readonly words?: readonly string[];
  /** Command lines that show its use. */
  readonly examples: readonly string[];
  /**
   * Does the work.
   *
   * @returns the exit status
   * @throws {UsageError} when the arguments make no sense
   */
  run(args: Arguments, context: Context): Promise<number>;
}

/** The options that every command takes. */
export const COMMON_OPTIONS: Options = {
  help: { type: "boolean", help: "prints this help" },
  version: { type: "boolean", short: "v", help: "prints the version" },
};

/** All options of a command. */
export function optionsOf({ groups }: Pick<Command, "groups">): Options {
  return Object.assign({}, ...groups.map(({ options }) => options), COMMON_OPTIONS);
}

/** What was written after a command's name. */
export class Arguments {
  readonly #values: Readonly<Record<string, unknown>>;
  /** The arguments that are not options. */
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
  static parse(args: readonly string[], known: Options): Arguments {
    const config: NonNullable<ParseArgsConfig["options"]> = {};
    for (const [name, { type, short, multiple = false }] of Object.entries(known)) {
      config[name] = { type, multiple, ...(short === undefined ? {} : { short }) };
    }
    const isHelp = ([option, value]: [string, string | undefined]) =>
      option === "-h" && (value === undefined || !letters(known).has("h"));
    // Not strict: what it then says is several lines long, and none of them says what was meant.
    const { values, positionals, tokens } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: config,
      strict: false,
      tokens: true,
    });
    for (const token of tokens) {
      if (token.kind === "positional") checkNoUrl("an argument", token.value);
      else if (token.kind === "option") {
        // As in `redis-cli`, where it also names the host.
        if (isHelp([token.rawName, token.value])) values["help"] = true;
        else checkOption(token, known);
      }
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

/** The letters that options have. */
function letters(options: Options): Set<string | undefined> {
  return new Set(Object.values(options).map(({ short }) => short));
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
  known: Options,
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
const MAY_BE_URL: ReadonlySet<string> = new Set(["url", "to-url", "password"]);

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
