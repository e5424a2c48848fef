import { assertEquals } from "@std/assert";
import { checkWords } from "../../dev/check_words.ts";
import { temporaryTree } from "./tree.ts";

/** The problems of a project with these files, as `file:line: word`. */
async function check(files: Record<string, string>): Promise<string[]> {
  await using tree = await temporaryTree(files);
  const problems = await checkWords(await Deno.realPath(tree.root));
  return problems.map(({ file, line, reason }) => `${file}:${line}: ${reason.split('"')[1]}`);
}

Deno.test("a private word is found in documents, comments, messages and test names", async () => {
  const source = [
    "/**",
    " * Resolves once it has come",
    " * back.",
    " */",
    "export const text: string = `It ${1} is mended`; // Dialled anew.",
    'Deno.test("tells of a gap", () => {});',
  ];
  assertEquals(
    await check({ "docs/a.md": "# One\n\nThe tool waits.\n", "b.ts": source.join("\n") }),
    [
      "docs/a.md:3: The tool",
      "b.ts:2: come back",
      "b.ts:5: mended",
      "b.ts:5: Dialled",
      "b.ts:5: anew",
      "b.ts:6: tells of",
    ],
  );
});

Deno.test("names in code, paths and ordinary English are not private words", async () => {
  assertEquals(
    await check({
      "a.ts":
        'import { told } from "./mend.ts"; // There is no gap, and no more than one.\ntold();\n',
      "CHANGELOG.md": "It is mended.\n",
      "docs/b.md": "It is no longer there.\n",
    }),
    [],
  );
});
