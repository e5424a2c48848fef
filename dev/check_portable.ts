/**
 * Type-checks the published layers that may name no runtime against what a web worker has, and
 * nothing else, so that a global of Deno, Bun or Node is an error even where its name is not one
 * that `check_imports.ts` looks for, such as `Buffer` or `setImmediate`.
 *
 * The transports are read for their types, but what is wrong in them here does not count.
 */
import { join, relative, sep } from "node:path";
import ts from "npm:typescript@6.0.3";
import { type Problem, readConfig, reportAndExit, ROOT, sourceFiles } from "./project.ts";
import { isPublished, layerOf } from "./layers.ts";

function isPortable(file: string): boolean {
  return isPublished(file) && !layerOf(file)!.runtime;
}

/** Checks the project in a folder. */
export async function checkPortable(root: string = ROOT): Promise<Problem[]> {
  const { compilerOptions = {} } = await readConfig(root);
  const { options, errors } = ts.convertCompilerOptionsFromJson(
    {
      ...compilerOptions,
      lib: ["esnext", "webworker"],
      types: [],
      target: "esnext",
      module: "esnext",
      moduleResolution: "bundler",
      allowImportingTsExtensions: true,
      noEmit: true,
      // Not in deno.json: `deno check --doc` writes imports into each example, used or not.
      noUnusedLocals: true,
      // Without it the compiler refuses isolatedDeclarations; Deno does not.
      declaration: true,
    },
    root,
  );
  // Deno's own names for options are not the compiler's.
  if (errors.length > 0) throw new Error(String(errors[0]!.messageText));

  const files = (await sourceFiles(root)).filter(isPortable);
  const program = ts.createProgram(files.map((file) => join(root, file)), options);
  const found = [...program.getGlobalDiagnostics(), ...ts.getPreEmitDiagnostics(program)];
  const problems = new Map<string, Problem>();
  for (const { file, start = 0, messageText } of found) {
    const reason = ts.flattenDiagnosticMessageText(messageText, "\n  ");
    const path = file ? relative(root, file.fileName).split(sep).join("/") : "deno.json";
    if (file && !isPortable(path)) continue;
    const line = file ? file.getLineAndCharacterOfPosition(start).line + 1 : 1;
    problems.set(`${path}:${line}:${reason}`, { file: path, line, reason });
  }
  return [...problems.values()];
}

if (import.meta.main) reportAndExit(await checkPortable(Deno.args[0]));
