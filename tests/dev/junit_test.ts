import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { readReport, type TestResult } from "../../dev/junit.ts";
import { temporaryTree } from "./tree.ts";

type Counts = Record<TestResult["result"], number>;

function countResults(results: TestResult[]): Counts {
  const counts: Counts = { passed: 0, failed: 0, ignored: 0 };
  for (const { result } of results) counts[result]++;
  return counts;
}

/** What `deno test` reports of these files, with its exit status. */
async function report(
  files: Record<string, string>,
  ...options: string[]
): Promise<{ xml: string; code: number }> {
  await using tree = await temporaryTree({ "deno.json": "{}", ...files });
  const path = join(tree.root, "report.xml");
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-check", `--junit-path=${path}`, ...options, ...Object.keys(files)],
    cwd: tree.root,
    stdin: "null",
  }).output();
  return { xml: await Deno.readTextFile(path), code };
}

const CASES: [string, Record<string, string>, Counts][] = [
  ["tests", {
    "a_test.ts": `
      Deno.test("one", () => {});
      Deno.test("fails", () => { throw new Error("x"); });
      Deno.test({ name: "ignored", ignore: true, fn() {} });`,
    "b_test.ts": `Deno.test("two", () => {});`,
  }, { passed: 2, failed: 1, ignored: 1 }],
  ["steps belong to their test", {
    "a_test.ts": `
      Deno.test("good", async (t) => {
        await t.step("a", async (t) => { await t.step("b", () => {}); });
        await t.step("c", () => {});
        await t.step({ name: "d", ignore: true, fn() {} });
      });
      Deno.test("bad", async (t) => {
        await t.step("a", async (t) => { await t.step("b", () => { throw 0; }); });
        await t.step("c", () => {});
      });`,
  }, { passed: 1, failed: 1, ignored: 0 }],
  ["steps of another file too", {
    "a_test.ts": `
      import { step } from "./b.ts";
      Deno.test("good", (t) => step(t, () => {}));
      Deno.test("bad", (t) => step(t, () => { throw 0; }));`,
    "b.ts": `
      export const step = async (t: Deno.TestContext, fn: () => void) => void await t.step("a", fn);`,
  }, { passed: 1, failed: 1, ignored: 0 }],
  ["a test that is named like a step of another file", {
    "a_test.ts": `Deno.test("x", async (t) => { await t.step("y", () => {}); });`,
    "b_test.ts": `Deno.test("x > y", () => { throw new Error("x"); });`,
  }, { passed: 1, failed: 1, ignored: 0 }],
  ["any name and message", {
    "a_test.ts": `
      Deno.test("a > b", () => {});
      Deno.test('<testcase name="x"></testcase>', () => {});
      Deno.test("<failure>", () => {});
      Deno.test("fails", () => { throw new Error("</testcase></testsuite><skipped/>"); });`,
  }, { passed: 3, failed: 1, ignored: 0 }],
  ["an error outside the tests fails those that it cancels", {
    "a_test.ts": `
      Deno.test("one", async () => {
        setTimeout(() => { throw new Error("late"); }, 0);
        await new Promise((resolve) => setTimeout(resolve, 10_000));
      });
      Deno.test("two", () => {});`,
    "b_test.ts": `Deno.test("three", () => {});`,
  }, { passed: 1, failed: 2, ignored: 0 }],
];

for (const [name, files, counts] of CASES) {
  Deno.test(`counted from the real report: ${name}`, async () => {
    const { xml, code } = await report(files);
    assertEquals(countResults(readReport(xml)), counts);
    assertEquals(code === 0, counts.failed === 0);
  });
}

Deno.test("tests that a filter leaves out are ignored", async () => {
  const files = { "a_test.ts": `for (const name of ["one", "two"]) Deno.test(name, () => {});` };
  const { xml } = await report(files, "--filter=one");
  assertEquals(countResults(readReport(xml)), { passed: 1, failed: 0, ignored: 1 });
});

Deno.test("an incomplete report gives no count", async () => {
  const { xml } = await report({ "a_test.ts": `Deno.test("one", () => {});` });
  for (const broken of ["", "<html></html>", xml.slice(0, xml.length / 2)]) {
    assertThrows(() => readReport(broken), Error, "Cannot read the test report");
  }
  const fewer = xml.replace(/<testcase[\s\S]*<\/testcase>/, "");
  assertThrows(() => readReport(fewer), Error, "lists 0 results and says 1");
});

Deno.test("a result has the test's file, name and duration", async () => {
  const { xml } = await report({
    "a_test.ts": `Deno.test('5 > 3 & "x" <y>', async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
    });`,
  });
  const [{ file, name, seconds, result } = { seconds: 0 } as TestResult] = readReport(xml);
  assertEquals({ file, name, result }, {
    file: "a_test.ts",
    name: '5 > 3 & "x" <y>',
    result: "passed",
  });
  assert(seconds >= 0.019, `${seconds}`);
});
