import {
  Arguments,
  type Command,
  type Context,
  didYouMean,
  optionName,
  optionsOf,
  quoted,
  UsageError,
} from "./command.ts";
import { messageOf } from "./message.ts";
import type { Output } from "./output.ts";
import { completion } from "./completion.ts";
import { dashboard } from "./dashboard.ts";
import { doctor } from "./doctor.ts";
import { flags } from "./flags.ts";
import { forward } from "./forward.ts";
import { hanging, helpOf } from "./help.ts";
import { top } from "./top.ts";
import { VERSION } from "./version.ts";
import { watch } from "./watch.ts";
import { wrap } from "./wrap.ts";

const COMMANDS: Readonly<Record<string, Command>> = {
  watch,
  top,
  dashboard,
  forward,
  doctor,
  flags,
  completion: completion(() => COMMANDS),
};

const NAME_WIDTH = Math.max(...Object.keys(COMMANDS).map(({ length }) => length));

function usage(width: number): string {
  const text = (words: string) => wrap(words, "", width).join("\n");
  const commands = Object.entries(COMMANDS).flatMap(([name, { summary }]) =>
    hanging(`  ${name.padEnd(NAME_WIDTH)}  `, summary, width)
  );
  return `Usage: keywatch <command> [options]

${text("Keyspace notifications of Redis and Valkey servers and clusters.")}

Commands:
${commands.join("\n")}

${text("keywatch <command> --help prints more, with examples; keywatch --version the version.")}

${
    text(
      "Exit status: 0 when all went well, 1 when something failed, 2 when the arguments make no " +
        "sense.",
    )
  }`;
}

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
  if (name === "--version" || name === "-v") {
    output.line(`keywatch ${VERSION}`);
    return 0;
  }
  if (name === "--help" || name === "-h" || (name === "help" && rest.length === 0)) {
    output.line(usage(output.width));
    return 0;
  }
  if (name === "help") return await run([...rest, "--help"], context);
  if (name === undefined) return misused("no command is given", usage(output.width), output);
  if (name.startsWith("-")) {
    return misused(
      `the command comes first, before ${optionName(name)}`,
      usage(output.width),
      output,
    );
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name]! : undefined;
  if (command === undefined) {
    // A URL is not repeated: it may hold a password.
    if (/[/@]/.test(name)) {
      return misused(
        "the command comes first; a URL goes after --url",
        usage(output.width),
        output,
      );
    }
    const hint = didYouMean(name, Object.keys(COMMANDS));
    return misused(`there is no command ${quoted(name)}${hint}`, usage(output.width), output);
  }
  try {
    const args = Arguments.parse(rest, optionsOf(command));
    if (args.has("help")) {
      output.line(helpOf(command, output.width));
      return 0;
    }
    if (args.has("version")) return await run(["--version"], context);
    return await command.run(args, context);
  } catch (error) {
    const why = messageOf(error);
    if (error instanceof UsageError) {
      const lines = hanging("Usage: keywatch ", command.usage, output.width);
      return misused(why, [...lines, "", `keywatch ${name} --help prints more`].join("\n"), output);
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
