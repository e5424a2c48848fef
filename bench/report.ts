import { availableParallelism, cpus, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

/** A page that benchmarks write, and how it begins. */
interface Page {
  file: string;
  head: string;
}

const FIGURES: Page = page(
  "docs/performance.md",
  "# Performance\n\nThe benchmarks write this page. Each part says how to run it again.\n",
);
const GOALS: Page = page(
  "docs/contributing/performance.md",
  "# Performance goals\n\nThe benchmarks write which of their goals were reached.\n",
);

function page(path: string, head: string): Page {
  return { file: fileURLToPath(new URL(`../${path}`, import.meta.url)), head };
}

/** The middle of numbers that are in order. */
export function median(sorted: readonly number[]): number {
  const half = (sorted.length - 1) / 2;
  return (sorted[Math.floor(half)]! + sorted[Math.ceil(half)]!) / 2;
}

/** The median of numbers that are in order, with the quartiles in brackets. */
export function spread(sorted: readonly number[], digits: number): string {
  const last = sorted.length - 1;
  const low = sorted[Math.floor(last / 4)]!;
  const high = sorted[Math.ceil(last * 3 / 4)]!;
  return `${median(sorted).toFixed(digits)} [${low.toFixed(digits)}–${high.toFixed(digits)}]`;
}

/** A whole number with its thousands apart. */
export function inFigures(number: number): string {
  return number.toLocaleString("en");
}

/** Each figure with what was aimed at, `">="` or `"<="`, and whether it was reached. */
export function goals(
  rows: readonly (readonly [what: string, reached: number, sign: ">=" | "<=", goal: number])[],
): string {
  return rows.map(([what, reached, sign, goal]) => {
    const met = sign === ">=" ? reached >= goal : reached <= goal;
    const words = sign === ">=" ? "at least" : "at most";
    return `- ${what}: ${reached.toFixed(2)}, goal ${words} ${goal}: ${met ? "met" : "missed"}`;
  }).join("\n");
}

/** Rows of cells as a table of Markdown; the first row is its head, the first column is text. */
export function table(rows: readonly (readonly string[])[]): string {
  const [head, ...body] = rows.map((cells) => `| ${cells.join(" | ")} |`);
  const line = rows[0]!.map((_, i) => i === 0 ? "---" : "---:");
  return [head, `| ${line.join(" | ")} |`, ...body].join("\n");
}

/** What the figures were measured on, in words. */
export function machine(): string {
  const model = cpus()[0]?.model.trim() || "an unknown processor";
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${model}, ${availableParallelism()} cores, ${memory} GiB, ` +
    `${Deno.build.os} ${release()} on ${Deno.build.arch}`;
}

/** Matches what {@linkcode goals} writes. */
const GOAL = /^- .*, goal at (?:least|most) [\d.]+: (?:met|missed)$/;

/**
 * Puts a part into docs/performance.md, in place of what the same benchmark wrote before, and its goals
 * into docs/contributing/performance.md.
 */
export async function writeSection(name: string, text: string): Promise<void> {
  const lines = text.split("\n");
  const figures = lines.filter((line) => !GOAL.test(line)).join("\n");
  await replacePart(FIGURES, name, figures.replace(/\n{3,}/g, "\n\n"));
  const reached = lines.filter((line, i) => {
    const rest = lines.slice(i + 1);
    const end = rest.findIndex((other) => other.startsWith("#"));
    const part = end === -1 || line.startsWith("## ") ? rest : rest.slice(0, end);
    return GOAL.test(line) || line.startsWith("#") && part.some((other) => GOAL.test(other));
  });
  const spaced = reached.map((line) => line.startsWith("#") ? `\n${line}\n` : line);
  if (reached.length > 0) await replacePart(GOALS, name, spaced.join("\n"));
}

async function replacePart({ file, head }: Page, name: string, text: string): Promise<void> {
  const begin = `<!-- begin ${name} -->`;
  const end = `<!-- end ${name} -->`;
  const section = `${begin}\n\n${text.trim()}\n\n${end}\n`;
  const old = await Deno.readTextFile(file).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return head;
    throw error;
  });
  const from = old.indexOf(begin);
  const to = old.indexOf(end);
  await Deno.writeTextFile(
    file,
    from === -1 || to === -1
      ? `${old.trimEnd()}\n\n${section}`
      : old.slice(0, from) + section + old.slice(to + end.length).replace(/^\n/, ""),
  );
  // `deno fmt` aligns the tables.
  const format = new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", file] });
  const { success } = await format.output();
  if (!success) throw new Error(`Cannot format ${file}`);
}
