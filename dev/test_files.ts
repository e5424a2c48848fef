/** Which test files run, and how. */
import { join } from "node:path";
import { ROOT, sourceFiles } from "./project.ts";

/** Every test file, as paths from the project's folder. */
async function allFiles(): Promise<string[]> {
  return (await sourceFiles(join(ROOT, "tests")))
    .map((file) => `tests/${file}`)
    .filter((file) => file.endsWith("_test.ts"));
}

/** Files for which the short suite has no time: they run on every server, or long. */
const LONG = /_(?:matrix|long)(?:_serial)?_test\.ts$/;

/** Whether a file runs on each version of the servers. */
export function needsEveryServer(file: string): boolean {
  return /_matrix(?:_serial)?_test\.ts$/.test(file);
}

/** Whether a file measures its process, and so runs alone in one. */
export function runsAlone(file: string): boolean {
  return file.endsWith("_serial_test.ts");
}

/**
 * Files that take long and would be among the last to start. `deno test` runs the files of a folder
 * in the order in which they are given, but those of folders with short names after all others.
 */
export const STARTED_FIRST: readonly string[] = [
  "tests/dev/npm_test.ts",
  "tests/cli/packed_test.ts",
  "tests/dev/demo_test.ts",
  "tests/cli/top_test.ts",
  "tests/cli/doctor_test.ts",
  "tests/dev/security_test.ts",
  "tests/cli/doctor_cluster_test.ts",
  "tests/cli/slow_reader_test.ts",
  "tests/dev/check_portable_test.ts",
  "tests/cli/connection_test.ts",
  "tests/cli/watch_test.ts",
];

/** Files in the order in which they are best started, so that no long one runs alone at the end. */
export function longestFirst(files: readonly string[]): string[] {
  const early = STARTED_FIRST.filter((file) => files.includes(file));
  return [...new Set([...early, ...files])];
}

/** Test files to run, and what goes to `deno test`. */
export interface Selection {
  files: string[];
  options: string[];
  /** Whether files or folders were named. */
  isNamed: boolean;
}

/**
 * Finds the test files among the arguments of a task.
 *
 * @param args files, folders, and options of `deno test`
 * @param all whether those without room in the short suite run too; a file that is named always runs
 * @throws {Error} if no test file is at a named place
 */
export async function selectFiles(args: readonly string[], all: boolean): Promise<Selection> {
  const found = await allFiles();
  const options = args.filter((arg) => arg.startsWith("-"));
  const places = args.filter((arg) => !arg.startsWith("-"))
    .map((arg) => arg.replace(/^\.\//, "").replace(/\/+$/, ""));
  const inSuite = (file: string) => all || !LONG.test(file);
  if (places.length === 0) return { files: found.filter(inSuite), options, isNamed: false };
  const files = new Set<string>();
  for (const place of places) {
    const there = found.filter((file) => file === place || file.startsWith(`${place}/`));
    if (there.length === 0) {
      throw new Error(`There are no tests at ${place}; name a file or folder`);
    }
    for (const file of there) if (file === place || inSuite(file)) files.add(file);
  }
  if (files.size === 0) {
    throw new Error(`All tests at ${places.join(" ")} are long; \`deno task test:all\` runs them`);
  }
  return { files: [...files], options, isNamed: true };
}
