import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { delimiter, join } from "node:path";
import { readConfig, ROOT } from "../../dev/project.ts";
import { temporaryTree } from "./tree.ts";

const TEST_COMMAND = `npx -y deno@${Deno.version.deno} task test`;

/** A project of one function, with this one's checks. */
async function smallProject(): Promise<Record<string, string>> {
  const { compilerOptions, lint } = await readConfig();
  const files: Record<string, string> = {
    "mod.ts": `/**
 * A module.
 *
 * @module
 */

/**
 * Adds one.
 *
 * @example
 * \`\`\`ts
 * import { increment } from "@keywatch/keywatch";
 *
 * const three: number = increment(2);
 * \`\`\`
 */
export function increment(n: number): number {
  return n + 1;
}
`,
    "README.md": `# Small\n\n    ${TEST_COMMAND}\n`,
    "docs/more.md": "# More\n",
    "deno.json": JSON.stringify({
      name: "@keywatch/keywatch",
      version: "0.1.0",
      license: "MIT",
      exports: { ".": "./mod.ts" },
      nodeModulesDir: "none",
      lock: false,
      compilerOptions: { ...compilerOptions, noUnusedLocals: false },
      lint,
      fmt: { include: ["mod.ts"] },
      publish: { exclude: ["dev", "tests", "docs"] },
      tasks: { "test": "deno run --lock=deno.lock --allow-all dev/test.ts" },
    }),
    "cli/doctor/fixes.ts": "export const shellWord = (word: string): string => word;\n",
    "tests/servers/mod.ts": `
type Found = (options: unknown) => Promise<void>;
export const ensureServer: Found = () => Promise.resolve();
export const matrix: Found = () => Promise.resolve();
`,
    "tests/servers/process.ts": `
type Entry = { pid: number; parent: number; group: number };
export const listProcesses = (): Promise<Entry[]> => Promise.resolve([]);
`,
    "tests/servers/lease.ts": `export const POOL_VARIABLE = "TEST_POOL";\n`,
    "tests/servers/pool.ts": `
export class Pool {
  readonly address = "";
  readonly counts = { started: 0, leased: 0, discarded: 0 };
  readonly failures: string[] = [];
  static start(): Promise<Pool> {
    return Promise.resolve(new Pool());
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}
`,
    "tests/a_test.ts": `
Deno.test("one", () => {});
Deno.test("two", async (t) => {
  await t.step("part", () => {});
});
`,
    "tests/a_matrix_test.ts": `Deno.test("on every server", () => {});\n`,
  };
  for await (const { name, isFile } of Deno.readDir(join(ROOT, "dev"))) {
    // The mutation checks need the library.
    if (isFile && name !== "mutants.ts") {
      files[`dev/${name}`] = await Deno.readTextFile(join(ROOT, "dev", name));
    }
  }
  return files;
}

interface Ended {
  code: number;
  lines: string[];
  text: string;
}

/** Runs the checks in a tree, where `npx -y deno@…` is the Deno that runs this. */
async function check(files: Record<string, string>, ...args: string[]): Promise<Ended> {
  await using tree = await temporaryTree(files);
  const env = {
    NO_COLOR: "1",
    PATH: `${join(tree.root, ".bin")}${delimiter}${Deno.env.get("PATH")}`,
  };
  const deno = async (...args: string[]) => {
    const options = { args, cwd: tree.root, env, stdin: "null" } as const;
    return await new Deno.Command(Deno.execPath(), options).output();
  };
  await Deno.mkdir(join(tree.root, ".bin"));
  await Deno.writeTextFile(
    join(tree.root, ".bin", "npx"),
    `#!/bin/sh\nshift 2\nexec '${Deno.execPath()}' "$@"\n`,
    { mode: 0o755 },
  );
  const cached = await deno("cache", "--lock=deno.lock", "dev/check_imports.ts", "dev/test.ts");
  assert(cached.success, new TextDecoder().decode(cached.stderr));
  const { code, stdout, stderr } = await deno("run", "--allow-all", "dev/check.ts", ...args);
  const text = new TextDecoder().decode(stdout);
  return { code, lines: text.trimEnd().split("\n"), text: text + new TextDecoder().decode(stderr) };
}

