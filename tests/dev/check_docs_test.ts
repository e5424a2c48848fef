import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { checkDocs } from "../../dev/check_docs.ts";
import { temporaryTree } from "./tree.ts";

const CONFIG = JSON.stringify({
  name: "@keywatch/keywatch",
  exports: { ".": "./mod.ts", "./parse": "./parse/mod.ts" },
});

const EXAMPLE = " * @example\n * ```ts\n * void 0;\n * ```\n";

function tree(declarations: string): Record<string, string> {
  return {
    "deno.json": CONFIG,
    "mod.ts": `export * from "./parse/mod.ts";\n`,
    "parse/mod.ts": `export * from "./glob.ts";\n`,
    "parse/glob.ts": declarations,
  };
}

/** The problems of a package that exports these declarations, as the script prints them. */
async function check(declarations: string): Promise<string[]> {
  await using files = await temporaryTree(tree(declarations));
  const problems = await checkDocs(await Deno.realPath(files.root));
  return problems.map(({ file, line, reason }) => `${file}:${line}: ${reason}`);
}

function missing(line: number, name: string): string {
  return `parse/glob.ts:${line}: ${name} is public, and has no @example with TypeScript in it`;
}

Deno.test("a public name of any kind without an example is reported once", async () => {
  const declarations = [
    "export class A {}",
    "export interface B {}",
    "export type C = 1;",
    "export const D: number = 1;",
    "export function E(): void {}",
  ];
  for (const [i, declaration] of declarations.entries()) {
    const name = "ABCDE"[i]!;
    assertEquals(await check(`/** Something. */\n${declaration}\n`), [missing(2, name)]);
    assertEquals(await check(`/**\n * Something.\n *\n${EXAMPLE} */\n${declaration}\n`), []);
  }
});

Deno.test("an example without code shows nothing", async () => {
  assertEquals(await check("/** @example As one would think */\nexport class A {}\n"), [
    missing(2, "A"),
  ]);
});

Deno.test("one example does for a value and a type of the same name", async () => {
  assertEquals(
    await check(
      `/**\n${EXAMPLE} */\nexport const A: 1 = 1;\n/** Its type. */\nexport type A = 1;\n`,
    ),
    [],
  );
});

Deno.test("a name is judged where it is declared, by whichever module it is exported", async () => {
  await using files = await temporaryTree({
    ...tree(`/**\n${EXAMPLE} */\nexport class A {}\n\n/** Something. */\nexport class B {}\n`),
    "mod.ts": `export * from "./parse/mod.ts";\n`,
    "parse/mod.ts": `export { A, type B } from "./glob.ts";\n`,
  });
  const problems = await checkDocs(await Deno.realPath(files.root));
  assertEquals(problems.map(({ file, line }) => `${file}:${line}`), ["parse/glob.ts:10"]);
});

Deno.test("what no module exports needs no example", async () => {
  assertEquals(await check("class A {}\nexport {};\n"), []);
});

Deno.test("a package that cannot be read is an error, not one without faults", async () => {
  await using files = await temporaryTree({ "deno.json": CONFIG });
  await assertRejects(() => checkDocs(files.root), Error, "Cannot read the documentation");
});

Deno.test("the script ends with 1 and says which name", async () => {
  const script = fileURLToPath(new URL("../../dev/check_docs.ts", import.meta.url));
  await using files = await temporaryTree(tree("/** Something. */\nexport class A {}\n"));
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-all", script, await Deno.realPath(files.root)],
    stdin: "null",
  }).output();
  assertEquals(code, 1);
  assertStringIncludes(new TextDecoder().decode(stderr), missing(2, "A"));
});
