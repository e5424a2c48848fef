/**
 * The task `test`: sees to it that there is a server, then runs the short suite with the leak
 * sanitizers on, many files at once. Arguments go to `deno test`: files or folders in place of all,
 * and options such as `--filter=name`. With `--all` first, the task `test:all`: the tests that run
 * on every server, the long ones and the mutation checks too.
 *
 * `$TEST_SEED` repeats the random numbers of a run with `--all`. `$TEST_REPORT` names a file for the
 * counts of passed and failed tests.
 */
import { shellWord } from "../cli/doctor/fixes.ts";
import { POOL_VARIABLE } from "../tests/servers/lease.ts";
import { ensureServer, matrix } from "../tests/servers/mod.ts";
import { Pool } from "../tests/servers/pool.ts";
import type { TestResult } from "./junit.ts";
import { ROOT } from "./project.ts";
import { longestFirst, needsEveryServer, runsAlone, selectFiles } from "./test_files.ts";
import { Progress, type RunOutcome, runTests, whenEnded } from "./test_run.ts";

/** Tests wait more than they work, so that a core has room for several. */
const FILES_PER_CORE = 2;

/** How long the short suite may take on two cores, in s. */
const LIMIT = 360;

function printSlowest(results: readonly TestResult[]): void {
  console.log("\nThe ten slowest tests:");
  for (
    const { seconds, file, name } of results.toSorted((a, b) => b.seconds - a.seconds).slice(0, 10)
  ) {
    console.log(`${seconds.toFixed(1).padStart(6)} s  ${file}: ${name}`);
  }
}

/** @param task the words before the place of a test: a task, perhaps with its environment */
function printFailed(results: readonly TestResult[], task: string): void {
  if (results.length === 0) return;
  console.log("\nTo run what failed alone:");
  for (const { file, name } of results) {
    console.log(`${task} ${file} --filter=${shellWord(name)}`);
  }
}

function printPool({ counts: { started, leased, discarded }, failures }: Pool): void {
  if (leased === 0) return;
  console.log(
    `\nServers and clusters were leased ${leased} times; ${started} were started, and ` +
      `${discarded} discarded because tests left them changed`,
  );
  for (const failure of failures) console.log(failure);
}

function printTime(seconds: number, isShortSuite: boolean): void {
  const minutes = Math.floor(seconds / 60);
  const rest = Math.floor(seconds % 60);
  console.log(`\nAll of it took ${minutes} min ${rest} s`);
  if (isShortSuite && seconds > LIMIT) {
    console.log(
      `That is more than the ${LIMIT / 60} min that the short suite may take on two cores`,
    );
  }
}

const all = Deno.args[0] === "--all";
const { files, options, isNamed } = await prepare(all ? Deno.args.slice(1) : Deno.args);

async function prepare(args: string[]) {
  const progress = { progress: (message: string) => console.error(message) };
  try {
    const selection = await selectFiles(args, all);
    await ensureServer(progress);
    if (selection.files.some(needsEveryServer)) await matrix(progress);
    return selection;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}

const env: Record<string, string> = {
  DENO_JOBS: String(navigator.hardwareConcurrency * FILES_PER_CORE),
  ...Deno.env.toObject(),
  // The CLI reads them within the process of its tests; empty, they are as good as not set.
  REDIS_URL: "",
  REDIS_USERNAME: "",
  REDIS_PASSWORD: "",
};
if (all) {
  env["TEST_SEED"] ??= String(Math.floor(Math.random() * 2 ** 31));
  console.log(`TEST_SEED=${env["TEST_SEED"]} repeats the random numbers of this run`);
}
const interrupt = new AbortController();
for (const [signal, number] of [["SIGINT", 2], ["SIGTERM", 15]] as const) {
  Deno.addSignalListener(signal, () => {
    const status = 128 + number;
    if (interrupt.signal.aborted) Deno.exit(status);
    Deno.exitCode = status;
    interrupt.abort(new Error("Interrupted"));
  });
}
const pool = await Pool.start();
env[POOL_VARIABLE] = pool.address;
const progress = new Progress(files.length);
const outcomes: RunOutcome[] = [];
const together = longestFirst(files.filter((file) => !runsAlone(file)));
const alone = files.filter(runsAlone);
const run = (args: string[]) => runTests(args, env, progress, interrupt.signal);
const exitIfInterrupted = () => {
  if (!interrupt.signal.aborted) return;
  console.error("Interrupted");
  Deno.exit();
};
try {
  if (together.length > 0) {
    outcomes.push(await run(["--parallel", ...options, ...together]));
  }
  if (alone.length > 0) outcomes.push(await run([...options, ...alone]));
} catch (error) {
  if (!interrupt.signal.aborted) throw error;
} finally {
  await pool[Symbol.asyncDispose]();
}
exitIfInterrupted();

const listed = outcomes.flatMap((outcome) => outcome.results);
const results = listed.filter(({ result }) => result !== "ignored");
const failed = results.filter(({ result }) => result === "failed");
const outside = outcomes.flatMap((outcome) => outcome.outside);
let passed = results.filter(({ result }) => result === "passed").length;
if (results.length + outside.length === 0) outside.push("No test ran");
if (all && !isNamed) {
  const mutants = new Deno.Command(Deno.execPath(), {
    args: ["task", "mutants"],
    cwd: ROOT,
    stdin: "null",
  });
  const success = await whenEnded(mutants.spawn(), interrupt.signal);
  exitIfInterrupted();
  if (success) passed++;
  else outside.push("The mutation checks failed");
}

if (progress.isShown) {
  printSlowest(results);
  printPool(pool);
  printTime(performance.now() / 1000, !all && !isNamed);
}
const ignored = listed.length - results.length;
if (ignored > 0) console.log(`\n${ignored} tests were ignored or left out by the filter`);
const seed = all ? `TEST_SEED=${env["TEST_SEED"]} ` : "";
printFailed(failed, `${seed}npx -y deno@${Deno.version.deno} task ${all ? "test:all" : "test"}`);
if (outside.length > 0) console.log(`\n${outside.join("\n")}`);
const counts = `${passed} passed, ${failed.length + outside.length} failed`;
const report = Deno.env.get("TEST_REPORT");
console.log(`\n${counts}`);
if (report) await Deno.writeTextFile(report, counts);
Deno.exit(failed.length + outside.length === 0 ? 0 : 1);
