import { join, relative, sep } from "node:path";
import ts from "npm:typescript@6.0.3";
import { ROOT } from "../project.ts";

/** What a module becomes, for runtimes or for type checkers. */
export interface Output {
  text: string;
  /** The source map of the text. */
  map: SourceMap;
  /** The modules of this project that it imports, as the source names them. */
  imports: string[];
}

/** A source map, as far as it is changed here. */
export interface SourceMap {
  file: string;
  sources: string[];
  mappings: string;
}

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  verbatimModuleSyntax: true,
  newLine: ts.NewLineKind.LineFeed,
};

/** What runtimes take: a standard module of ES2022, which Node 20 has. */
export function compileCode(file: string, source: string): Output {
  const compilerOptions = { ...OPTIONS, sourceMap: true };
  const { outputText, sourceMapText } = ts.transpileModule(source, {
    compilerOptions,
    fileName: file,
  });
  return output(outputText, sourceMapText!);
}

/**
 * What type checkers take: of these modules, and of all that they import. By one program, because types
 * that are made one module at a time declare some members twice.
 *
 * @param files paths from the project's folder
 * @returns by such paths
 */
export function compileTypes(files: readonly string[]): Map<string, Output> {
  const program = ts.createProgram(files.map((file) => join(ROOT, file)), {
    ...OPTIONS,
    lib: ["lib.esnext.d.ts", "lib.webworker.d.ts"],
    types: [],
    declaration: true,
    declarationMap: true,
    emitDeclarationOnly: true,
    // The task `check` does that. Here all types that matter are written out.
    noCheck: true,
  });
  const found = new Map<string, Output>();
  const maps = new Map<string, string>();
  program.emit(undefined, (path, text, _mark, _onError, [source] = []) => {
    const file = relative(ROOT, source!.fileName).split(sep).join("/");
    if (path.endsWith(".map")) {
      maps.set(file, text);
      return;
    }
    const types = output(text, maps.get(file)!);
    // Before ES2026, only this library declares what `await using` takes.
    if (/\bSymbol\.asyncDispose\b|\bAsyncDisposable\b/.test(text)) {
      types.text = `/// <reference lib="esnext.disposable" />\n${types.text}`;
      // A semicolon ends the mappings of a line.
      types.map.mappings = `;${types.map.mappings}`;
    }
    found.set(file, types);
  });
  return found;
}

function output(text: string, map: string): Output {
  const imports = ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName)
    .filter((name) => /^\.\.?\//.test(name));
  return {
    // The compiler's own option for this also wraps each `import()` of an expression.
    text: imports.reduce((text, name) => {
      return text.replaceAll(`"${name}"`, `"${name.replace(/\.ts$/, ".js")}"`);
    }, text),
    map: JSON.parse(map),
    imports,
  };
}
