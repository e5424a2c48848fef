import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { listProcesses } from "../tests/servers/process.ts";
import { isTestFile, readReport, type TestResult } from "./junit.ts";
import { ROOT } from "./project.ts";

/** How one run of `deno test` ended. */
export interface RunOutcome {
  /** A failed one has the test file that ran it, also where another file registered it. */
  results: TestResult[];
  /** Failures outside every test, such as a file that cannot be loaded. */
  outside: string[];
}

/** How long nothing may end before the files that still run are named, in ms. */
const QUIET = 30_000;

/** Counts the files that have run, over all runs of a suite. */
export class Progress {
  readonly #started = new Map<string, number>();
  /** Files that ended and ran no test. */
  readonly idle: string[] = [];
  #ended = 0;
  #lastPrinted = Date.now();

  /** @param total the number of files; with a single one nothing is printed */
  constructor(readonly total: number) {}

  /** Files that started and have not ended. */
  get unfinished(): string[] {
    return [...this.#started.keys()];
  }

  /** Whether output is left to progress, not to the run itself. */
  get isShown(): boolean {
    return this.total > 1;
  }

  /** Takes a line that `test_marks.ts` wrote. */
  mark(line: string): void {
    const [state, at, url, count] = line.split(" ");
    const file = url!.slice(url!.lastIndexOf("/tests/") + 1);
    if (state === "started") return void this.#started.set(file, Number(at));
    const seconds = (Number(at) - this.#started.get(file)!) / 1000;
    this.#started.delete(file);
    this.#ended++;
    if (count === "0") this.idle.push(file);
    this.#print(`${file} (${seconds.toFixed(1)} s)`);
  }

  /** Names what still runs when nothing has ended for a while. */
  tick(): void {
    if (this.#started.size > 0 && Date.now() - this.#lastPrinted > QUIET) {
      this.#print(`running: ${this.unfinished.join(", ")}`);
    }
  }

  #print(text: string): void {
    this.#lastPrinted = Date.now();
    if (this.isShown) console.log(`${this.#ended} of ${this.total}  ${text}`);
  }
}

/** What a run printed. */
interface Printed {
  /** The last lines. */
  last: string;
  /** A line for each test that failed: `./file => name ...`. */
  failures: string[];
}

/**
 * Passes on what a run prints of failures: each at once, with its file, and all that it says of them
 * at its end.
 */
async function showFailures(stream: ReadableStream<Uint8Array>): Promise<Printed> {
  let isEnd = false;
  let file = "";
  let rest = "";
  const last: string[] = [];
  const failures: string[] = [];
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const plain = stripVTControlCharacters(line);
      isEnd ||= plain === " ERRORS ";
      // Files that run one by one are named once, and those side by side before each of their tests.
      file = /^running \d+ tests? from (\S+)$/.exec(plain)?.[1] ?? file;
      if (isEnd) console.log(line);
      else if (/^\S.* \.\.\. (?:FAILED|cancelled)/.test(plain)) {
        const isNamed = plain.startsWith("./tests/");
        failures.push(isNamed ? plain : `${file} => ${plain}`);
        console.log(isNamed ? line : `${file} => ${line}`);
      }
      last.push(line);
      if (last.length > 100) last.shift();
    }
  }
  return { last: [...last, rest].join("\n"), failures };
}

/**
 * Names the test files of tests that failed. The report has the file that calls `Deno.test`, which
 * may be one that test files share.
 */
function nameTestFiles(
  results: readonly TestResult[],
  files: readonly string[],
  failures: readonly string[],
): TestResult[] {
  const rest = [...failures];
  return results.map((one) => {
    if (one.result !== "failed" || isTestFile(one.file)) return one;
    const isOf = (file: string) => (line: string) =>
      line.startsWith(`./${file} => ${one.name} ...`);
    const file = files.length === 1 ? files[0] : files.find((file) => rest.some(isOf(file)));
    if (file === undefined) return one;
    // The next one of this name is of another file.
    rest.splice(rest.findIndex(isOf(file)), 1);
    return { ...one, file };
  });
}

/** Reports each line that is added to a file until `ended` resolves, and its last lines then. */
async function follow(
  path: string,
  ended: Promise<unknown>,
  progress: Progress,
): Promise<void> {
  let isOver = false;
  ended.finally(() => isOver = true);
  for (let seen = 0;;) {
    const isLast = isOver;
    const lines = (await Deno.readTextFile(path)).split("\n").slice(0, -1);
    for (const line of lines.slice(seen)) progress.mark(line);
    seen = lines.length;
    progress.tick();
    if (isLast) return;
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 200))]);
  }
}

