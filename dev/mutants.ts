/**
 * The task `mutants`: breaks the library in many small ways, one at a time and in a copy of the
 * project, and runs the nearby tests there. At least one of them must fail each time; a breakage
 * that no test notices survives. With arguments, only the breakages whose name or file contains one
 * of them. The exit status is 1 if a breakage survives, cannot be applied, or has nearby tests that
 * fail without it.
 */
import { join } from "node:path";
import { ensureServer } from "../tests/servers/mod.ts";
import { bytes } from "./mutants/bytes.ts";
import { cli } from "./mutants/cli.ts";
import { cluster } from "./mutants/cluster.ts";
import { events } from "./mutants/events.ts";
import type { Mutant } from "./mutants/mutant.ts";
import { parse } from "./mutants/parse.ts";
import { pubsub } from "./mutants/pubsub.ts";
import { pubsubGaps } from "./mutants/pubsub_gaps.ts";
import { pubsubState } from "./mutants/pubsub_state.ts";
import { pubsubSubscriptions } from "./mutants/pubsub_subscriptions.ts";
import { resp } from "./mutants/resp.ts";
import { standby } from "./mutants/standby.ts";
import { ROOT } from "./project.ts";

const MUTANTS: readonly Mutant[] = [
  ...bytes,
  ...resp,
  ...parse,
  ...events,
  ...pubsub,
  ...pubsubGaps,
  ...pubsubState,
  ...pubsubSubscriptions,
  ...standby,
  ...cluster,
  ...cli,
];

/** How long tests may take without any mutant, in ms. */
const LIMIT = 300_000;

/** How many times as long they may take with one, and how much longer in any case, in ms. */
const SLOWER = 3;
const GRACE = 30_000;

/** Folders that no test needs. */
const LEFT_OUT: ReadonlySet<string> = new Set(["node_modules", "dist"]);

interface TestRun {
  readonly outcome: "passed" | "failed" | "timed out" | "not run";
  readonly output: string;
  /** How long it took, in ms. */
  readonly took: number;
}

type Verdict = "caught" | "SURVIVED" | "NOT CHECKED";

interface Checked {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
  /** Why it was not checked. */
  readonly why: string;
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory, isFile } of Deno.readDir(from)) {
    if (name.startsWith(".") || LEFT_OUT.has(name)) continue;
    if (isDirectory) await copyTree(join(from, name), join(to, name));
    else if (isFile) await Deno.copyFile(join(from, name), join(to, name));
  }
}

async function runTests(
  root: string,
  tests: readonly string[],
  time: number,
  interrupt: AbortSignal,
): Promise<TestRun> {
  const began = performance.now();
  const limit = AbortSignal.timeout(time);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--lock=deno.lock",
      // A test has to notice, not the type check.
      "--no-check",
      "--fail-fast",
      "--sanitize-ops",
      "--sanitize-resources",
      "--allow-all",
      ...tests,
    ],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.any([limit, interrupt]),
  }).output();
  interrupt.throwIfAborted();
  const text = new TextDecoder();
  const output = text.decode(stdout) + text.decode(stderr);
  const took = performance.now() - began;
  if (!success && limit.aborted) return { outcome: "timed out", output, took };
  // Code that cannot be loaded runs no test, and neither does a filter that nothing matches.
  const hasRun = /^running [1-9]\d* tests? from /m.test(output);
  return { outcome: !hasRun ? "not run" : success ? "passed" : "failed", output, took };
}

/** Why a mutant cannot be made of a file's text; null where it can. */
function whyNot({ file, before }: Mutant, text: string | null): string | null {
  if (text === null) return `there is no file ${file}`;
  const count = text.split(before).length - 1;
  return count === 1 ? null : `${file} has the text before ${count} times, not once`;
}

class Checks {
  readonly #interrupt: AbortSignal;
  /** What the nearby tests give without any mutant, by their arguments. */
  readonly #unbroken = new Map<string, Promise<TestRun>>();

