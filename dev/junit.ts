/** Results of tests. A test and its steps are one, as in the totals that `deno test` prints. */
export interface TestCounts {
  passed: number;
  failed: number;
  ignored: number;
}

interface TestCase {
  name: string;
  result: keyof TestCounts;
}

function attribute(tag: string, name: string): string {
  const found = new RegExp(`\\s${name}="([^"]*)"`).exec(tag);
  if (!found) throw new Error(`Cannot read the test report: ${tag} has no ${name}`);
  return found[1]!;
}

/** The report names a step after its test, `test > step`, and lists it beside the tests. */
function isStep(one: TestCase, all: Set<string>): boolean {
  const parts = one.name.split(" &gt; ");
  return parts.some((_, i) => i > 0 && all.has(parts.slice(0, i).join(" &gt; ")));
}

/**
 * Counts the tests in a report that `deno test --junit-path` wrote.
 *
 * @throws {Error} if the report is not whole, or if what it lists is not what it says it lists
 */
export function countTests(xml: string): TestCounts {
  const total = /<testsuites\s[^>]*>/.exec(xml)?.[0];
  if (!total || !xml.trimEnd().endsWith("</testsuites>")) {
    throw new Error("Cannot read the test report: it is not whole");
  }
  const counts: TestCounts = { passed: 0, failed: 0, ignored: 0 };
  let listed = 0;
  for (const [, suite] of xml.matchAll(/<testsuite\s[^>]*>([\s\S]*?)<\/testsuite>/g)) {
    const cases: TestCase[] = [];
    for (const [, tag, body] of suite!.matchAll(/(<testcase\s[^>]*>)([\s\S]*?)<\/testcase>/g)) {
      const result = /<(?:failure|error)[\s>]/.test(body!)
        ? "failed"
        : /<skipped[\s/>]/.test(body!)
        ? "ignored"
        : "passed";
      cases.push({ name: attribute(tag!, "name"), result });
    }
    listed += cases.length;
    const names = new Set(cases.map(({ name }) => name));
    for (const one of cases) {
      if (!isStep(one, names)) counts[one.result]++;
    }
  }
  const said = attribute(total, "tests");
  if (String(listed) !== said) {
    throw new Error(`Cannot read the test report: it lists ${listed} results and says ${said}`);
  }
  return counts;
}
