/**
 * Looks in what `deno doc` knows of the package's exports for public names that no example shows.
 *
 * Run it by itself with `deno run --allow-all dev/check_docs.ts [folder]`; it prints a line
 * `file:line: reason` for each name, and then its exit status is 1.
 */
import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { type Problem, readConfig, reportAndExit, ROOT } from "./project.ts";

/** A declaration in the output of `deno doc --json`, whose `def` depends on its `kind`. */
export interface Declaration {
  kind: string;
  location: { filename: string; line: number };
  jsDoc?: { doc?: string; tags?: { kind: string; doc?: string }[] };
  def?: unknown;
}

/** The part of `deno doc --json` that counts here. */
interface Documentation {
  version: number;
  nodes: Record<string, { symbols: { name: string; declarations: Declaration[] }[] }>;
}

/** Whether one of its examples has code in it. */
function isShown({ jsDoc }: Declaration): boolean {
  return jsDoc?.tags?.some(({ kind, doc }) => kind === "example" && doc?.includes("```ts")) ??
    false;
}

/** Reads the documentation of one module. Of several at once `deno doc` only says who names what. */
export async function readDocumentation(
  module: string,
  root: string = ROOT,
): Promise<Documentation> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", module],
    cwd: root,
    stdin: "null",
  }).output();
  const failure = `Cannot read the documentation of ${module}: `;
  if (!success) throw new Error(failure + decode(stderr));
  const documentation: Documentation = JSON.parse(decode(stdout));
  if (documentation.version === 2) return documentation;
  throw new Error(`${failure}its form is version ${documentation.version}, not 2`);
}

/** Checks the project in a folder. */
export async function checkDocs(root: string = ROOT): Promise<Problem[]> {
  const { exports } = await readConfig(root);
  const problems = new Map<string, Problem>();
  for (const module of Object.values(exports)) {
    const { nodes } = await readDocumentation(module, root);
    for (const { name, declarations } of Object.values(nodes).flatMap(({ symbols }) => symbols)) {
      // A name may stand for a value and a type, or have overloads.
      if (declarations.some(isShown)) continue;
      const { filename, line } = declarations[0]!.location;
      const file = relative(root, fileURLToPath(filename)).split(sep).join("/");
      const reason = `${name} is public, and has no @example with TypeScript in it`;
      problems.set(`${file}:${name}`, { file, line: line + 1, reason });
    }
  }
  return [...problems.values()];
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

if (import.meta.main) reportAndExit(await checkDocs(Deno.args[0]));
