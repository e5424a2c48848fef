import type { Report } from "./ledger.ts";
import type { Named } from "./scenarios.ts";

const COLUMNS: readonly (readonly [string, (report: Report, faults: number) => number])[] = [
  ["faults injected", (_, faults) => faults],
  ["events written", ({ written }) => written],
  ["delivered", ({ delivered }) => delivered],
  ["inside gaps", ({ insideGaps }) => insideGaps],
  ["gaps", ({ gaps }) => Object.values(gaps).reduce((sum, count) => sum + count, 0)],
  ["lost in silence", ({ lostInSilence }) => lostInSilence.length],
  ["duplicated", ({ duplicated }) => duplicated.length],
  ["out of order", ({ outOfOrder }) => outOfOrder.length],
  ["gaps not honest", ({ gapsNotHonest }) => gapsNotHonest.length],
];

/** The figures of runs as a table in Markdown; runs of one name share a row. */
export function table(runs: readonly Named[]): string {
  const header = ["", ...COLUMNS.map(([name]) => name)];
  const ruler = [":--", ...COLUMNS.map(() => "--:")];
  const rows = [...Map.groupBy(runs, ({ name }) => name)].map(([name, same]) => [
    name,
    ...COLUMNS.map(([, count]) =>
      same.reduce((sum, { outcome: { report, faults } }) => {
        return sum + count(report, Object.values(faults).reduce((a, b) => a + b, 0));
      }, 0).toLocaleString("en-US")
    ),
  ]);
  return [header, ruler, ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

/**
 * Puts text between the two marks of a name, which stand alone on lines of their own.
 *
 * @throws {Error} if the document lacks them
 */
export function fillIn(document: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const from = document.indexOf(begin);
  const to = document.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`The document lacks the lines ${begin} and ${end}`);
  return `${document.slice(0, from)}${begin}\n\n${text}\n${document.slice(to)}`;
}
