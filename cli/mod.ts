/**
 * The command line: `watch`.
 *
 * @example
 * ```ts no-run
 * import { main } from "@keywatch/keywatch/cli";
 *
 * const status = await main(["watch", "--url", "redis://localhost:6379", "user:*"]);
 * console.log(`ended with ${status}`);
 * ```
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { standardOutput } from "./output.ts";
import { watch } from "./watch.ts";

const DEFAULT_URL = "redis://localhost:6379";

const USAGE = `Usage: keywatch watch [--url redis://host:port[/database]] [pattern…]

Prints the notifications of a server until Ctrl-C: time, database, event, key.

  --url URL   the server; ${DEFAULT_URL} when left out. A database in it, such as
              /2, watches that one alone, otherwise all of them
  pattern     the keys, such as 'user:*'; every key when left out
  --help      this text`;

/**
 * Runs a command of the tool.
 *
 * @param args the arguments after the program's name
 * @returns the exit status: 0 when all went well, 1 when something failed, 2 when the arguments
 * are wrong; the reason is on standard error
 */
export async function main(args: readonly string[]): Promise<number> {
  const output = standardOutput();
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { url: { type: "string" }, help: { type: "boolean", short: "h" } },
    });
  } catch (error) {
    output.note(`keywatch: ${messageOf(error)}\n\n${USAGE}`);
    return 2;
  }
  const { values, positionals: [command, ...patterns] } = parsed;
  if (values.help) {
    output.line(USAGE);
    return 0;
  }
  if (command !== "watch") {
    const why = command === undefined ? "no command is given" : `there is no command "${command}"`;
    output.note(`keywatch: ${why}\n\n${USAGE}`);
    return 2;
  }
  try {
    await watch({ url: values.url ?? DEFAULT_URL, patterns }, output);
    return 0;
  } catch (error) {
    output.note(`keywatch: ${messageOf(error)}`);
    return 1;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
