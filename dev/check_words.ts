/**
 * Finds words of the project's earlier private vocabulary in documents, comments, messages and test
 * names, where readers know another word for the same thing.
 *
 * Run it alone with `deno run --allow-all dev/check_words.ts [folder]`; it prints a line
 * `file:line: reason` for each word, and then its exit status is 1.
 */
import { join } from "node:path";
import ts from "npm:typescript@6.0.3";
import { type Problem, reportAndExit, ROOT, sourceFiles } from "./project.ts";

/** The words, and what to write instead. A word that is also ordinary English is not in the list. */
const WORDS: [pattern: string, instead: string][] = [
  ["mend(?:s|ed|ing)?", "fix"],
  ["phantoms?", "migration artefact"],
  ["told|tells? of|tells", "report, emit, say, show"],
  ["dialled|dialling", "connect, dialed, dialing"],
  ["anew", "again"],
  ["(?:come|comes|came|coming) back", "reconnect, return"],
  ["(?:connects?|reconnects?) by itself", "automatically"],
  ["for ever", "never fires, without end"],
  ["wanted", "desired, needed"],
  ["(?:let|lets|letting) go of", "release"],
  ["on the move|moves? of slots", "slot migration"],
  ["stream of changes", "replication stream"],
  ["whoever", "a noun"],
  ["the tool", "the CLI"],
  ["inquir(?:e|es|er|y|ies)", "ask, command"],
  ["lack of memory", "evicted"],
  ["time is over", "expired"],
  ["laid against|lays? against", "compare with"],
  ["hearsay|vouchers?", "unverified, a fact with its source"],
  ["whose (?:they|it) (?:are|is)", "a noun"],
  ["(?<!\\b(?:no|have|has|and|or|there) )no more(?! than\\b)", "no longer"],
  [
    "(?<!\\bthere )(?:is|are|was|were) no (?!(?:longer|more|way|reason|certain)\\b)[a-z]+",
    "is not a …",
  ],
];

/** A space between words may be a line break, in a comment with its mark. */
const GAP = String.raw`\s+(?:(?:\*|//)\s+)?`;

const PATTERN = new RegExp(
  WORDS.map(([pattern]) => `\\b(${pattern.replaceAll(" ", GAP)})\\b`).join("|"),
  "gi",
);

/** Files that quote what others wrote, or that record what was said at the time. */
const EXEMPT = /^(?:CHANGELOG\.md|dev\/check_words\.ts|tests\/dev\/check_words_test\.ts)$/;

/** Checks the documents and sources in a folder. */
export async function checkWords(root: string = ROOT): Promise<Problem[]> {
  const documents: string[] = [];
  for (const folder of ["", "docs", "docs/contributing"]) {
    for (const { name } of await entries(join(root, folder))) {
      if (name.endsWith(".md")) documents.push(join(folder, name));
    }
  }
  const sources = (await sourceFiles(root)).filter((file) => /\.[cm]?ts$|\.mjs$/.test(file));
  const problems: Problem[] = [];
  for (const file of [...documents.sort(), ...sources].filter((file) => !EXEMPT.test(file))) {
    const text = await Deno.readTextFile(join(root, file));
    for (const match of (file.endsWith(".md") ? text : prose(text)).matchAll(PATTERN)) {
      const index = match.slice(1).findIndex((group) => group !== undefined);
      const line = text.slice(0, match.index).split("\n").length;
      const word = match[0].replace(/\s+(?:(?:\*|\/\/)\s+)?/g, " ");
      problems.push({ file, line, reason: `"${word}": write "${WORDS[index]![1]}"` });
    }
  }
  return problems;
}

/** Returns a source with everything replaced but its comments and the strings that contain words. */
function prose(source: string): string {
  const kept: [start: number, end: number][] = [];
  const comments = (position: number, find: typeof ts.getLeadingCommentRanges) => {
    for (const { pos, end } of find(source, position) ?? []) kept.push([pos, end]);
  };
  const visit = (node: ts.Node): void => {
    comments(node.getFullStart(), ts.getLeadingCommentRanges);
    comments(node.end, ts.getTrailingCommentRanges);
    if (ts.isStringLiteralLike(node) || ts.isTemplateLiteralToken(node)) {
      const start = node.getStart();
      if (/[a-z] [a-z]/i.test(source.slice(start, node.end))) kept.push([start, node.end]);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("source.ts", source, ts.ScriptTarget.Latest, true));
  let text = "";
  for (const [start, end] of kept.sort(([a], [b]) => a - b)) {
    if (end <= text.length) continue;
    text += source.slice(text.length, start).replace(/\S/g, "\0") + source.slice(start, end);
  }
  return text;
}

async function entries(folder: string): Promise<Deno.DirEntry[]> {
  try {
    return await Array.fromAsync(Deno.readDir(folder));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

if (import.meta.main) reportAndExit(await checkWords(Deno.args[0]));