/**
 * Sends SIGTERM to a process and all it started in its process group. The watchdogs of servers are
 * in groups of their own: they end the servers and remove their folders.
 */
async function terminateTree(root: number): Promise<void> {
  const processes = await listProcesses();
  const ours = processes.find(({ pid }) => pid === root)?.group;
  const tree = new Set([root]);
  for (const one of tree) {
    for (const { pid, parent, group } of processes) {
      if (parent === one && group === ours) tree.add(pid);
    }
  }
  for (const pid of tree) {
    for (const signal of ["SIGTERM", "SIGCONT"] as const) {
      try {
        Deno.kill(pid, signal);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
}

/** @param last the last that the run wrote; nothing if it was not read */
function whyNoReport(last: string): string {
  // One file that cannot be loaded is enough for no test to run.
  const culprit = last.match(/(?<=\bat file:\/\/)\/\S+(?=:\d+:\d+)/g)
    ?.find((path) => path.startsWith(ROOT))?.slice(ROOT.length);
  const reason = culprit === undefined ? "" : `: ${culprit} cannot be loaded`;
  return `\`deno test\` ran no test${reason}${last === "" ? "" : `; the last it wrote:\n${last}`}`;
}

/**
 * Waits for the end of a child.
 *
 * @param interrupt ends the child and all it started
 * @returns whether it succeeded
 */
export async function whenEnded(
  child: Deno.ChildProcess,
  interrupt: AbortSignal,
): Promise<boolean> {
  const end = () => void terminateTree(child.pid);
  interrupt.addEventListener("abort", end);
  if (interrupt.aborted) end();
  try {
    return (await child.status).success;
  } finally {
    interrupt.removeEventListener("abort", end);
  }
}

/**
 * Runs test files in one `deno test`, and waits for it.
 *
 * @param args for `deno test`: options, then files
 * @param env for its process
 * @param progress takes each file; if it is shown, only failures are printed besides
 * @param interrupt ends the run
 * @throws {Error} if the run is interrupted, or its report cannot be read
 */
export async function runTests(
  args: readonly string[],
  env: Record<string, string>,
  progress: Progress,
  interrupt: AbortSignal,
): Promise<RunOutcome> {
  interrupt.throwIfAborted();
  const folder = await Deno.makeTempDir({ prefix: "keywatch-tests-" });
  try {
    const report = join(folder, "report.xml");
    const marks = join(folder, "marks");
    await Deno.writeTextFile(marks, "");
    const out = progress.isShown ? "piped" : "inherit";
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        "--lock=deno.lock",
        "--no-check",
        "--sanitize-ops",
        "--sanitize-resources",
        "--allow-all",
        `--junit-path=${report}`,
        "--preload=dev/test_marks.ts",
        ...args,
      ],
      cwd: ROOT,
      env: { ...env, TEST_MARKS: marks },
      stdin: "null",
      stdout: out,
      stderr: out,
    }).spawn();
    const [success, printed] = await Promise.all([
      whenEnded(child, interrupt),
      progress.isShown ? Promise.all([showFailures(child.stdout), showFailures(child.stderr)]) : [],
      follow(marks, child.status, progress),
    ]);
    interrupt.throwIfAborted();
    const xml = await Deno.readTextFile(report).catch(() => "");
    const last = printed.map((stream) => stream.last).join("\n");
    if (xml === "") return { results: [], outside: [whyNoReport(last)] };
    const failures = printed.flatMap((stream) => stream.failures);
    const results = nameTestFiles(readReport(xml), args.filter(isTestFile), failures);
    const failed = new Set(results.flatMap((one) => one.result === "failed" ? [one.file] : []));
    const outside = progress.unfinished.filter((file) => !failed.has(file))
      .map((file) => `${file} did not run to its end`);
    // With a filter, most files run none.
    if (progress.isShown && !args.some((arg) => arg.startsWith("--filter"))) {
      const idle = progress.idle.filter((file) =>
        args.includes(file) && !results.some((one) => one.file === file)
      );
      outside.push(...idle.map((file) => `${file} has no test`));
    }
    if (!success && failed.size + outside.length === 0) {
      outside.push("`deno test` failed, but no test did");
    }
    return { results, outside };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
