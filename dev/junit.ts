/** What became of one test, its steps included. */
export interface TestResult {
  file: string;
  name: string;
  seconds: number;
  result: "passed" | "failed" | "ignored";
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function attribute(tag: string, name: string): string {
  const found = new RegExp(`\\s${name}="([^"]*)"`).exec(tag);
  if (!found) throw new Error(`Cannot read the test report: ${tag} has no ${name}`);
  return found[1]!.replace(/&(amp|lt|gt|quot|apos);/g, (_, entity) => ENTITIES[entity]!);
}

/** Whether a file is a test file, not one that registers tests or steps for others. */
export function isTestFile(file: string): boolean {
  return file.endsWith("_test.ts");
}

/**
 * Whether a result is that of a step. The report names a step after its test, `test > step`, and
 * lists it beside the tests of the file that calls `step`: that of its test, or a helper's.
 *
 * @param results the names of all that the report lists, by file
 */
function isStep({ file, name }: TestResult, results: ReadonlyMap<string, Set<string>>): boolean {
  const parts = name.split(" > ");
  const files = isTestFile(file) ? [results.get(file)!] : [...results.values()];
  return parts.some((_, i) =>
    i > 0 && files.some((names) => names.has(parts.slice(0, i).join(" > ")))
  );
}

/**
 * Reads the results of the tests from a report that `deno test --junit-path` wrote.
 *
 * @throws {Error} if the report is not whole, or if what it lists is not what it says it lists
 */
export function readReport(xml: string): TestResult[] {
  const total = /<testsuites\s[^>]*>/.exec(xml)?.[0];
  if (!total || !xml.trimEnd().endsWith("</testsuites>")) {
    throw new Error("Cannot read the test report: it is not whole");
  }
  const results: TestResult[] = [];
  for (const [, suite] of xml.matchAll(/<testsuite\s[^>]*>([\s\S]*?)<\/testsuite>/g)) {
    for (const [, tag, body] of suite!.matchAll(/(<testcase\s[^>]*>)([\s\S]*?)<\/testcase>/g)) {
      const result = /<(?:failure|error)[\s>]/.test(body!)
        ? "failed"
        : /<skipped[\s/>]/.test(body!)
        ? "ignored"
        : "passed";
      results.push({
        file: attribute(tag!, "classname").replace(/^\.\//, ""),
        name: attribute(tag!, "name"),
        // One that a filter leaves out has none.
        seconds: result === "ignored" ? 0 : Number(attribute(tag!, "time")),
        result,
      });
    }
  }
  const said = attribute(total, "tests");
  if (String(results.length) !== said) {
    throw new Error(
      `Cannot read the test report: it lists ${results.length} results and says ${said}`,
    );
  }
  const names = new Map<string, Set<string>>();
  for (const { file, name } of results) {
    names.set(file, (names.get(file) ?? new Set()).add(name));
  }
  return results.filter((result) => !isStep(result, names));
}
