/**
 * The dependency rules of `docs/architecture.md`, checked on the syntax tree of every source file:
 * who may import whom, who may name a runtime, and no cycle.
 *
 * Run it by itself with `deno run --allow-all dev/check_imports.ts [folder]`; it prints a line
 * `file:line: reason` for each problem, and then its exit status is 1.
 */
import { join, posix } from "node:path";
import ts from "npm:typescript@6.0.3";
import {
  type DenoConfig,
  type Problem,
  readConfig,
  reportAndExit,
  ROOT,
  sourceFiles,
} from "./project.ts";
import { type Layer, layerOf } from "./layers.ts";

const RUNTIME_GLOBALS = new Set(["Deno", "Bun", "process"]);
const RUNTIME_MODULE = /^(?:node|cloudflare|bun):[\w./-]+$|^bun$/;
/** What programs of any runtime may import. */
const COMMON_MODULE = /^node:[\w./-]+$/;
const PACKAGE = /^npm:/;
/** The folder that may use what a runtime has, and its module that loads the modules of a runtime. */
const TRANSPORTS = "pubsub/connection/transports/";
const LOADER = `${TRANSPORTS}load_module.ts`;

interface Import {
  line: number;
  /** `null` if it is not a plain string. */
  specifier: string | null;
}

interface SourceFacts {
  imports: Import[];
  runtimeNames: { line: number; name: string }[];
}

/** What a file imports and which runtimes its code names. Comments do not count. */
function read(file: string, text: string): SourceFacts {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, false);
  const lineOf = (position: number) => source.getLineAndCharacterOfPosition(position).line + 1;
  const facts: SourceFacts = { imports: [], runtimeNames: [] };

  const addImport = (node: ts.Node, specifier: ts.Node | undefined) => {
    const text = specifier && ts.isStringLiteralLike(specifier) ? specifier.text : null;
    facts.imports.push({ line: lineOf(node.getStart(source)), specifier: text });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      addImport(node, node.moduleSpecifier);
    } else if (ts.isExportDeclaration(node)) {
      if (node.moduleSpecifier) addImport(node, node.moduleSpecifier);
    } else if (ts.isExternalModuleReference(node)) {
      addImport(node, node.expression);
    } else if (ts.isImportTypeNode(node)) {
      addImport(node, ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      addImport(node, node.arguments[0]);
    }

    let named: string | undefined;
    if (ts.isIdentifier(node)) {
      if (RUNTIME_GLOBALS.has(node.text)) named = node.text;
    } else if (ts.isStringLiteralLike(node)) {
      if (RUNTIME_GLOBALS.has(node.text) || RUNTIME_MODULE.test(node.text)) named = node.text;
    } else if (ts.isTemplateHead(node)) {
      if (/^(?:node|cloudflare|bun):$/.test(node.text)) named = node.text;
    }
    if (named !== undefined) {
      facts.runtimeNames.push({ line: lineOf(node.getStart(source)), name: named });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);

  for (const { fileName, pos } of [...source.referencedFiles, ...source.typeReferenceDirectives]) {
    facts.imports.push({ line: lineOf(pos), specifier: fileName });
  }
  for (const { fileName, pos } of source.libReferenceDirectives) {
    if (fileName.startsWith("deno")) facts.runtimeNames.push({ line: lineOf(pos), name: fileName });
  }
  return facts;
}

/** The project's file that a specifier means, or `null` for one that leads out of the project. */
function resolve(specifier: string, from: string, { name, exports }: DenoConfig): string | null {
  if (specifier.startsWith("./") || specifier.startsWith("../")) {
    const path = posix.join(posix.dirname(from), specifier);
    return path.startsWith("../") ? null : path;
  }
  if (specifier === name || specifier.startsWith(`${name}/`)) {
    const target = exports[`.${specifier.slice(name.length)}`];
    return target === undefined ? null : posix.normalize(target);
  }
  return null;
}

function judgeImport(
  file: string,
  layer: Layer,
  { specifier }: Import,
  target: string | null,
): string | null {
  if (!layer.imports || file === LOADER) return null;
  if (specifier === null) return "imports what is not a plain string, which nothing can check";
  if (target === null) {
    if (layer.runtime && RUNTIME_MODULE.test(specifier)) {
      return layer.path === TRANSPORTS
        ? `imports ${specifier}, which bundlers would resolve; use loadModule`
        : null;
    }
    if (layer.program && (COMMON_MODULE.test(specifier) || PACKAGE.test(specifier))) return null;
    return `imports ${specifier}, which is not part of this project`;
  }
  const to = layerOf(target);
  if (to && (to === layer || layer.imports.includes(to.path))) return null;
  const allowed = [...new Set([layer.path, ...layer.imports])].join(", ");
  return `imports ${target}; ${layer.path} may import only ${allowed}`;
}

/** The groups of files that import each other in a circle, each as a path back to its start. */
function cycles(graph: Map<string, Map<string, number>>): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const start = path.indexOf(file);
    if (start >= 0) {
      found.push([...path.slice(start), file]);
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const next of graph.get(file)?.keys() ?? []) visit(next);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return found;
}

/** Checks the project in a folder. */
export async function checkImports(root: string = ROOT): Promise<Problem[]> {
  const config = await readConfig(root);
  const problems: Problem[] = [];
  const graph = new Map<string, Map<string, number>>();

  for (const file of await sourceFiles(root)) {
    const layer = layerOf(file);
    if (!layer) {
      const reason = "belongs to no layer that this check knows; add the layer to it";
      problems.push({ file, line: 1, reason });
      continue;
    }
    const { imports, runtimeNames } = read(file, await Deno.readTextFile(join(root, file)));
    const targets = new Map<string, number>();
    graph.set(file, targets);
    for (const one of imports) {
      const target = one.specifier === null ? null : resolve(one.specifier, file, config);
      if (target !== null && !targets.has(target)) targets.set(target, one.line);
      const reason = judgeImport(file, layer, one, target);
      if (reason !== null) problems.push({ file, line: one.line, reason });
    }
    if (layer.runtime) continue;
    for (const { line, name } of runtimeNames) {
      if (layer.program && COMMON_MODULE.test(name)) continue;
      const reason = `names ${name}; only pubsub/connection/transports/ may name a runtime`;
      problems.push({ file, line, reason });
    }
  }

  for (const cycle of cycles(graph)) {
    const [file, next] = cycle as [string, string];
    const line = graph.get(file)!.get(next)!;
    problems.push({ file, line, reason: `is part of a cycle: ${cycle.join(" -> ")}` });
  }
  return problems;
}

if (import.meta.main) reportAndExit(await checkImports(Deno.args[0]));
