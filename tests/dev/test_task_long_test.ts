import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { ROOT } from "../../dev/project.ts";
import { runs } from "../servers/process.ts";
import { until } from "../servers/wait.ts";
import { temporaryTree } from "./tree.ts";

/** This project with other test files, as the task `test` sees it. */
async function project(
  tests: Record<string, string>,
): Promise<AsyncDisposable & { root: string }> {
  const files = Object.entries(tests).map(([name, text]) => [`tests/${name}`, text]);
  const config = await Deno.readTextFile(join(ROOT, "deno.json"));
  const tree = await temporaryTree({ "deno.json": config, ...Object.fromEntries(files) });
  for await (const { name } of Deno.readDir(ROOT)) {
    if (name.startsWith(".") || name === "deno.json" || name === "tests") continue;
    await Deno.symlink(join(ROOT, name), join(tree.root, name));
  }
  await Deno.symlink(join(ROOT, "tests", "servers"), join(tree.root, "tests", "servers"));
  return tree;
}

function startTask(root: string, args: string[], env: Record<string, string> = {}) {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--lock=deno.lock", "--allow-all", "dev/test.ts", ...args],
    cwd: root,
    env: { NO_COLOR: "1", TEST_REPORT: "", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function runTask(
  root: string,
  args: string[] = [],
  env: Record<string, string> = {},
): Promise<{ code: number; lines: string[] }> {
  const { code, stdout, stderr } = await startTask(root, args, env).output();
  const text = new TextDecoder();
  return { code, lines: `${text.decode(stderr)}${text.decode(stdout)}`.trimEnd().split("\n") };
}

Deno.test("a run in which no test ran fails", async () => {
  await using tree = await project({
    "a_test.ts": `Deno.test("one", () => {});`,
    "b_test.ts": `Deno.test.ignore("two", () => {});`,
  });
  for (
    const args of [["--filter=three"], ["tests/a_test.ts", "--filter=two"], ["tests/b_test.ts"]]
  ) {
    const { code, lines } = await runTask(tree.root, args);
    assert(lines.includes("No test ran"), lines.join("\n"));
    assertEquals([lines.at(-1), code], ["0 passed, 1 failed", 1]);
  }
});

Deno.test("a file without a test fails the run of several, one without a test to run does not", async () => {
  await using tree = await project({
    "empty_test.ts": "export {};",
    "ignored_test.ts": `Deno.test.ignore("one", () => {});`,
    "more_test.ts": `Deno.test("two", () => {});`,
  });
  const all = await runTask(tree.root);
  assert(all.lines.includes("tests/empty_test.ts has no test"), all.lines.join("\n"));
  assertEquals([all.lines.at(-1), all.code], ["1 passed, 1 failed", 1]);
  const filtered = await runTask(tree.root, ["--filter=two"]);
  assertEquals([filtered.lines.at(-1), filtered.code], ["1 passed, 0 failed", 0]);
});

Deno.test("the command that runs a failed test again has its test file", async () => {
  const fails = `() => { throw new Error("x"); }`;
  await using tree = await project({
    "shared.ts": `export const register = (name: string, fn = ${fails}) => Deno.test(name, fn);`,
    "a_test.ts":
      `import { register } from "./shared.ts"; register("both"); register("a", () => {});`,
    "b_test.ts": `import { register } from "./shared.ts"; register("both"); register("a");`,
    "c_serial_test.ts": `import { register } from "./shared.ts"; register("it's one");`,
    "d_test.ts": `
      import { register } from "./shared.ts";
      register("late", async () => {
        setTimeout(() => { throw new Error("x"); }, 0);
        await new Promise((resolve) => setTimeout(resolve, 10_000));
      });`,
  });
  const commands = (lines: string[]) =>
    lines.flatMap((line) => / task test (.*)$/.exec(line)?.[1] ?? []).toSorted();
  assertEquals(commands((await runTask(tree.root)).lines), [
    "tests/a_test.ts --filter=both",
    "tests/b_test.ts --filter=a",
    "tests/b_test.ts --filter=both",
    "tests/c_serial_test.ts --filter='it'\\''s one'",
    "tests/d_test.ts --filter=late",
  ]);
  assertEquals(commands((await runTask(tree.root, ["tests/c_serial_test.ts"])).lines), [
    "tests/c_serial_test.ts --filter='it'\\''s one'",
  ]);
});

Deno.test("a file that cannot be loaded is named and counted", async () => {
  await using tree = await project({
    "a_test.ts": `Deno.test("one", () => {});`,
    "b_test.ts": "export {",
    "c_serial_test.ts": `Deno.test("two", () => {});`,
  });
  const report = join(tree.root, "report");
  const { code, lines } = await runTask(tree.root, [], { TEST_REPORT: report });
  assertStringIncludes(lines.join("\n"), "ran no test: tests/b_test.ts cannot be loaded");
  assertEquals([lines.at(-1), code], ["1 passed, 1 failed", 1]);
  assertEquals(await Deno.readTextFile(report), "1 passed, 1 failed");
  const alone = await runTask(tree.root, ["tests/b_test.ts"]);
  assertEquals([alone.lines.at(-1), alone.code], ["0 passed, 1 failed", 1]);
});

Deno.test("counts are printed though their file cannot be written", async () => {
  await using tree = await project({ "a_test.ts": `Deno.test("one", () => {});` });
  const { code, lines } = await runTask(tree.root, [], { TEST_REPORT: join(tree.root, "no", "a") });
  assert(lines.includes("1 passed, 0 failed"), lines.join("\n"));
  assertEquals(code, 1);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} ends the tests and what they started, and leaves no folder`, async () => {
    await using tree = await project({
      "a_test.ts": `
        import { startServer } from "./servers/mod.ts";
        Deno.test("waits", async () => {
          await using leased = await startServer();
          await using own = await startServer({ config: { databases: 2 } });
          const child = new Deno.Command("sleep", { args: ["600"] }).spawn();
          const pids = [Deno.pid, child.pid, leased.pid, own.pid];
          await Deno.writeTextFile("pids.new", pids.join(" "));
          await Deno.rename("pids.new", "pids");
          await child.status;
          await new Promise((resolve) => setTimeout(resolve, 600_000));
        });`,
    });
    const temporary = join(tree.root, "tmp");
    await Deno.mkdir(temporary);
    const task = startTask(tree.root, [], { TMPDIR: temporary });
    const output = task.output();
    const read = () => Deno.readTextFile(join(tree.root, "pids"));
    await until("the test runs", async () => (await read()) !== "");
    task.kill(signal);
    const { code, stderr } = await output;
    assertEquals(code, signal === "SIGINT" ? 130 : 143);
    assertStringIncludes(new TextDecoder().decode(stderr), "Interrupted");
    const pids = (await read()).split(" ").map(Number);
    assertEquals(pids.length, 4);
    // A watchdog ends its server once the test process is gone.
    await until("all have ended", async () => {
      return (await Promise.all(pids.map(runs))).every((one) => !one);
    });
    await until("no folder is left", () => [...Deno.readDirSync(temporary)].length === 0);
  });
}
