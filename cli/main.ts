import { parseArgs } from "node:util";
import { listenForInterrupt } from "./interrupt.ts";
import { messageOf } from "./message.ts";
import { Output } from "./output.ts";
import { watch } from "./watch.ts";

const DEFAULT_URL = "redis://localhost:6379";

/** Not of every scheme: the keys of a cache may well begin with `https://`. */
const LOOKS_LIKE_URL = /^(?:redis|rediss|redis\+unix|valkey|valkeys|unix):\/\//i;

const USAGE = `Usage: keywatch watch [--url redis://host:port[/database]] [pattern…]

Prints the notifications of a server or a cluster until Ctrl-C: time, database,
event, key.

  --url URL   the server, or any node of a cluster; left out,
              ${DEFAULT_URL}. A database in it, such as /2, watches
              that one alone, otherwise all of them
  pattern     the keys, such as 'user:*'; every key when left out
  --help      this text`;

/**
 * Runs a command of the tool, until it has done its work or is interrupted.
 *
 * @param args the arguments after the program's name
 * @returns the exit status: 0 when all went well, 1 when something failed, 2 when the arguments
 * are wrong; the reason is on standard error
 */
export async function main(args: readonly string[]): Promise<number> {
  const output = new Output();
  const interrupt = listenForInterrupt();
  try {
    const status = await run(args, output, interrupt.signal);
    await output.flush(interrupt.signal);
    if (output.failure === null) return status;
    output.note(`keywatch: ${output.failure}`, "red");
    await output.flush(interrupt.signal);
    return 1;
  } finally {
    interrupt.release();
  }
}

async function run(
  args: readonly string[],
  output: Output,
  interrupted: AbortSignal,
): Promise<number> {
  const misused = (why: string) => {
    output.note(`keywatch: ${why}`, "red");
    for (const line of ["", ...USAGE.split("\n")]) output.note(line);
    return 2;
  };
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { url: { type: "string" }, help: { type: "boolean", short: "h" } },
    });
  } catch (error) {
    return misused(messageOf(error));
  }
  const { values, positionals: [command, ...patterns] } = parsed;
  if (values.help) {
    output.line(USAGE);
    return 0;
  }
  if (command === undefined) return misused("no command is given");
  if (command !== "watch") return misused(`there is no command "${command}"`);
  for (const pattern of patterns) {
    const why = pattern === ""
      ? "a pattern is empty; leave it out to watch every key"
      : LOOKS_LIKE_URL.test(pattern)
      ? "a pattern looks like the URL of a server; write --url before it"
      : null;
    if (why !== null) return misused(why);
  }
  try {
    const signal = AbortSignal.any([interrupted, output.broken]);
    await watch({ url: values.url ?? DEFAULT_URL, patterns, signal }, output);
    return 0;
  } catch (error) {
    output.note(`keywatch: ${messageOf(error)}`, "red");
    return 1;
  }
}
