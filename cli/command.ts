import { parseArgs, type ParseArgsConfig } from "node:util";
import { messageOf } from "./message.ts";
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
   * @throws {UsageError} when an option is not known, or lacks its value
   */
  static parse(args: readonly string[], options: OptionsConfig): Arguments {
    try {
      const { values, positionals } = parseArgs({
        args: [...args],
        allowPositionals: true,
        options: { ...options, help: { type: "boolean", short: "h" } },
      });
      return new Arguments(values, positionals);
    } catch (error) {
      throw new UsageError(messageOf(error));
    }
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
