/**
 * The task `check`: everything that can be known about the project without running its tests.
 * With `--ci`, the tests too, by the very commands that the README gives. Every check runs, also
 * after one that failed. The last line, alone, is `N passed, N failed`; the exit status is 1 if
 * anything failed.
 */
import { join } from "node:path";
import { readConfig, ROOT, sourceFiles } from "./project.ts";
import { isPublished } from "./layers.ts";

const ci = Deno.args.includes("--ci");

/** How long one command may take before it counts as failed, in seconds. */
const CHECK_LIMIT = 600;
const TESTS_LIMIT = 1800;

interface Outcome {
  passed: number;
  failed: number;
  /** Shown if something failed. */
  output: string;
}

interface Command {
  words: string[];
  limit: number;
  env?: Record<string, string>;
  /** Whether its output goes straight to ours, so that a long run shows where it is. */
  shown?: boolean;
}

/**
 * Runs a command of the project. In CI, `timeout` of coreutils ends it and all that it started after
 * its limit. Elsewhere, Ctrl-C does.
 */
async function run({ words, limit, env = {}, shown = false }: Command): Promise<Outcome> {
  const [program, ...args] = ci ? ["timeout", "--kill-after=10", String(limit), ...words] : words;
  const out = shown ? "inherit" : "piped";
  const child = new Deno.Command(program!, {
    args,
    cwd: ROOT,
    env,
    stdin: "null",
    stdout: out,
    stderr: out,
  });
  if (shown) {
    const { success } = await child.spawn().status;
    return { passed: Number(success), failed: Number(!success), output: "" };
  }
  const { success, code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  let output = text.decode(stdout) + text.decode(stderr);
  if (ci && code === 124) output += `Not finished within ${limit} s\n`;
  return { passed: Number(success), failed: Number(!success), output };
}

function deno(...args: string[]): () => Promise<Outcome> {
  return () => run({ words: [Deno.execPath(), ...args], limit: CHECK_LIMIT });
}

/** Runs the tests as a reader of the README does, each counted, and shows them as they go. */
async function tests(): Promise<Outcome> {
  const command = `npx -y deno@${Deno.version.deno} task test`;
  const readme = await Deno.readTextFile(join(ROOT, "README.md"));
  if (!readme.split(/[\n\r\x60]/).some((line) => line.trim() === command)) {
    return { passed: 0, failed: 1, output: `README.md does not name the command: ${command}\n` };
  }
  const folder = await Deno.makeTempDir();
  try {
    const report = join(folder, "counts");
    const words = command.split(" ");
    const ended = await run({
      words,
      limit: TESTS_LIMIT,
      env: { TEST_REPORT: report },
      shown: true,
    });
    const counts = await Deno.readTextFile(report).catch(() => "");
    const [, passed, failed] = /^(\d+) passed, (\d+) failed$/.exec(counts) ?? [];
    if (passed === undefined) return { passed: 0, failed: 1, output: "The tests gave no count\n" };
    const unnamed = ended.failed > 0 && failed === "0" ? 1 : 0;
    const output = unnamed > 0 ? "The tests passed, but their run failed\n" : "";
    return { passed: Number(passed), failed: Number(failed) + unnamed, output };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const lockBefore = await Deno.readTextFile(join(ROOT, "deno.lock"));

/** A clone must not change by being checked, as it does when the lock file lacks an import. */
async function lockUnchanged(): Promise<Outcome> {
  const same = await Deno.readTextFile(join(ROOT, "deno.lock")) === lockBefore;
  const output = same ? "" : "deno.lock lacked what these checks import; commit it as it is now\n";
  return { passed: Number(same), failed: Number(!same), output };
}

async function markdownFiles(): Promise<string[]> {
  const files: string[] = [];
  for (const folder of ["", "docs", "docs/contributing"]) {
    for await (const { name } of Deno.readDir(join(ROOT, folder))) {
      if (name.endsWith(".md")) files.push(join(folder, name));
    }
  }
  return files.sort();
}

const exported = Object.values((await readConfig()).exports);
const published = (await sourceFiles()).filter(isPublished);

const checks: [name: string, check: () => Promise<Outcome>][] = [
  ["format", deno("fmt", "--check")],
  ["lint", deno("lint")],
  ["types", deno("check", "--lock=deno.lock", ".")],
  ["types of documented examples", async () => {
    return await deno(
      "check",
      "--lock=deno.lock",
      "--doc-only",
      ...published,
      ...await markdownFiles(),
    )();
  }],
  ["documentation", deno("doc", "--lint", ...exported)],
  ["examples of every name", deno("run", "--lock=deno.lock", "--allow-all", "dev/check_docs.ts")],
  ["package", deno("publish", "--dry-run", ...(ci ? [] : ["--allow-dirty"]))],
  ["dependency rules", deno("run", "--lock=deno.lock", "--allow-all", "dev/check_imports.ts")],
  ["words", deno("run", "--lock=deno.lock", "--allow-all", "dev/check_words.ts")],
  ["portable types", deno("run", "--lock=deno.lock", "--allow-all", "dev/check_portable.ts")],
  ...(ci ? [["tests", tests] satisfies [string, () => Promise<Outcome>]] : []),
  ["lock file", lockUnchanged],
];

let passed = 0;
let failed = 0;
for (const [name, check] of checks) {
  const start = performance.now();
  const outcome = await check().catch((error): Outcome => {
    return { passed: 0, failed: 1, output: `${error}\n` };
  });
  passed += outcome.passed;
  failed += outcome.failed;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const verdict = outcome.failed > 0 ? "FAILED" : "ok";
  if (outcome.failed > 0) console.log(`\n${outcome.output.trimEnd()}`);
  console.log(`${verdict.padEnd(6)} ${name} (${seconds} s)`);
}
console.log(`${passed} passed, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);
