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

const CLUSTER_COLUMNS: readonly (readonly [string, (run: Named) => number])[] = [
  ["artefacts hidden", ({ artefacts = 0 }) => artefacts],
  ["artefacts delivered", ({ outcome }) => outcome.report.unexpected.length],
];

/**
 * The figures of runs as a table in Markdown; runs of one name share a row. Those of clusters count
 * artefacts too.
 */
export function table(runs: readonly Named[]): string {
  const columns: readonly (readonly [string, (run: Named) => number])[] = [
    ...COLUMNS.map(([name, count]) =>
      [name, ({ outcome: { report, faults } }: Named) => {
        return count(report, Object.values(faults).reduce((a, b) => a + b, 0));
      }] as const
    ),
    ...runs.some(({ artefacts }) => artefacts !== undefined) ? CLUSTER_COLUMNS : [],
  ];
  const header = ["", ...columns.map(([name]) => name)];
  const ruler = [":--", ...columns.map(() => "--:")];
  const rows = [...Map.groupBy(runs, ({ name }) => name)].map(([name, same]) => [
    name,
    ...columns.map(([, count]) =>
      same.reduce((sum, run) => sum + count(run), 0).toLocaleString("en-US")
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
  const [from, to, begin] = place(document, name);
  return `${document.slice(0, from)}${begin}\n\n${text}\n${document.slice(to)}`;
}

/**
 * Keeps of the figures of several servers those that others do not replace. Those of each begin with
 * a line of its name and version.
 */
export function mergeFigures(before: string, figures: string): string {
  const parts = (text: string) =>
    text.split(/^(?=\S+ \S+, mixed for )/m).filter((part) => part.trim() !== "")
      .map((part) => [part.slice(0, part.indexOf(",")), `${part.trimEnd()}\n`] as const);
  const merged = new Map([...parts(before), ...parts(figures)]);
  return [...merged.values()].join("\n");
}

/**
 * The text between the two marks of a name.
 *
 * @throws {Error} if the document lacks them
 */
export function filledIn(document: string, name: string): string {
  const [from, to, begin] = place(document, name);
  return document.slice(from + begin.length, to).trim();
}

/** Where the first mark of a name begins, where the second does, and the first. */
function place(document: string, name: string): [from: number, to: number, begin: string] {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const from = document.indexOf(begin);
  const to = document.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`The document lacks the lines ${begin} and ${end}`);
  return [from, to, begin];
}