  constructor(interrupt: AbortSignal) {
    this.#interrupt = interrupt;
  }

  async check(mutant: Mutant, root: string): Promise<Omit<Checked, "mutant">> {
    const path = join(root, mutant.file);
    const text = await Deno.readTextFile(path).catch(() => null);
    const fault = whyNot(mutant, text);
    if (fault !== null) return { verdict: "NOT CHECKED", why: fault };
    const unbroken = await this.#runUnbroken(mutant.tests, root);
    if (unbroken.outcome !== "passed") {
      const why = `without it, its nearby tests are: ${unbroken.outcome}\n${unbroken.output}`;
      return { verdict: "NOT CHECKED", why };
    }
    // Not by a text, in which $ would have a meaning.
    await Deno.writeTextFile(path, text!.replace(mutant.before, () => mutant.after));
    try {
      const limit = SLOWER * unbroken.took + GRACE;
      const { outcome, output } = await runTests(root, mutant.tests, limit, this.#interrupt);
      if (outcome === "passed") return { verdict: "SURVIVED", why: "" };
      if (outcome === "failed") return { verdict: "caught", why: "" };
      // A time-out proves nothing: the machine may be busy.
      return { verdict: "NOT CHECKED", why: `its tests are: ${outcome}\n${output}` };
    } finally {
      await Deno.writeTextFile(path, text!);
    }
  }

  #runUnbroken(tests: readonly string[], root: string): Promise<TestRun> {
    const key = tests.join(" ");
    const run = this.#unbroken.get(key) ?? runTests(root, tests, LIMIT, this.#interrupt);
    this.#unbroken.set(key, run);
    return run;
  }
}

/** Checks mutants in as many copies of the project as there are processors, one at a time in each. */
async function checkAll(
  mutants: readonly Mutant[],
  folder: string,
  interrupt: AbortSignal,
): Promise<Checked[]> {
  const checks = new Checks(interrupt);
  const checked: Checked[] = [];
  const waiting = [...mutants];
  const work = async (root: string) => {
    await copyTree(ROOT, root);
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const began = performance.now();
      const { verdict, why } = await checks.check(mutant, root);
      const seconds = ((performance.now() - began) / 1_000).toFixed(1);
      const count = checked.push({ mutant, verdict, why });
      console.log(
        `${count} of ${mutants.length}: ${verdict}: ${mutant.name} (${mutant.file}, ${seconds} s)`,
      );
    }
  };
  const copies = Math.max(1, Math.min(navigator.hardwareConcurrency, mutants.length));
  await Promise.all(Array.from({ length: copies }, (_, n) => work(join(folder, `copy${n}`))));
  return checked;
}

async function main(parts: readonly string[]): Promise<number> {
  const mutants = MUTANTS.filter(({ name, file }) =>
    parts.length === 0 || parts.some((part) => name.includes(part) || file.includes(part))
  );
  if (mutants.length === 0) {
    console.error(`No breakage has a name or file that contains ${parts.join(" or ")}`);
    return 1;
  }
  await ensureServer({ progress: (message) => console.error(message) });
  const interrupt = new AbortController();
  const end = () => interrupt.abort(new Error("Interrupted"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, end);
  const folder = await Deno.makeTempDir({ prefix: "keywatch-mutants-" });
  try {
    const checked = await checkAll(mutants, folder, interrupt.signal);
    const uncaught = checked.filter(({ verdict }) => verdict !== "caught");
    console.log(`\n${checked.length - uncaught.length} of ${checked.length} breakages were caught`);
    for (const { mutant: { name, file, tests }, verdict, why } of uncaught) {
      console.log(`${verdict}: ${name}\n  in ${file}; tests: ${tests.join(" ")}`);
      if (why !== "") console.log(`  ${why.replaceAll("\n", "\n  ")}`);
    }
    return uncaught.length === 0 ? 0 : 1;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    console.error("Interrupted");
    return 130;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.exit(await main(Deno.args));
