import {
  Arguments,
  type Command,
  type Context,
  didYouMean,
  optionName,
  quoted,
  UsageError,
} from "./command.ts";
import { messageOf } from "./message.ts";
import type { Output } from "./output.ts";
import { doctor } from "./doctor.ts";
import { flags } from "./flags.ts";
import { top } from "./top.ts";
import { VERSION } from "./version.ts";
import { watch } from "./watch.ts";

const COMMANDS: Readonly<Record<string, Command>> = { watch, top, doctor, flags };

const NAME_WIDTH = Math.max(...Object.keys(COMMANDS).map(({ length }) => length));

const USAGE = `Usage: keywatch <command> [options]

Keyspace notifications of Redis and Valkey servers and clusters.

Commands:
${
  Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(NAME_WIDTH)}  ${summary}`)
    .join("\n")
}

keywatch <command> --help tells more, with examples; keywatch --version tells
the version.

Exit status: 0 when all went well, 1 when something failed, 2 when the
arguments make no sense.`;

/**
 * Runs a command.
 *
 * @param context where it prints, and what ends it
 * @returns the exit status
 */
export async function run(
  [name, ...rest]: readonly string[],
  context: Context,
): Promise<number> {
  const { output } = context;
  if (name === "--version") {
    output.line(`keywatch ${VERSION}`);
    return 0;
  }
  if (name === "--help" || name === "-h" || (name === "help" && rest.length === 0)) {
    output.line(USAGE);
    return 0;
  }
  if (name === "help") return await run([...rest, "--help"], context);
  if (name === undefined) return misused("no command is given", USAGE, output);
  if (name.startsWith("-")) {
    return misused(`the command comes first, before ${optionName(name)}`, USAGE, output);
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name]! : undefined;
  if (command === undefined) {
    // A URL is not repeated: it may hold a password.
    if (/[/@]/.test(name)) {
      return misused("the command comes first; a URL goes after --url", USAGE, output);
    }
    const hint = didYouMean(name, Object.keys(COMMANDS));
    return misused(`there is no command ${quoted(name)}${hint}`, USAGE, output);
  }
  try {
    const args = Arguments.parse(rest, command.options);
    if (args.has("help")) {
      output.line(`Usage: keywatch ${command.usage}\n\n${command.help}`);
      return 0;
    }
    return await command.run(args, context);
  } catch (error) {
    const why = messageOf(error);
    if (error instanceof UsageError) {
      const usage = `Usage: keywatch ${command.usage}\n\nkeywatch ${name} --help tells more`;
      return misused(why, usage, output);
    }
    output.note(`keywatch: ${why}`, "red");
    return 1;
  }
}

function misused(why: string, usage: string, output: Output): number {
  output.note(`keywatch: ${why}`, "red");
  for (const line of ["", ...usage.split("\n")]) output.note(line);
  return 2;
}