function verdicts(lines: string[]): Record<string, string> {
  const found = lines.map((line) => /^(ok|FAILED) +(.*) \(\d+\.\d s\)$/.exec(line));
  return Object.fromEntries(found.flatMap((one) => one ? [[one[2]!, one[1]!]] : []));
}

const CHECKS = [
  "format",
  "lint",
  "types",
  "types of documented examples",
  "documentation",
  "examples of every name",
  "package",
  "dependency rules",
  "portable types",
  "lock file",
];

Deno.test("each check fails for its own fault, and none stops the others", async () => {
  const files = await smallProject();
  const { code, lines, text } = await check({
    ...files,
    "mod.ts": files["mod.ts"]!
      .replace("const three: number", "const three: string")
      .replace("  return", " return")
      .replace("return n", "debugger;\n  void ({} as Console).nothing;\n  return n") +
      `import "./tests/servers/mod.ts";
export const undocumented: number = globalThis.Deno.pid;
export function unclear() { return 1; }
`,
  });
  const { "lock file": lockFile, ...others } = verdicts(lines);
  const expected = CHECKS.slice(0, -1).map((name) => [name, "FAILED"]);
  assertEquals(others, Object.fromEntries(expected), text);
  assertEquals(lockFile, "ok");
  assertEquals(lines.at(-1), "1 passed, 9 failed");
  assertEquals(code, 1);
  for (const fault of ["Type 'number' is not assignable to type 'string'", "no-debugger"]) {
    assertStringIncludes(text, fault);
  }
  assertStringIncludes(text, "mod.ts:22: imports tests/servers/mod.ts");
});

Deno.test("in CI a project without fault passes every check, and each test is counted", async () => {
  const { code, lines, text } = await check(await smallProject(), "--ci");
  const all = [...CHECKS, "tests"];
  assertEquals(verdicts(lines), Object.fromEntries(all.map((name) => [name, "ok"])), text);
  assertEquals(lines.at(-1), "12 passed, 0 failed", text);
  assertEquals(code, 0);
});

Deno.test("in CI failed tests are counted, and so is a file that cannot be loaded", async () => {
  const { code, lines, text } = await check({
    ...await smallProject(),
    "tests/b_test.ts": `Deno.test("three", () => {\n  throw new Error("of its own");\n});\n`,
    "tests/c_test.ts": `throw new Error("outside of every test");\n`,
  }, "--ci");
  assertEquals(verdicts(lines)["tests"], "FAILED", text);
  assertEquals(lines.at(-1), "12 passed, 2 failed", text);
  assertEquals(code, 1);
  for (
    const words of ["of its own", "outside of every test", "tests/c_test.ts did not run to its end"]
  ) {
    assertStringIncludes(text, words);
  }
  assertStringIncludes(text, `\n${TEST_COMMAND} tests/b_test.ts --filter=three\n`);
});

Deno.test("a README without the test command fails, and so does an incomplete lock file", async () => {
  const { lines, text } = await check({
    ...await smallProject(),
    "README.md": `# Small\n\n    ${TEST_COMMAND}:all\n`,
    "tests/b_test.ts": `import "npm:redis-errors@1.2.0";\n`,
  }, "--ci");
  assertStringIncludes(text, `README.md does not name the command: ${TEST_COMMAND}\n`);
  assertEquals(verdicts(lines)["tests"], "FAILED", text);
  assertEquals(verdicts(lines)["lock file"], "FAILED", text);
  assertStringIncludes(text, "commit it as it is now");
  assertEquals(lines.at(-1), "9 passed, 2 failed", text);
});
