import type { Program } from "./programs.ts";

/** How long a runtime may take for all cases, and to end by itself, in ms. */
const LIMIT = 300_000;

/** How a runtime's run of the contract ended. */
export interface Run {
  /** With which exit status or signal, or by force because it did not by itself. */
  ended: string;
  stdout: string;
  stderr: string;
}

/** Runs a program in a folder to its end. */
export async function runToEnd([program, ...args]: Program, folder: string): Promise<Run> {
  const child = new Deno.Command(program, {
    args,
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let forced = false;
  const timer = setTimeout(() => {
    forced = true;
    child.kill("SIGKILL");
  }, LIMIT);
  const { code, signal, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const text = new TextDecoder();
  return {
    ended: forced ? "by force" : `with ${signal ?? code}`,
    stdout: text.decode(stdout),
    stderr: text.decode(stderr),
  };
}

/** A line that the script prints. */
interface Line {
  /** The first: the names of all cases. */
  cases?: string[];
  /** For each case, its name, */
  case?: string;
  /** and what it failed of. */
  error?: string;
  /** The last: how many passed. */
  passed?: number;
}

/** All that is wrong with a run, in words. */
export function problemsOf({ ended, stdout, stderr }: Run): string[] {
  const problems: string[] = [];
  const lines = stdout.split("\n").filter((line) => line !== "").map((text): Line => {
    try {
      return JSON.parse(text);
    } catch {
      problems.push(`Printed: ${text}`);
      return {};
    }
  });
  const planned = lines.find(({ cases }) => cases)?.cases ?? [];
  if (planned.length === 0) problems.push("No case was to be run");
  for (const name of planned) {
    const result = lines.find((line) => line.case === name);
    if (result === undefined) problems.push(`${name}: did not run to its end`);
    else if (result.error !== undefined) problems.push(`${name}: ${result.error}`);
  }
  const passed = lines.at(-1)?.passed;
  if (passed !== planned.length) problems.push(`${passed} of ${planned.length} cases passed`);
  if (stderr !== "") problems.push(`Wrote to standard error: ${stderr}`);
  if (ended !== "with 0") problems.push(`Ended ${ended}`);
  return problems;
}
